import { describe, expect, it } from 'vitest'
import { LatheError } from '../settings/error.ts'
import { exampleInput } from './quickstart.fixture.ts'
import type { QuickstartInput } from './quickstart-input.ts'
import { quickstartSentences } from './quickstart-sentences.ts'

const good = { looped: 0.984, isoFlop: 0.991, isoParameter: 0.332 }

/** The one sentence that starts so. */
function sentence(input: QuickstartInput, start: string): string {
  const found = quickstartSentences(input).filter((text) => text.startsWith(start))
  expect(found).toHaveLength(1)
  return found[0]!
}

const withSweep = (accuracies: Record<number, number>): QuickstartInput => ({
  ...exampleInput(good),
  sweep: Object.entries(accuracies).map(([loops, accuracy]) => ({ loops: Number(loops), accuracy, loss: 1 })),
})

describe('quickstartSentences', () => {
  it('tells the good case whole', () => {
    expect(quickstartSentences(exampleInput(good))).toEqual([
      'In this run the loop bought depth: the same layers run 4 times did what separate layers do, and what the same layers run once did not.',
      'The looped model (plan `1x4`, 198 k parameters, effective depth 4, 1,500 steps, trained and evaluated with 4 loops) is right on 98.4 % of 1,024 held-out sequences; a guess is right on 25.0 %.',
      'The iso-FLOP model (plan `4`, 788 k parameters, effective depth 4, 1,500 steps) reaches 99.1 %: the looped model comes within 0.7 points of it with 25 % of its parameters.',
      'The iso-parameter model (plan `1`, 198 k parameters, effective depth 1, 1,500 steps) reaches 33.2 %: the loop adds 65.2 points without adding a parameter.',
      'More loops than the 4 it was trained with hurt: accuracy falls to 71.0 % at 8 loops.',
      'Fewer loops hurt: accuracy falls to 26.2 % at 1 loop.',
      'All three models saw the same data; one seed (7), so nothing here says how far the result varies.',
    ])
  })

  it.each([
    [
      'not reached',
      { looped: 0.6, isoFlop: 0.99, isoParameter: 0.33 },
      'the loop helped, but layers run 4 times did not reach',
    ],
    ['passed', { looped: 0.99, isoFlop: 0.5, isoParameter: 0.33 }, 'even passed the model with separate layers'],
    ['no effect', { looped: 0.34, isoFlop: 0.99, isoParameter: 0.33 }, 'the loop did not show its effect'],
    ['nothing learned', { looped: 0.26, isoFlop: 0.3, isoParameter: 0.25 }, 'says nothing about looping yet'],
    ['depth useless', { looped: 0.99, isoFlop: 0.99, isoParameter: 0.98 }, 'cannot show what a loop buys'],
  ])('says plainly what was found: %s', (_, accuracy, text) => {
    expect(quickstartSentences(exampleInput(accuracy))[0]).toContain(text)
  })

  it.each([
    [0.991, 'is level with it, with 25 %'],
    [0.995, 'is level with it, with 25 %'],
    [0.961, 'comes within 3.0 points of it'],
    [0.96, 'stays 3.1 points below it, with'],
  ])('compares a looped model at %f with the iso-FLOP one', (looped, text) => {
    expect(sentence(exampleInput({ ...good, looped }), 'The iso-FLOP model')).toContain(text)
  })

  it('never lets a verdict contradict the number it prints', () => {
    const at = (looped: number) => exampleInput({ ...good, isoFlop: 0.99, looped })
    expect(sentence(at(0.95996), 'The iso-FLOP model')).toContain('comes within 3.0 points')
    expect(quickstartSentences(at(0.95996))[0]).toContain('bought depth')
    expect(quickstartSentences(at(0.9589))[0]).toContain('did not reach')
  })

  it.each([
    [0.532, 'adds 20.0 points without adding a parameter'],
    [0.432, 'adds only 10.0 points'],
    [0.34, 'makes no difference'],
    [0.324, 'makes no difference'],
    [0.3, 'costs 3.2 points'],
  ])('compares a looped model at %f with the iso-parameter one', (looped, text) => {
    expect(sentence(exampleInput({ ...good, looped }), 'The iso-parameter model')).toContain(text)
  })

  it.each([
    [{ 4: 0.984, 6: 0.98, 8: 0.979 }, 'neither help nor hurt: accuracy is 97.9 % at 8 loops'],
    [{ 4: 0.9, 6: 0.885, 8: 0.912 }, 'neither help nor hurt: accuracy is 91.2 % at 8 loops'],
    [{ 4: 0.9, 6: 0.96, 8: 0.95 }, 'help: accuracy rises to 96.0 % at 6 loops'],
    [{ 4: 0.9, 6: 0.96, 8: 0.5 }, 'help and hurt: accuracy is 96.0 % at 6 loops and 50.0 % at 8 loops'],
    [{ 6: 0.98, 8: 0.7 }, 'hurt: accuracy falls to 70.0 % at 8 loops'],
  ])('tells what more loops do: %o', (accuracies, text) => {
    expect(sentence(withSweep(accuracies), 'More loops than the 4')).toContain(text)
  })

  it('says nothing of loops that were not evaluated', () => {
    const texts = quickstartSentences(withSweep({ 4: 0.984 })).join(' ')
    expect(texts).not.toMatch(/More loops|Fewer loops/)
  })

  it('names the role that is missing', () => {
    const input = exampleInput(good)
    const without = { ...input, rows: input.rows.filter((row) => row.role !== 'iso-FLOP') }
    expect(() => quickstartSentences(without)).toThrow(
      new LatheError('quickstart report: no iso-FLOP row among 1, 1x4'),
    )
  })
})
