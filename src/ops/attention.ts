/**
 * Multi-head attention over one sequence.
 * Shapes: T queries, S keys, H heads, K key width, V value width.
 */
import { type Attributes, addOutput, type Tensor } from '../graph/graph.ts'
import { sameShape, type TensorType, type Values } from '../tensor/type.ts'
import { apply, type KernelContext, type Op, shapeError } from './op.ts'
import { rope } from './rope.ts'

export interface AttentionOptions {
  readonly nHeads: number
  /** Query i sees key j only when j ≤ start + i. Default true. */
  readonly causal?: boolean
  /** Factor on the scores. Default 1/√K. */
  readonly scale?: number
  /** Queries and keys are turned to their positions first, by `rope` of this base; 0 or absent: not. */
  readonly ropeBase?: number
  /** i32 scalar: query 0 stands at this row of the keys (decoding). Keys from row start + T on are not seen. */
  readonly start?: Tensor
  /** i32`[S]`: RoPE position of each key row. Default: the row. */
  readonly positions?: Tensor
  /** i32`[S]`: a query sees only keys of its own segment (packing, padding). */
  readonly segments?: Tensor
}

const optional = ['start', 'segments'] as const

function dimensions([q, k, v]: readonly TensorType[], { nHeads }: Attributes) {
  const H = nHeads as number
  return { T: q.shape[0], S: k.shape[0], H, K: q.shape[1] / H, V: v.shape[1] / H }
}

function checkAttention(
  inputs: readonly TensorType[],
  attributes: Attributes,
  given: readonly string[] = optional.filter((name) => attributes[name]),
): void {
  const [q, k, v, ...extra] = inputs
  const { T, S, H } = dimensions(inputs, attributes)
  const fits =
    [q, k, v].every((t) => t.shape.length === 2 && t.dtype === 'f32' && t.shape[1] % H === 0) &&
    q.shape[1] === k.shape[1] &&
    v.shape[0] === S &&
    given.every((name, i) => extra[i].dtype === 'i32' && sameShape(extra[i].shape, name === 'start' ? [] : [S])) &&
    (given.length === 0 || T <= S) &&
    (attributes.start || !attributes.causal || T === S)
  if (fits) return
  const operands = `q [T, H·K], k [S, H·K], v [S, H·V] with H = ${H}, T = S when causal`
  const rest = given.length
    ? `; i32 ${given.map((name) => `${name} [${name === 'start' ? '' : 'S'}]`).join(', ')}, T ≤ S`
    : ''
  throw shapeError('attention', inputs, operands + rest)
}

/** The optional i32 inputs that follow the first `from` ones, by name. */
function options(inputs: readonly Values[], from: number, attributes: Attributes) {
  let next = from
  const [start, segments] = optional.map((name) => (attributes[name] ? inputs[next++].data : undefined))
  return { start: start ? start[0] : 0, segments }
}

/** What forward and backward share: rounded operands, and which keys a query sees. */
function prepare(inputs: readonly Values[], from: number, attributes: Attributes, context: KernelContext) {
  const [q, k, v] = inputs
  const size = dimensions(inputs, attributes)
  const { start, segments } = options(inputs, from, attributes)
  const end = attributes.start ? start + size.T : size.S
  const sees = (i: number, j: number) =>
    j < end && (!attributes.causal || j <= start + i) && (!segments || segments[start + i] === segments[j])
  return {
    ...size,
    scale: attributes.scale as number,
    sees,
    q: context.operand(q.data),
    k: context.operand(k.data),
    v: context.operand(v.data),
  }
}

type Prepared = ReturnType<typeof prepare>

/** Scaled scores of query i in head h; −∞ where it does not see. */
function scores({ S, H, K, q, k, scale, sees }: Prepared, h: number, i: number, out: Float64Array): void {
  for (let j = 0; j < S; j++) {
    let dot = 0
    for (let c = 0; c < K; c++) dot += q[(i * H + h) * K + c] * k[(j * H + h) * K + c]
    out[j] = sees(i, j) ? scale * dot : Number.NEGATIVE_INFINITY
  }
}

/** Up to so many bytes of weights of a call are kept for its gradient; more are computed again. Ours. */
const KEPT_BYTES = 8 * 2 ** 20

/**
 * Weights that the gradient reads, as operands of products: rounded in bf16, and the derivative of the scores takes them so, too (ours).
 * They are exponentials, and 1 / their sum stands beside them: only what is weighed is divided. Rows of S are filled up to
 * 16s for kernels' sake. How an executor lays them out in that room is its own affair.
 */
const weightsType = (T: number, S: number, H: number): TensorType => ({
  shape: [H, T, Math.ceil(S / 16) * 16 + 1],
  dtype: 'f32',
})

const rowOf = ({ data, shape }: Values, i: number): Float32Array =>
  (data as Float32Array).subarray(i * shape[2], (i + 1) * shape[2])

