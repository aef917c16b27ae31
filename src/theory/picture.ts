/**
 * What the loops of a construction do to one instance, drawn in text from the states of the model that ran.
 */
import type { Executor } from '../executor/executor.ts'
import type { Model } from '../model/model-folder.ts'
import { LoopPlan } from '../plan/index.ts'
import { statesOf } from './check.ts'
import { latentTokens } from './check-cot.ts'
import { type Construction, lettersOf, withDummyFirst } from './construction.ts'
import { type PHopSettings, pointersOf } from './phop.ts'
import { simulateCot } from './simulate-cot.ts'
import { columns, simulateDepth } from './simulate-depth.ts'

/** Columns of a terminal that are for elements, beside a label. */
const room = 70

/** The instance that is drawn is the first of the seed. */
interface PictureOptions {
  readonly executor: Executor
  readonly seed: number
}

/** The tree by which elements are composed: under every element the product that ends with it, and what went into it. */
export async function groupPicture(
  { model, problem, vocabulary, plan }: Construction,
  { executor, seed }: PictureOptions,
): Promise<string> {
  const { n, letters } = problem
  const tokens = withDummyFirst(lettersOf(problem, 1, seed), letters)
  const latent = await latentTokens(model, executor, tokens, n + 1)
  const wide = Math.max(...vocabulary.map((text) => text.length)) + 1
  const shown = Math.min(n, Math.floor(room / wide))
  const line = (label: string, cells: readonly string[]) => {
    const text = `${label.padEnd(8)}${shown < n ? '… ' : ''}${cells.slice(n - shown).join('')}`
    return text.trimEnd()
  }
  const rows = Array.from({ length: plan.effectiveDepth }, (_, loop) => {
    const cells = new Array<string>(n).fill(' '.repeat(wide))
    const [half, span] = [2 ** loop, 2 ** (loop + 1)]
    for (let i = n, end = n - 1; end >= 0; i--, end -= span) {
      const value = vocabulary[latent[loop * (n + 1) + i]]
      const left = end - half
      cells[end] = value.padStart(wide, left < 0 ? ' ' : '─')
      if (left < 0) continue
      cells[left] = '└'.padStart(wide - 1).padEnd(wide, '─')
      cells.fill('─'.repeat(wide), left + 1, end)
    }
    return line(`loop ${loop + 1}`, cells)
  })
  const given = Array.from(tokens.subarray(1), (token) => vocabulary[token].padStart(wide))
  return [line('given', given), ...rows].join('\n')
}

/** Where the last letter's pointer stands after every loop: its answer is the letter above. */
export async function hopPicture(
  settings: PHopSettings,
  { model, problem, vocabulary, plan }: Construction,
  { executor, seed }: PictureOptions,
): Promise<string> {
  const { n, p } = settings
  const tokens = withDummyFirst(lettersOf(problem, 1, seed), problem.letters)
  const [[, ...states]] = await statesOf(model, executor, tokens, n + 1)
  const text = Array.from(tokens, (token) => vocabulary[token]).join('')
  const labels = states.map((_, i) => `loop ${i + 1}, hop ${Math.floor(p / 2 ** (plan.effectiveDepth - i - 1))}`)
  const wide = Math.max(...labels.map((label) => label.length)) + 2
  const cut = Math.max(0, n + 1 - (80 - wide))
  const rows = states.map((state, i) => {
    const at = pointersOf(settings, tokens.subarray(1), state)[n]
    return `${labels[i].padEnd(wide)}${at < cut ? '←' : `${' '.repeat(at - cut)}^`}`
  })
  return [`${'given'.padEnd(wide)}${text.slice(cut)}`, ...rows].join('\n')
}

/** Which of the original's layers is at work in every loop, by the switches as the model set them on one sequence. */
export async function depthPicture(original: Model, sequence: Int32Array, executor: Executor): Promise<string> {
  const { distinctLayers, effectiveDepth } = LoopPlan.parse(original.config.plan)
  const looped = simulateDepth(original)
  const tokens = withDummyFirst([sequence], original.config.vocabulary)
  const [states] = await statesOf(looped, executor, tokens, tokens.length)
  const { dModel } = looped.config
  const { switchOf } = columns(original.config)
  const shown = Math.min(effectiveDepth, Math.floor(room / 3))
  const row = (label: string, cell: (loop: number) => string) => {
    const cells = Array.from({ length: shown }, (_, loop) => cell(loop).padStart(3))
    return `${label.padEnd(9)}${cells.join('')}${shown < effectiveDepth ? ' …' : ''}`
  }
  // of the last position; all have the same switches
  const isAtWork = (layer: number, loop: number) => states[loop].at(switchOf(layer) - dModel) === 0
  const layers = Array.from({ length: distinctLayers }, (_, r) =>
    row(`layer ${r + 1}`, (loop) => (isAtWork(r, loop) ? '■' : '·')),
  )
  return [row('loop', (loop) => String(loop + 1)), ...layers].join('\n')
}

/** The tokens that stand in the slots after every loop, of one prompt, which `given` says in text; a dot is a dummy. */
export async function cotPicture(
  original: Model,
  { prompt, given, m, vocabulary }: { prompt: Int32Array; given: string; m: number; vocabulary: readonly string[] },
  executor: Executor,
): Promise<string> {
  const n = prompt.length
  const dummy = original.config.vocabulary
  const start = Int32Array.of(...prompt, ...new Array<number>(m).fill(dummy))
  const latent = await latentTokens(simulateCot(original, { n, m }), executor, start, n + m)
  const text = (token: number) => (token === dummy ? '·' : vocabulary[token])
  const rows = Array.from({ length: m }, (_, loop) => {
    const slots = latent.subarray(loop * (n + m) + n, (loop + 1) * (n + m))
    return `${`loop ${loop + 1}`.padEnd(10)}${Array.from(slots, text).join(' ')}`
  })
  const cut = (line: string) => (line.length > 80 ? `${line.slice(0, 78)} …` : line)
  return [`given     ${given}`, ...rows.map(cut)].join('\n')
}
