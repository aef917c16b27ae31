/**
 * A model of quite another kind, to see that the engine is not made for one net: a state that is refined in a loop by
 * reading a gated memory bank and by linear attention, with the input added in every iteration and a loss after each.
 * T positions, d width, M slots of the memory, V vocabulary.
 */
import { compileTraining, type TrainingPrograms } from '../compile/index.ts'
import { input, parameter, type Tensor, trace } from '../graph/index.ts'
import { initialStore, type ParameterStore } from '../model/parameters.ts'
import { linear, normalize } from '../nn/index.ts'
import {
  add,
  attention,
  div,
  embed,
  linearCrossEntropy,
  matmul,
  mul,
  repeat,
  sum,
  sumRows,
  sumTo,
  transpose,
  unary,
} from '../ops/index.ts'
import type { NamedModel } from './named-model.ts'

export interface MemorySizes {
  readonly dModel: number
  readonly nHeads: number
  readonly dFf: number
  readonly slots: number
  readonly loops: number
  readonly length: number
  readonly batch: number
  readonly vocabulary: number
}

export function memoryModel(name: string, sizes: MemorySizes): NamedModel {
  const { length, batch, vocabulary } = sizes
  return {
    name,
    length,
    batch,
    vocabulary,
    programs: () => programs(sizes),
    parameters: (seed) => initialStore(shapes(sizes), seed),
  }
}

const norm = (name: string, x: Tensor): Tensor => normalize(name, x, { norm: 'rms', normEps: 1e-5, bias: false })

/** Mixes all positions in time linear in T (Katharopoulos et al. 2020, eq. 4), with exp as the feature map: x `[T, d]`. */
function linearAttention(name: string, x_TD: Tensor, d: number): Tensor {
  const feature = (part: string) => unary('exp', mul(linear(`${name}.${part}`, x_TD, d), 0.5))
  const [query_TD, key_TD] = [feature('q'), feature('k')]
  const state_DD = matmul(transpose(key_TD), linear(`${name}.v`, x_TD, d))
  const divisor_T1 = sumRows(mul(query_TD, sumTo(key_TD, [1, d])))
  return div(matmul(query_TD, state_DD), divisor_T1)
}

/** The mean loss over the iterations, of one sequence. */
function loss({ dModel: d, nHeads, dFf, slots, loops, length, vocabulary }: MemorySizes): Tensor {
  const [tokens_T, targets_T] = [input('tokens', [length], 'i32'), input('targets', [length], 'i32')]
  const weights_T = input('lossWeights', [length])
  const input_TD = embed(parameter('model.embed_tokens.weight', [vocabulary, d]), tokens_T)
  const memory_MD = parameter('memory.slots', [slots, d])
  const head_VD = parameter('lm_head.weight', [vocabulary, d])
  const { collected } = repeat({ count: loops, carry: { x_TD: input_TD } }, ({ x_TD }) => {
    const h_TD = norm('norm', add(x_TD, input_TD))
    const keys_MD = linear('memory.k', norm('memory.norm', memory_MD), d)
    const read_TD = attention(linear('memory.q', h_TD, d), keys_MD, linear('memory.v', memory_MD, d), {
      nHeads,
      causal: false,
    })
    const gated_TD = mul(unary('sigmoid', linear('memory.gate', h_TD, d)), read_TD)
    const y_TD = add(add(x_TD, gated_TD), linearAttention('mixer', h_TD, d))
    const inner_TF = unary('gelu', linear('mlp.up', norm('mlp.norm', y_TD), dFf))
    const next_TD = add(y_TD, linear('mlp.down', inner_TF, d))
    const { losses } = linearCrossEntropy(norm('model.norm', next_TD), head_VD, targets_T)
    return { carry: { x_TD: next_TD }, collect: { loss: sum(mul(losses, weights_T)) } }
  })
  return div(sum(collected.loss), loops)
}

function programs(sizes: MemorySizes): TrainingPrograms {
  let total!: Tensor
  const graph = trace('memory model', () => {
    total = loss(sizes)
  })
  return compileTraining(graph, total)
}

function shapes(sizes: MemorySizes): ParameterStore['shapes'] {
  const graph = trace('parameters', () => {
    loss(sizes)
  })
  const parameters = [...graph.sources].filter(([, tensor]) => tensor.node.op === 'parameter')
  return Object.fromEntries(parameters.map(([name, { shape }]) => [name, shape]))
}
