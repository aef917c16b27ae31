import { z } from 'zod'
import { LatheError } from '../../settings/error.ts'
import { must, oneOf, whole } from '../../settings/settings.ts'
import type { RandomStream } from '../../tensor/random.ts'
import { drawInSplit } from '../split.ts'
import type { Example, Sample, Shortcut, Task, TaskDefinition } from '../task.ts'
import { commutatorOrder, compose, type Group, namedGroup, type Table, tableGroup } from './definition.ts'

const isGroup = (value: unknown): value is string | Table => typeof value === 'string' || Array.isArray(value)

const settings = z.strictObject({
  group: z
    .custom<string | Table>(isGroup, must('the name of a group such as "S4", or a table such as [[0,1],[1,0]]'))
    .default('S4')
    .describe('S4, A5, Z12, D6, or a table whose row a holds a ∘ b for every b'),
  n: whole(1, 65536).default(16).describe('elements of a sequence'),
  loss: oneOf('every', 'last')
    .default('last')
    .describe('where the loss is: at every position, for the product so far, or the last'),
})

export type GroupSettings = z.infer<typeof settings>

/**
 * Composition in a finite group, the word problem of Saunshi et al. (arXiv 2502.17416, Theorem 5.1): n uniform elements,
 * and g_1∘…∘g_n at the last. Of permutations g∘h is h, then g: in S4, 2134 1324 → 2314. See definition.ts for groups.
 */
export const group: TaskDefinition<GroupSettings> = {
  name: 'group',
  description: 'the product of a sequence of elements of a finite group',
  settings,
  create,
  paper: {},
}

function create({ group: given, n, loss }: GroupSettings): Task {
  const group = typeof given === 'string' ? namedGroup(given) : tableGroup('task group: the table', given)
  const { elements } = group

  function toSample(tokens: Int32Array): Sample {
    const targets = new Int32Array(n).fill(-1)
    for (let i = loss === 'every' ? 0 : n - 1; i < n; i++) targets[i] = compose(group, tokens.subarray(0, i + 1))
    return { tokens, targets, weights: Float32Array.from(targets, (target) => Number(target >= 0)) }
  }

  function read(text: string, what: string): number {
    const id = elements.indexOf(text)
    if (id >= 0) return id
    throw new LatheError(`${what} is ${JSON.stringify(text)}: write one of ${elements.join(' ')}`)
  }

  function parse({ input, target }: Example): Sample {
    const ids = input.split(/\s+/).map((text, i) => read(text, `input element ${i + 1}`))
    if (ids.length !== n) throw new LatheError(`input has ${ids.length} elements: write ${n}`)
    const sample = toSample(Int32Array.from(ids))
    if (target !== undefined) sample.targets[n - 1] = read(target, 'target')
    return sample
  }

  return {
    name: 'group',
    vocabulary: elements,
    length: n,
    attention: 'causal',
    chance: 1 / elements.length,
    shortcuts: shortcuts(group),
    sample: (key) => {
      const draw = (random: RandomStream) => Int32Array.from({ length: n }, () => random.integer(elements.length))
      return toSample(drawInSplit('group', key, draw, (drawn) => drawn))
    },
    score: ({ targets }, predictions) => predictions[n - 1] === targets[n - 1],
    parse,
    format: ({ tokens, targets }) => ({
      input: Array.from(tokens, (token) => elements[token]).join(' '),
      target: elements[targets[n - 1]],
    }),
  }
}

// Exact: a product with a uniform factor is uniform.
const shortcuts = (group: Group): Shortcut[] => [
  { name: 'one element left out', accuracy: 1 / group.elements.length, note: 'the product of all but one' },
  {
    name: 'order forgotten',
    accuracy: 1 / commutatorOrder(group),
    note: 'a guess among what is right but for commutators, such as permutations of the right sign',
  },
]
