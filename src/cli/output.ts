/**
 * What the verbs write: a progress bar on stderr, tables and lines of JSON on stdout.
 * @module
 */
import pc from 'picocolors'
import { formatDuration, formatInteger, formatLoss, formatPercent, formatRate } from '../report/format.ts'
import { type Column, textTable } from '../report/table.ts'

/** The part of a stream that is used here: `process.stderr`, or a fake one. */
export interface OutputStream {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

/** Writes a value as one line of JSON, as every verb does under `--json`. A number that is not finite becomes `null`. */
export function emit(value: object, stream: OutputStream = process.stdout): void {
  stream.write(`${JSON.stringify(value)}\n`)
}

/** Writes a table, as wide as the terminal allows; 80 characters where there is none. */
export function printTable<R>(
  columns: readonly Column<R>[],
  rows: readonly R[],
  stream: OutputStream = process.stdout,
): void {
  stream.write(`${textTable(columns, rows, stream.columns ?? maxWidth)}\n`)
}

/** Text in lines of at most `width` characters, cut between words. */
export function wrap(text: string, width = 80): string {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines.at(-1)!
    if (last && last.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = last ? `${last} ${word}` : word
  }
  return lines.join('\n')
}

export interface ProgressOptions {
  /** What runs, in a few characters: a plan, a name. */
  label: string
  /** The step at which the run ends. */
  steps: number
  /** The step it starts from, where it resumes. Default: 0. */
  start?: number
  /** Writes nothing, for `--json`. Default: false. */
  silent?: boolean
  stream?: OutputStream
  /** The time in milliseconds. */
  now?: () => number
}

export interface ProgressState {
  step: number
  loss: number
  /** Of the last evaluation, a fraction; absent before the first. */
  accuracy?: number
  /** Tokens trained on since the start of this process. */
  tokens: number
  /** Floating point operations since the start of this process. */
  flops: number
}

type Moment = ProgressState & { time: number }

const maxWidth = 80
const redrawEvery = 100
const lineEvery = 30_000
const rateOver = 5_000

/**
 * Shows how a training run goes. On a terminal: two lines, drawn in place at most ten times a second. Elsewhere: a plain
 * line at each tenth of the run, and whenever 30 seconds have passed since the last.
 *
 * @example
 * const progress = new Progress({ label: '1x4', steps: 1500 })
 * progress.update({ step: 1, loss: 1.386, tokens: 2048, flops: 3.4e9 })
 * progress.finish()
 */
export class Progress {
  readonly #label: string
  readonly #steps: number
  readonly #stream: OutputStream | undefined
  readonly #now: () => number
  readonly #live: boolean
  readonly #colours: ReturnType<typeof pc.createColors>
  readonly #first: Moment
  #last: Moment
  #recent: Moment[]
  #shownAt: number
  #linesDrawn = 0

