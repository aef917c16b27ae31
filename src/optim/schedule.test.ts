import { describe, expect, it } from 'vitest'
import { learningRate, type Schedule } from './schedule.ts'

const curve = (schedule: Schedule, steps: number) =>
  Array.from({ length: steps }, (_, i) => learningRate(schedule, i + 1, steps))

function expectClose(actual: number[], expected: number[]) {
  expect(actual).toHaveLength(expected.length)
  for (const [i, x] of expected.entries()) expect(actual[i], `step ${i + 1}`).toBeCloseTo(x, 12)
}

describe('learningRate', () => {
  it('rises in a warm-up and stays', () => {
    expectClose(curve({ name: 'constant', warmup: 4 }, 6), [0.25, 0.5, 0.75, 1, 1, 1])
    expectClose(curve({ name: 'constant', warmup: 0 }, 2), [1, 1])
  })

  it('falls in a straight line to the final value', () => {
    expectClose(curve({ name: 'linear', warmup: 2, final: 0.2 }, 6), [0.5, 1, 0.8, 0.6, 0.4, 0.2])
    expectClose(curve({ name: 'linear', warmup: 0, final: 0 }, 4), [0.75, 0.5, 0.25, 0])
  })

  it('falls along half a cosine', () => {
    const half = (1 + Math.SQRT1_2) / 2 // (1 + cos 45°) / 2
    expectClose(curve({ name: 'cosine', warmup: 2, final: 0 }, 6), [0.5, 1, half, 0.5, 1 - half, 0])
    expectClose(curve({ name: 'cosine', warmup: 1, final: 0.5 }, 3), [1, 0.75, 0.5])
  })

  it('ends in the warm-up when the warm-up is the whole run', () => {
    for (const name of ['cosine', 'linear'] as const)
      expectClose(curve({ name, warmup: 3, final: 0 }, 3), [1 / 3, 2 / 3, 1])
  })

  it('goes through one cycle as OneCycleLR of torch does', () => {
    // torch.optim.lr_scheduler.OneCycleLR(max_lr=1, total_steps=10, pct_start=0.3, div_factor=25, final_div_factor=1e4)
    const torch = [
      0.04, 0.52, 1, 0.9504846320134737, 0.8117456539497631, 0.6112620219362893, 0.38874197806371075,
      0.18825834605023697, 0.049519367986526286, 4e-6,
    ]
    expectClose(curve({ name: 'one-cycle', pctStart: 0.3, div: 25, finalDiv: 1e4 }, 10), torch)
  })

  it('goes through a cycle whose way up or down is empty', () => {
    const down = curve({ name: 'one-cycle', pctStart: 0, div: 10, finalDiv: 1 }, 4)
    expect(down.at(-1)).toBeCloseTo(0.1, 12)
    expect(down).toEqual([...down].sort((a, b) => b - a))
    const up = curve({ name: 'one-cycle', pctStart: 1, div: 10, finalDiv: 1 }, 4)
    expectClose([up[0], up[3]], [0.1, 1])
    expect(up).toEqual([...up].sort((a, b) => a - b))
    expectClose(curve({ name: 'one-cycle', pctStart: 0.1, div: 10, finalDiv: 1 }, 10).slice(0, 1), [1])
  })
})
