import { describe, expect, it } from 'vitest'
import { compileTraining, type Program } from '../../compile/index.ts'
import { input, output, parameter, type Tensor, trace } from '../../graph/graph.ts'
import { add, attention, linearCrossEntropy, matmul, mul, norm, repeat, sum, unary } from '../../ops/index.ts'
import { RandomStream } from '../../tensor/random.ts'
import { sizeOf } from '../../tensor/type.ts'
import { runProgram } from '../conformance/step.ts'
import { nativeExecutor, nativeIsBuilt, nativeVariants } from './index.ts'

/** A block with residual sums in a loop: x + gelu(norm(x) up) down; `also` gets what is only an operand. */
function looped(width: number, also: (operand: Tensor) => void = () => {}): Program {
  let loss!: Tensor
  const graph = trace('looped', () => {
    const { carry } = repeat({ count: 2, carry: { x: input('x', [48, width]) } }, ({ x }) => {
      const hidden = unary('gelu', matmul(norm('rms', x, parameter('gain', [width])), parameter('up', [width, 64])))
      return { carry: { x: add(x, matmul(hidden, parameter('down', [64, width]))) } }
    })
    const last = norm('rms', carry.x, parameter('gain', [width]))
    also(last)
    const head = parameter('head', [5, width])
    loss = sum(linearCrossEntropy(last, head, input('targets', [48], 'i32')).losses)
  })
  return compileTraining(graph, loss).main
}

/** Attention of 48 rows, 2 heads, between products; `also` gets its queries, keys and values, and what it makes of them. */
function attending(ropeBase: number, width = 32, also: (operands: Tensor[]) => void = () => {}): Program {
  let loss!: Tensor
  const graph = trace('attending', () => {
    const x = input('x', [48, width])
    const [q, k, v] = ['q', 'k', 'v'].map((name) => matmul(x, parameter(name, [width, width])))
    const mixed = attention(q, k, v, { nHeads: 2, ropeBase })
    also([q, k, v, mixed])
    const y = matmul(mixed, parameter('o', [width, width]))
    loss = sum(mul(y, y))
  })
  return compileTraining(graph, loss).main
}

const values = ({ shape, name }: { shape: readonly number[]; name: string }): Float32Array => {
  const random = new RandomStream(3, name)
  return Float32Array.from({ length: sizeOf(shape) }, () => 0.3 * random.normal())
}
const runOf = ({ parameters }: Program, width: number) => ({
  count: 2,
  parameters: Object.fromEntries(parameters.map((p) => [p.name, values(p)])),
  inputs: {
    x: values({ shape: [2, 48, width], name: 'x' }),
    targets: Int32Array.from({ length: 96 }, (_, i) => i % 5),
  },
})

const schedule = (program: Program, precision: 'bf16' | 'f32' = 'bf16'): string[] =>
  nativeExecutor({ precision, threads: 1 })
    .compile(program)
    .schedule.print()
    .split('\n')
    .map((line) => line.trim().replace(/ {2}\[.*/, ''))

describe.runIf(nativeIsBuilt())('operands kept as bf16', () => {
  it('are what norms and elementwise passes write for products alone, within loops and their stacks', () => {
    const lines = schedule(looped(32))
    const kernelOf = (line: string) => line.split(' ')[0]
    const written = lines.filter((line) => / → .*bf16/.test(line)).map(kernelOf)
    // Forward the two norms, gelu and its derivative, backward the product with that: those follow a product in its call.
    expect(written.sort()).toEqual(['matmul', 'matmul', 'norm', 'norm'])
    expect(lines.join('\n')).toMatch(/matmul .* → –, bf16 @\S+, bf16 @/)
    const read = lines.filter((line) => /\(.*bf16.*\) →/.test(line)).map(kernelOf)
    expect(read.filter((kernel) => kernel !== 'matmul').sort()).toEqual([
      'linearCrossEntropy',
      'linearCrossEntropyGrad',
    ])
    expect(read.filter((kernel) => kernel === 'matmul').length).toBe(6)
  })

  it('are none in f32, none of rows that are no whole lines, none that anything else reads', () => {
    expect(schedule(looped(32), 'f32').join()).not.toMatch(/bf16 @/)
    const narrow = schedule(looped(24)).filter((line) => line.startsWith('norm ('))
    expect(narrow.join()).not.toMatch(/bf16/)
    const kept = schedule(looped(32, (x) => output('last', x))).filter((line) => line.startsWith('norm ('))
    expect(kept.map((line) => line.includes('bf16'))).toEqual([true, false])
    const summed = schedule(looped(32, (x) => output('total', sum(mul(x, x))))).filter((line) =>
      line.startsWith('norm ('),
    )
    expect(summed.map((line) => line.includes('bf16'))).toEqual([true, false])
  })

  it('are what attention takes and gives, turned before it and back after it', () => {
    const written = (program: Program) => {
      const lines = schedule(program).filter((line) => /^(matmul|rope |attention)/.test(line))
      return lines
        .filter((line, i) => !line.startsWith('matmul') || i < 3)
        .map((line) => `${line.split(' ')[0]} ${line.split(' → ')[1].match(/bf16/g)?.length ?? 0}`)
    }
    const [product, plain] = ['matmul 1', 'matmul 0']
    const attentions = ['attention 1', 'attentionGrad 3']
    expect(written(attending(0))).toEqual([product, product, product, ...attentions])
    expect(written(attending(10000))).toEqual([plain, plain, product, 'rope 1', 'rope 1', ...attentions])
    expect(written(attending(0, 24))).toEqual([plain, plain, plain, 'attention 0', 'attentionGrad 0'])
  })

  it.each(nativeVariants())('change no bit on %s', async (isa) => {
    const executor = nativeExecutor({ isa, precision: 'bf16', threads: 1 })
    const run = async (program: Program, width = 32) =>
      (await runProgram(executor, program, runOf(program, width))).sums
    const [halves, floats] = [await run(looped(32)), await run(looped(32, (x) => output('last', x)))]
    expect(Object.keys(halves)).toContain('grad:up')
    expect(halves).toEqual(floats)
    for (const width of [32, 64]) {
      const kept = attending(0, width, (all) => {
        for (const [i, x] of all.entries()) output(`operand${i}`, x)
      })
      expect(await run(attending(0, width), width)).toEqual(await run(kept, width))
    }
  })

  it('are as good where sequences are short and lie side by side', async () => {
    const executor = nativeExecutor({ precision: 'bf16', threads: 1 })
    const short = (also?: true) => {
      let loss!: Tensor
      const graph = trace('short', () => {
        const hidden = unary('gelu', matmul(input('x', [4, 32]), parameter('up', [32, 64])))
        if (also) output('hidden', hidden)
        const y = matmul(hidden, parameter('down', [64, 32]))
        loss = sum(mul(y, y))
      })
      return compileTraining(graph, loss).main
    }
    const run = (program: Program) =>
      runProgram(executor, program, {
        count: 19,
        parameters: Object.fromEntries(program.parameters.map((p) => [p.name, values(p)])),
        inputs: { x: values({ shape: [19, 4, 32], name: 'x' }) },
      })
    expect(schedule(short())[0]).toContain('16 side by side')
    expect(schedule(short()).join()).toMatch(/matmul .* → –, bf16/)
    expect((await run(short())).sums).toEqual((await run(short(true))).sums)
  })
})