  constructor(options: ProgressOptions) {
    const { label, steps, start = 0, silent = false, stream = process.stderr, now = () => performance.now() } = options
    this.#steps = steps
    this.#stream = silent ? undefined : stream
    const room = Math.floor(this.#width() / 3) - 1
    this.#label = label.length > room ? `${label.slice(0, room - 1)}…` : label
    this.#now = now
    this.#live = stream.isTTY === true && process.env.TERM !== 'dumb'
    this.#colours = pc.createColors(this.#live && !process.env.NO_COLOR)
    this.#first = { step: start, loss: Number.NaN, tokens: 0, flops: 0, time: now() }
    this.#last = this.#first
    this.#recent = [this.#first]
    this.#shownAt = this.#live ? Number.NEGATIVE_INFINITY : this.#first.time
  }

  /** Takes the state after a step, and shows it when it is time to. */
  update(state: ProgressState): void {
    const before = this.#last
    if (before === this.#first) before.step = Math.min(before.step, state.step - 1) // a damaged checkpoint may have been passed over
    const last = { ...state, time: this.#now() }
    this.#last = last
    const waited = last.time - this.#shownAt
    const newTenth = Math.floor((10 * before.step) / this.#steps) < Math.floor((10 * last.step) / this.#steps)
    if (this.#live ? waited < redrawEvery : waited < lineEvery && !newTenth) return
    // one moment that is older stays, so that the rates reach back over the whole time
    while (this.#recent.length > 1 && last.time - this.#recent[1]!.time >= rateOver) this.#recent.shift()
    this.#recent.push(last)
    this.#shownAt = last.time
    if (this.#live) this.#replace(this.#bar())
    else if (last.step < this.#steps) this.#replace([[this.#label, ...this.#plainParts()].join('  ')])
  }

  /** Writes a line that stays, above the bar. */
  log(line: string): void {
    const drawn = this.#linesDrawn > 0
    this.#replace([line])
    this.#linesDrawn = 0
    if (drawn) this.#replace(this.#bar())
  }

  /** Replaces the bar by one line of totals, for a run that is complete or was stopped; `accuracy` is the last one. */
  finish(accuracy?: number): void {
    if (accuracy !== undefined) this.#last = { ...this.#last, accuracy }
    const { step, time } = this.#last
    const done = step < this.#steps ? `stopped at ${this.#place()}` : `${formatInteger(step)} steps`
    const seconds = (time - this.#first.time) / 1000
    const wasDone = this.#first.step >= this.#steps
    const took = wasDone ? `${done}, done before` : `${done} in ${formatDuration(seconds)}`
    const parts = [took, ...this.#measures(), ...this.#rates(this.#first)]
    this.#replace([
      `${this.#colours.bold(this.#label)}  ${joinFitting(parts, '  ', this.#width() - this.#label.length - 2)}`,
    ])
    this.#linesDrawn = 0
  }

  /** Writes lines where the bar was. */
  #replace(lines: readonly string[]): void {
    const erase = this.#linesDrawn > 0 ? `\x1b[${this.#linesDrawn}A\x1b[0J` : ''
    this.#stream?.write(`${erase}${lines.map((line) => `${line}\n`).join('')}`)
    this.#linesDrawn = this.#live ? lines.length : 0
  }

  #bar(): string[] {
    const { bold, cyan, dim } = this.#colours
    const place = `${this.#place()}  ${formatDuration(this.#secondsLeft())} left`
    const length = this.#width() - this.#label.length - place.length - 4
    const filled = Math.round((Math.max(0, length) * Math.min(this.#last.step, this.#steps)) / this.#steps)
    const bar = length < 8 ? '' : `${cyan('━'.repeat(filled))}${dim('─'.repeat(length - filled))}  `
    const indent = this.#label.length + 2
    const below = joinFitting([...this.#measures(), ...this.#rates(this.#recent[0]!)], '   ', this.#width() - indent)
    return [`${bold(this.#label)}  ${bar}${place}`, `${' '.repeat(indent)}${below}`]
  }

  #plainParts(): string[] {
    const left = `${formatDuration(this.#secondsLeft())} left`
    return [`step ${this.#place()}`, ...this.#measures(), ...this.#rates(this.#recent[0]!), left]
  }

  #place(): string {
    return `${formatInteger(this.#last.step)}/${formatInteger(this.#steps)}`
  }

  #measures(): string[] {
    const { loss, accuracy } = this.#last
    if (this.#last.step === this.#first.step) return []
    return [`loss ${formatLoss(loss)}`, ...(accuracy === undefined ? [] : [`accuracy ${formatPercent(accuracy)}`])]
  }

  #rates(since: Moment): string[] {
    const seconds = (this.#last.time - since.time) / 1000
    if (seconds <= 0) return []
    const { tokens, flops } = this.#last
    return [
      formatRate((flops - since.flops) / seconds, 'FLOP'),
      formatRate((tokens - since.tokens) / seconds, 'tokens'),
    ]
  }

  #secondsLeft(): number {
    const { step, time } = this.#last
    return ((time - this.#first.time) / 1000 / (step - this.#first.step)) * (this.#steps - step)
  }

  // a line that fills the last column makes some terminals wrap
  #width(): number {
    return Math.min(this.#stream?.columns ?? maxWidth, maxWidth) - 1
  }
}

/** Joins as many parts as fit, the first ones first. */
function joinFitting(parts: readonly string[], gap: string, width: number): string {
  let line = parts[0]!
  for (const part of parts.slice(1)) {
    if (line.length + gap.length + part.length > width) break
    line += gap + part
  }
  return line
}
