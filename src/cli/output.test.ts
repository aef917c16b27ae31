import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { emit, Progress, type ProgressOptions, printTable } from './output.ts'

/** A stream that keeps what is written, and a clock that is set by hand. */
function setup(options: Partial<ProgressOptions> = {}, terminal: { isTTY?: boolean; columns?: number } = {}) {
  const writes: string[] = []
  const stream = { ...terminal, write: (text: string) => writes.push(text) }
  const clock = { time: 0 }
  const progress = new Progress({ label: '1x4', steps: 1000, stream, now: () => clock.time, ...options })
  /** One step takes `ms`, 2048 tokens and 2 GFLOP. */
  const run = (from: number, to: number, ms: number, accuracy?: number) => {
    for (let step = from; step <= to; step++) {
      clock.time += ms
      const done = step - (options.start ?? 0)
      progress.update({ step, loss: 1.25, accuracy, tokens: 2048 * done, flops: 2e9 * done })
    }
  }
  return { progress, writes, clock, run }
}

const tty = { isTTY: true, columns: 120 }
// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal sequences are what is measured
const visible = (text: string) => text.replace(/\x1b\[[\d;]*[A-Za-z]/g, '')

beforeEach(() => {
  vi.stubEnv('TERM', 'xterm-256color')
  vi.stubEnv('NO_COLOR', '')
})
afterEach(() => vi.unstubAllEnvs())

describe('Progress on a terminal', () => {
  it('draws two lines with all there is to know', () => {
    const { writes, run } = setup({}, tty)
    run(1, 500, 100, 0.831)
    const [bar, below] = visible(writes.at(-1)!).split('\n')
    expect(bar).toMatch(/^1x4 {2}━{25,}─{25,} {2}500\/1,000 {2}50 s left$/)
    expect(below).toBe('     loss 1.250   accuracy 83.1 %   20 GFLOP/s   20 k tokens/s')
  })

  it('redraws in place, at most ten times a second', () => {
    const { writes, run } = setup({}, tty)
    run(1, 1000, 1)
    expect(writes.length).toBeLessThanOrEqual(11)
    expect(writes.length).toBeGreaterThanOrEqual(9)
    expect(writes[0]).not.toContain('\x1b[2A')
    for (const text of writes.slice(1)) expect(text.startsWith('\x1b[2A\x1b[0J')).toBe(true)
  })

  it.each([200, 80, 60, 40])('fits %i columns, and never more than 80', (columns) => {
    const { progress, writes, run } = setup(
      { label: 'a-rather-long-name-of-a-run', steps: 200_000 },
      { isTTY: true, columns },
    )
    run(1, 20, 100, 0.5)
    const widths = writes.flatMap((text) => visible(text).split('\n')).map((line) => line.length)
    expect(Math.max(...widths)).toBeLessThan(Math.min(columns, 80))
    progress.finish()
    if (columns >= 80) expect(visible(writes.at(-1)!).length).toBeLessThanOrEqual(80)
  })

  it('takes the rates from the last five seconds', () => {
    const { writes, run } = setup({}, tty)
    run(1, 100, 200)
    run(101, 200, 100)
    expect(visible(writes.at(-1)!)).toContain('20 GFLOP/s')
  })

  it('counts time left from where the run resumed', () => {
    const { writes, run } = setup({ start: 900 }, tty)
    run(901, 950, 1000)
    expect(visible(writes.at(-1)!)).toContain('950/1,000  50 s left')
  })

  it('writes lines above the bar', () => {
    const { progress, writes, run } = setup({}, tty)
    progress.log('before')
    run(1, 5, 100)
    progress.log('saved step 5')
    expect(writes[0]).toBe('before\n')
    const [erased, drawn] = writes.slice(-2)
    expect(erased).toBe('\x1b[2A\x1b[0Jsaved step 5\n')
    expect(visible(drawn!)).toMatch(/^1x4 .*\n.*\n$/)
  })

  it('ends with one line in place of the bar', () => {
    const { progress, writes, run } = setup({}, tty)
    run(1, 1000, 72, 0.984)
    progress.finish()
    expect(writes.at(-1)).toContain('\x1b[2A\x1b[0J')
    expect(visible(writes.at(-1)!)).toBe('1x4  1,000 steps in 1 m 12 s  loss 1.250  accuracy 98.4 %  28 GFLOP/s\n')
  })

  it('ends with the accuracy of an evaluation after the last step', () => {
    const { progress, writes, run } = setup({}, tty)
    run(1, 1000, 72, 0.5)
    progress.finish(0.75)
    expect(visible(writes.at(-1)!)).toContain('accuracy 75.0 %')
  })

  it('says where a run was stopped', () => {
    const { progress, writes, run } = setup({}, tty)
    run(1, 10, 100)
    progress.finish()
    expect(visible(writes.at(-1)!)).toContain('stopped at 10/1,000 in 1.0 s')
  })

  it('has no colour under NO_COLOR', () => {
    vi.stubEnv('NO_COLOR', '1')
    const { writes, run } = setup({}, tty)
    run(1, 2, 100)
    expect(writes.at(-1)!.replace('\x1b[2A\x1b[0J', '')).not.toContain('\x1b')
  })

  it('has colour otherwise', () => {
    const { writes, run } = setup({}, tty)
    run(1, 1, 100)
    expect(writes[0]).toContain('\x1b[1m1x4')
  })
})

describe('Progress elsewhere', () => {
  it.each([
    ['a file', { isTTY: false }, 'xterm'],
    ['a dumb terminal', tty, 'dumb'],
  ])('writes plain lines at each tenth to %s', (_, terminal, term) => {
    vi.stubEnv('TERM', term)
    const { progress, writes, run } = setup({}, terminal)
    run(1, 1000, 10, 0.31)
    progress.finish()
    expect(writes).toHaveLength(10)
    expect(writes[0]).toBe(
      '1x4  step 100/1,000  loss 1.250  accuracy 31.0 %  200 GFLOP/s  205 k tokens/s  9.0 s left\n',
    )
    expect(writes[9]).toMatch(/^1x4 {2}1,000 steps in 10 s {2}loss 1.250/)
    expect(writes.join('')).not.toContain('\x1b')
  })

  it('writes a line every 30 seconds of a slow run', () => {
    const { writes, run } = setup()
    run(1, 65, 1000)
    expect(writes).toHaveLength(2)
    expect(writes[0]).toContain('step 30/1,000')
  })

  it('writes nothing when silent', () => {
    const { progress, writes, run } = setup({ silent: true }, tty)
    run(1, 1000, 100)
    progress.log('a line')
    progress.finish()
    expect(writes).toEqual([])
  })

  it('ends a run that never took a step', () => {
    const { progress, writes } = setup()
    progress.finish()
    expect(writes.join('')).toContain('stopped at 0/1,000 in 0.0 s')
    expect(writes.join('')).not.toContain('NaN')
  })

  it('says of a run that was done before just that', () => {
    const { progress, writes } = setup({ start: 1000 })
    progress.finish(0.5)
    expect(writes.join('')).toBe('1x4  1,000 steps, done before\n')
  })
})

describe('emit', () => {
  it('writes one line per object', () => {
    const writes: string[] = []
    emit({ plan: '1x4', text: 'a\nb', loss: Number.NaN }, { write: (text) => writes.push(text) })
    expect(writes).toEqual(['{"plan":"1x4","text":"a\\nb","loss":null}\n'])
  })
})

describe('printTable', () => {
  it('keeps to the width of the terminal', () => {
    const writes: string[] = []
    const columns = ['a', 'b', 'c'].map((key) => ({ key, title: key }))
    const rows: Record<string, string>[] = [{ a: 'x'.repeat(10), b: 'y'.repeat(10), c: 'z'.repeat(10) }]
    printTable(columns, rows, { columns: 30, write: (text) => writes.push(text) })
    expect(
      Math.max(
        ...writes
          .join('')
          .split('\n')
          .map((line) => line.length),
      ),
    ).toBe(22)
  })
})