/** Outputs: the mixed values, the log-sum-exp of each row of scores and, where the gradient asks for them, the weights. */
export const attentionOp: Op = {
  name: 'attention',
  infer(inputs, attributes) {
    checkAttention(inputs, attributes)
    const { T, H, V } = dimensions(inputs, attributes)
    return [
      { shape: [T, H * V], dtype: 'f32' },
      { shape: [H, T], dtype: 'f32' },
    ]
  },
  vjp({ inputs, outputs, cotangents: [ct], attributes }) {
    const [q, k, v, ...extra] = inputs
    const { T, S, H } = dimensions(inputs, attributes)
    const [out, lse] = outputs
    const kept = 4 * T * S * H <= KEPT_BYTES
    const known = kept ? (outputs[2] ?? addOutput(out.node, weightsType(T, S, H))) : lse
    const grads = apply(attentionGradOp, [q, k, v, out, known, ct!, ...extra], { ...attributes, kept })
    return [...grads, ...extra.map(() => undefined)]
  },
  flops(inputs, attributes) {
    const { T, S, H, K, V } = dimensions(inputs, attributes)
    return (2 * T * S * H * (K + V)) / (attributes.causal && T === S ? 2 : 1)
  },
  kernel(inputs, [out, lse, kept], attributes, context) {
    const p = prepare(inputs, 3, attributes, context)
    const { T, S, H, V } = p
    const row = new Float64Array(S)
    for (let h = 0; h < H; h++)
      for (let i = 0; i < T; i++) {
        scores(p, h, i, row)
        const most = row.reduce((a, b) => Math.max(a, b))
        let total = 0
        for (let j = 0; j < S; j++) total += row[j] = Math.exp(row[j] - most)
        lse.data[h * T + i] = most + Math.log(total)
        const weights = context.operand(Float32Array.from(row))
        if (kept) {
          const line = rowOf(kept, h * T + i)
          line.set(weights)
          line[line.length - 1] = 1 / total
        }
        for (let c = 0; c < V; c++) {
          let sum = 0
          for (let j = 0; j < S; j++) if (row[j] !== 0) sum += weights[j] * p.v[(j * H + h) * V + c]
          out.data[(i * H + h) * V + c] = sum / total
        }
      }
  },
}

/**
 * Inputs: q, k, v, the mixed values, in bf16 rounded as operands of products are (ours), the weights (where `kept`) or the
 * log-sum-exps, and the cotangent of the mixed values.
 */
export const attentionGradOp: Op = {
  name: 'attentionGrad',
  infer: ([q, k, v]) => [q, k, v],
  flops: (inputs, attributes) => 2 * attentionOp.flops!(inputs, attributes),
  kernel(inputs, [dq, dk, dv], attributes, context) {
    const p = prepare(inputs, 6, attributes, context)
    const { T, S, H, K, V, scale } = p
    const [, , , { data: unrounded }, known, dout] = inputs
    const out = context.operand(unrounded)
    const row = new Float64Array(S)
    const weightsOf = (h: number, i: number): [weights: Float32Array, share: number] => {
      const at = h * T + i
      if (attributes.kept) {
        const line = rowOf(known, at)
        return [line.subarray(0, S), line[line.length - 1]]
      }
      scores(p, h, i, row)
      return [context.operand(Float32Array.from(row, (s) => Math.exp(s - known.data[at]))), 1]
    }
    const [querySum, keySum, valueSum] = [dq, dk, dv].map(({ data }) => new Float64Array(data.length))
    for (let h = 0; h < H; h++)
      for (let i = 0; i < T; i++) {
        const [weights, share] = weightsOf(h, i)
        const at = (i * H + h) * V
        const dvalues = Float32Array.from(dout.data.subarray(at, at + V), (ct) => ct * share)
        const delta = dvalues.reduce((sum, ct, c) => sum + out[at + c] * ct, 0)
        const dvaluesOperand = context.operand(dvalues)
        const dscores = new Float32Array(S)
        for (let j = 0; j < S; j++) {
          let dweight = 0
          for (let c = 0; c < V; c++) dweight += dvaluesOperand[c] * p.v[(j * H + h) * V + c]
          dscores[j] = weights[j] * (dweight - delta) * scale
        }
        const ds = context.operand(dscores)
        for (let j = 0; j < S; j++) {
          if (!p.sees(i, j)) continue
          for (let c = 0; c < K; c++) {
            const [iq, jk] = [(i * H + h) * K + c, (j * H + h) * K + c]
            querySum[iq] += ds[j] * p.k[jk]
            keySum[jk] += ds[j] * p.q[iq]
          }
          for (let c = 0; c < V; c++) valueSum[(j * H + h) * V + c] += weights[j] * dvaluesOperand[c]
        }
      }
    dq.data.set(querySum)
    dk.data.set(keySum)
    dv.data.set(valueSum)
  },
}

/** softmax(scale · Q Kᵀ + mask) V per head (Vaswani et al. 2017): q `[T, H·K]`, k `[S, H·K]`, v `[S, H·V]` → `[T, H·V]`. */
export function attention(q: Tensor, k: Tensor, v: Tensor, o: AttentionOptions): Tensor {
  const H = o.nHeads
  const given = optional.filter((name) => o[name])
  const attributes = {
    nHeads: H,
    causal: o.causal ?? true,
    scale: o.scale ?? 1 / Math.sqrt(q.shape[1] / H),
    ...Object.fromEntries(given.map((name) => [name, true])),
  }
  const named = (['start', 'positions', 'segments'] as const).filter((name) => o[name])
  checkAttention([q, k, v, ...named.map((name) => o[name]!)], attributes, named)
  const turn = (x: Tensor, start?: Tensor) =>
    o.ropeBase ? rope(x, { nHeads: H, base: o.ropeBase, positions: o.positions, start }) : x
  return apply(attentionOp, [turn(q, o.start), turn(k), v, ...given.map((name) => o[name]!)], attributes)[0]
}
