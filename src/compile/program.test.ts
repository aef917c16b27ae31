import { describe, expect, it } from 'vitest'
import { accumulate, input, output, parameter, state, type Tensor, trace } from '../graph/graph.ts'
import { type ModelSettings, modelConfig } from '../model/config.ts'
import { logitsPrograms, trainingPrograms } from '../model/programs.ts'
import { add, append, matmul, mul, repeat, sum, unary } from '../ops/index.ts'
import { forwardFlopsPerToken, LoopPlan, trainingFlopsPerToken } from '../plan/index.ts'
import { compileForward, compileTraining, printProgram, programFlops } from './index.ts'

describe('printProgram', () => {
  it('prints a loop as one instruction, forward and back', () => {
    let loss!: Tensor
    const graph = trace('toy', () => {
      const w = parameter('w', [3, 3])
      const { carry } = repeat({ count: 4, carry: { x: input('x', [2, 3]) } }, ({ x }) => ({
        carry: { x: add(x, unary('tanh', matmul(x, w))) },
      }))
      loss = sum(unary('square', carry.x))
    })
    expect(printProgram(compileTraining(graph, loss).main)).toMatchInlineSnapshot(`
      "program toy {
        parameter %0 f32[3, 3] w
        input %1 f32[2, 3] x
        %7 f32[2, 3], %8 f32[4, 2, 3], %9 f32[4, 2, 3] = repeat(%1) {count: 4} with index %2; carry %3 {
          %4 f32[2, 3] = matmul(%3, %0)
          %5 f32[2, 3] = tanh(%4)
          %6 f32[2, 3] = add(%3, %5)
          next %6; collect %5, %3
        }
        %10 f32[2, 3] = square(%7)
        %11 f32[] = sumTo(%10) {shape: []}
        accumulate(%11) {name: "loss"}
        %12 f32[] = fill() {shape: [], value: 1}
        %13 f32[2, 3] = broadcastTo(%12) {shape: [2,3]}
        %14 f32[] = fill() {shape: [], value: 2}
        %15 f32[2, 3] = mul(%7, %14)
        %16 f32[2, 3] = mul(%13, %15)
        %27 f32[2, 3] = repeat(%16, %8, %9) {count: 4, reverse: true} with index %17; carry %18; slices %19, %20 {
          %21 f32[2, 3] = square(%19)
          %22 f32[2, 3] = sub(%12, %21)
          %23 f32[2, 3] = mul(%18, %22)
          %24 f32[2, 3] = matmul(%23, %0) {transposeB: true}
          %25 f32[3, 3] = matmul(%20, %23) {transposeA: true}
          %26 f32[2, 3] = add(%18, %24)
          accumulate(%25) {name: "grad:w"}
          next %26
        }
        sum f32[] loss
        sum f32[3, 3] grad:w
      }"
    `)
  })

  it('prints states, outputs, several stacks and numbers of runs', () => {
    const graph = trace('decode', () => {
      const [x, at, runs] = [input('x', [1, 2]), input('at', [], 'i32'), input('runs', [], 'i32')]
      const { carry, collected } = repeat(
        { count: 2, carry: { x }, scan: { s: input('s', [2, 2]) }, runs },
        (c, { index, slices }) => {
          const y = mul(c.x, slices.s)
          append(state('kv', [2, 8, 2]), index, y, at)
          return { carry: { x: y }, collect: { y } }
        },
      )
      output('last', add(carry.x, Number.NEGATIVE_INFINITY))
      output('all', collected.y)
      accumulate('total', x)
    })
    expect(printProgram(compileForward(graph).main)).toMatchInlineSnapshot(`
      "program decode {
        input %0 f32[1, 2] x
        input %1 f32[2, 2] s
        input %2 i32[] runs
        input %3 i32[] at
        state %4 f32[2, 8, 2] kv
        %10 f32[1, 2], %11 f32[2, 1, 2] = repeat(%0, %1, %2) {count: 2, bounded: true} with index %5; carry %6; slices %7 {
          %8 f32[1, 2] = mul(%6, %7)
          %9 f32[8, 2] = append(%4, %5, %8, %3)
          next %8; collect %8
        }
        %12 f32[] = fill() {shape: [], value: -Infinity}
        %13 f32[1, 2] = add(%10, %12)
        accumulate(%0) {name: "total"}
        output %13 f32[1, 2] last
        output %11 f32[2, 1, 2] all
        sum f32[1, 2] total
      }"
    `)
  })
})

describe('programFlops', () => {
  const models: [string, Partial<ModelSettings>][] = [
    ['1', {}],
    ['3', {}],
    ['1x4', {}],
    ['2x3', {}],
    ['1,2x3,1', {}],
    ['1x1', {}],
    ['2,1x2,2x2', { activation: 'swiglu', dHeadValue: 5, dHead: 3, nHeads: 3 }],
    ['2x2', { attention: 'bidirectional', norm: 'layer', bias: true }],
    ['1x2', { tiedHead: true, norm: 'none', finalNorm: false, positions: 'learned' }],
  ]

  it.each(models)("of the model %s %o are the plan's", (text, settings) => {
    const config = modelConfig({ plan: text, dModel: 12, nHeads: 2, vocabulary: 11, maxLength: 16, ...settings })
    const plan = LoopPlan.parse(text)
    const shape = { ...config, gated: config.activation === 'swiglu' }
    const options = { length: 7, causal: config.attention === 'causal' }
    const { main, derive } = trainingPrograms(config, 7)
    expect(derive ? programFlops(derive) : 0).toBe(0)
    expect(programFlops(main)).toBe(7 * trainingFlopsPerToken(plan, shape, options))
    expect(programFlops(logitsPrograms(config, 7).main)).toBe(7 * forwardFlopsPerToken(plan, shape, options))
  })

  it('counts matrix products alone', () => {
    const graph = trace('t', () => output('y', unary('exp', add(input('x', [100]), 1))))
    expect(programFlops(compileForward(graph).main)).toBe(0)
  })
})
