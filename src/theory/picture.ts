/**
 * What the loops of a construction do to one instance, drawn in text from the states of the model that ran.
 */
import type { Executor } from '../executor/executor.ts'
import { statesOf } from './check.ts'
import { latentTokens } from './check-cot.ts'
import { type Construction, samplesOf } from './construction.ts'
import { type PHopSettings, pointersOf } from './phop.ts'

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
  const { n } = problem
  const [{ tokens }] = samplesOf(problem, 1, seed)
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
  const [{ tokens }] = samplesOf(problem, 1, seed)
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
