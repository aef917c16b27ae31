import { describe, expect, it } from 'vitest'
import { lower } from '../compile/index.ts'
import { input, output, parameter, trace } from '../graph/index.ts'
import { embed, mul, reshape } from '../ops/index.ts'
import { nativeExecutor, nativeIsBuilt, referenceExecutor } from './index.ts'

const executors = [referenceExecutor(), ...(nativeIsBuilt() ? [nativeExecutor({ precision: 'f32', threads: 2 })] : [])]

describe.each(executors)('on $name', (executor) => {
  it('a reshaped value broadcasts by its new shape', async () => {
    const product = trace('product', () => output('y', mul(input('x', [3, 3]), reshape(input('s', [3]), [3, 1]))))
    const inputs = { x: new Float32Array(9).fill(1), s: Float32Array.of(1, 2, 3) }
    const { y } = await executor.compile(lower(product)).run({ count: 1, inputs })
    expect([...y]).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3])
  })

  it('ids outside of their table are refused before anything runs', async () => {
    const lookup = trace('lookup', () => output('y', embed(parameter('table', [4, 2]), input('ids', [3], 'i32'))))
    const executable = executor.compile(lower(lookup))
    const run = (ids: number[]) =>
      executable.run({ count: 1, parameters: { table: new Float32Array(8) }, inputs: { ids: Int32Array.from(ids) } })
    await expect(run([0, 4, 1])).rejects.toThrow('lookup: input ids holds 4 at 1; its table has rows 0 to 3')
    await expect(run([0, 1, -1])).rejects.toThrow('holds -1 at 2')
    expect((await run([3, 0, 1])).y).toHaveLength(6)
  })

  it('one executable with parameters cannot come twice in runAll', async () => {
    const scale = trace('scale', () => output('y', mul(input('x', [2]), parameter('w', [2]))))
    const executable = executor.compile(lower(scale))
    const run = { count: 1, inputs: { x: Float32Array.of(1, 2) }, parameters: { w: Float32Array.of(3, 4) } }
    const jobs = [
      { executable, run },
      { executable, run },
    ]
    await expect(executor.runAll(jobs)).rejects.toThrow('scale has parameters or sums and comes twice in runAll')
  })
})
