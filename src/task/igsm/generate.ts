import { LatheError } from '../../settings/error.ts'
import type { RandomStream } from '../../tensor/random.ts'
import type { Definition, Problem, Term } from './definition.ts'

export const formNames = ['copy', 'offset', 'product', 'sum', 'difference'] as const
type Form = (typeof formNames)[number]

export interface Sizes {
  readonly minNodes: number
  readonly maxNodes: number
  readonly operands: number
  readonly forms: readonly Form[]
  readonly distractors: number
  readonly letters: number
  readonly modulus: number
}

/** Pairs of entities on consecutive levels, of four: how many names there are. */
export const edgesOf = (letters: number) => 3 * (letters / 4) ** 2

/** Definitions that the query needs, of so many. */
export const neededOf = (count: number, { distractors }: Pick<Sizes, 'distractors'>): number =>
  Math.max(2, count - Math.round(distractors * count))

/**
 * A random problem. The paper gives neither sizes nor a law (arXiv 2502.17416, A.1); this law is ours, after the two
 * examples of the paper and its poster, and after Ye et al. (arXiv 2407.20311):
 *
 * - definitions: from `minNodes` to `maxNodes`, each number as likely;
 * - names: the entities A, B, C, … stand on four levels; a name is an edge X#Y of the structure graph, a uniform choice
 *   among the pairs of consecutive levels;
 * - dependencies: the first node is a constant, the only one. Of all nodes a share `distractors` is not needed, but two
 *   always are. Needed nodes are linked from the query, the last of them, down: where no later node uses the one just
 *   before a node, that is one of its operands, and the others are any before it. So the query needs them all.
 *   Distractors are over any nodes before them, the query among these;
 * - expressions: of a single node before it a copy, the same and a constant, or times one, each as likely. Of more, in one
 *   of ten a copy, in one an operand and a constant, in two a constant times a sum, in two a sum, of two to `operands`,
 *   and in four the difference of two: so all are about as frequent in the steps of 4 or 5 definitions, two names at
 *   most. No constant changes nothing. Forms that `forms` lacks are left out, and the others keep their shares of each other;
 * - as a function of the constant the query is a · constant + b; unless a has an inverse, the expressions are drawn
 *   again. So every answer is as likely as any other, even to whoever knows all but the constant;
 * - the order of the definitions is uniform.
 */
export function generate(random: RandomStream, sizes: Sizes): Problem {
  const count = sizes.minNodes + random.integer(sizes.maxNodes - sizes.minNodes + 1)
  const needed = neededOf(count, sizes)
  const names = drawNames(random, count, sizes.letters)
  const query = names[needed - 1]!
  for (let i = 0; i < maxDraws; i++) {
    const definitions = drawDefinitions(random, names, needed, sizes)
    if (decides(definitions, query, sizes.modulus)) return { definitions: random.shuffle(definitions), query }
  }
  throw new LatheError(
    `task igsm: in none of ${maxDraws} draws of ${count} definitions does every answer modulo ${sizes.modulus} occur: ` +
      'set modulus to a prime or maxNodes lower',
  )
}

const maxDraws = 10_000 // ours; the tests' samples of modulus 7 never need so many

function drawNames(random: RandomStream, count: number, letters: number): string[] {
  const edges = new Set<number>()
  while (edges.size < count) edges.add(random.integer(edgesOf(letters)))
  const width = letters / 4
  const letter = (level: number, place: number) => String.fromCharCode(65 + level * width + place)
  return Array.from(edges, (edge) => {
    const level = Math.floor(edge / width ** 2)
    return `${letter(level, Math.floor(edge / width) % width)}#${letter(level + 1, edge % width)}`
  })
}

/** Definitions in an order in which each needs only those before it; the first is the constant. */
function drawDefinitions(random: RandomStream, names: string[], needed: number, sizes: Sizes): Definition[] {
  const definitions: Definition[] = []
  const used = new Set<number>()
  const allowed = (list: readonly Form[]) => list.filter((form) => sizes.forms.includes(form))
  const [likelyOfOne, likelyOfMore] = [allowed(formsOfOne), allowed(formsOfMore)]
  for (let node = names.length - 1; node > 0; node--) {
    const most = Math.min(node, sizes.operands)
    const likely = most === 1 ? likelyOfOne : likelyOfMore
    const form = likely[random.integer(likely.length)]!
    const operands = new Set<number>()
    if (node < needed && !used.has(node - 1)) operands.add(node - 1)
    const wanted = drawCount(random, form, most)
    while (operands.size < wanted) operands.add(random.integer(node))
    if (node < needed) for (const operand of operands) used.add(operand)
    const operandNames = random.shuffle(Array.from(operands, (operand) => names[operand]!))
    definitions.push({ name: names[node]!, ...drawExpression(random, form, operandNames, sizes.modulus) })
  }
  definitions.push({ name: names[0]!, terms: [{ sign: 1, operand: random.integer(sizes.modulus) }] })
  return definitions.reverse()
}

/** What an expression of one name may be. */
export const formsOfOne = ['copy', 'offset', 'product'] as const satisfies Form[]

/** Of two names more than of one, as they come later in a problem; many differences cancel, and are drawn again. */
const formsOfMore = [...formsOfOne, 'product', 'sum', 'sum', ...Array<'difference'>(4).fill('difference')] as const

/** Operands of an expression that may have so many. */
function drawCount(random: RandomStream, form: Form, most: number): number {
  if (form === 'difference') return 2
  return most === 1 || form === 'copy' || form === 'offset' ? 1 : 2 + random.integer(most - 1)
}

function drawExpression(random: RandomStream, form: Form, names: string[], modulus: number): Omit<Definition, 'name'> {
  const terms = names.map((operand, i): Term => ({ sign: form === 'difference' && i > 0 ? -1 : 1, operand }))
  if (form === 'offset') return { terms: [...terms, { sign: 1, operand: 1 + random.integer(modulus - 1) }] }
  if (form === 'product') return { factor: 2 + random.integer(modulus - 2), terms }
  return { terms }
}

/** Whether the query takes every value as the constant does: whether its multiple of the constant has an inverse. */
function decides([constant, ...others]: readonly Definition[], query: string, modulus: number): boolean {
  const multiples = new Map([[constant!.name, 1]])
  for (const { name, factor = 1, terms } of others) {
    let sum = 0
    for (const { sign, operand } of terms) if (typeof operand === 'string') sum += sign * multiples.get(operand)!
    multiples.set(name, (factor * sum) % modulus)
  }
  return greatestCommonDivisor(multiples.get(query)!, modulus) === 1
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? Math.abs(a) : greatestCommonDivisor(b, a % b)
}
