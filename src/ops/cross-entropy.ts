import type { Tensor } from '../graph/graph.ts'
import { sameShape, type TensorType, type Values } from '../tensor/type.ts'
import { apply, type KernelContext, type Op, shapeError } from './op.ts'

function checkCrossEntropy(inputs: readonly TensorType[]): void {
  const [x, w, targets] = inputs
  const fits =
    [x, w].every((t) => t.shape.length === 2 && t.dtype === 'f32') &&
    x.shape[1] === w.shape[1] &&
    targets.dtype === 'i32' &&
    sameShape(targets.shape, [x.shape[0]])
  if (!fits) throw shapeError('linearCrossEntropy', inputs, 'x f32[T, d], w f32[V, d] and targets i32[T]')
}

/** Logits of row t, in f64. */
function logitsOf(x: Float32Array, w: Float32Array, t: number, d: number, out: Float64Array): void {
  for (let v = 0; v < out.length; v++) {
    let dot = 0
    for (let i = 0; i < d; i++) dot += x[t * d + i] * w[v * d + i]
    out[v] = dot
  }
}

export const linearCrossEntropyOp: Op = {
  name: 'linearCrossEntropy',
  infer(inputs) {
    checkCrossEntropy(inputs)
    const shape = [inputs[0].shape[0]]
    return [
      { shape, dtype: 'f32' },
      { shape, dtype: 'i32' },
      { shape, dtype: 'f32' },
    ]
  },
  vjp({ inputs: [x, w, targets], outputs: [, , lse], cotangents: [ct] }) {
    return [...apply(linearCrossEntropyGradOp, [x, w, targets, lse, ct!]), undefined]
  },
  flops: ([x, w]) => 2 * x.shape[0] * x.shape[1] * w.shape[0],
  kernel([x, w, targets], [losses, predictions, lse], _, context) {
    const [T, d] = x.shape
    const [xs, ws] = [context.operand(x.data), context.operand(w.data)]
    const logits = new Float64Array(w.shape[0])
    for (let t = 0; t < T; t++) {
      logitsOf(xs, ws, t, d, logits)
      let best = 0
      for (let v = 1; v < logits.length; v++) if (logits[v] > logits[best]) best = v
      const total = logits.reduce((sum, z) => sum + Math.exp(z - logits[best]), 0)
      lse.data[t] = logits[best] + Math.log(total)
      predictions.data[t] = best
      if (targets.data[t] >= 0) losses.data[t] = logits[best] + Math.log(total) - logits[targets.data[t]]
    }
  },
}

export const linearCrossEntropyGradOp: Op = {
  name: 'linearCrossEntropyGrad',
  infer: ([x, w]) => [x, w],
  flops: (inputs, attributes) => 2 * linearCrossEntropyOp.flops!(inputs, attributes),
  kernel([x, w, targets, lse, ct]: readonly Values[], [dx, dw], _, context: KernelContext) {
    const [T, d] = x.shape
    const V = w.shape[0]
    const [xs, ws] = [context.operand(x.data), context.operand(w.data)]
    const logits = new Float64Array(V)
    const weightSum = new Float64Array(dw.data.length)
    for (let t = 0; t < T; t++) {
      const target = targets.data[t]
      if (target < 0) continue
      logitsOf(xs, ws, t, d, logits)
      const dlogits = Float32Array.from(
        logits,
        (z, v) => ct.data[t] * (Math.exp(z - lse.data[t]) - (v === target ? 1 : 0)),
      )
      const operand = context.operand(dlogits)
      for (let i = 0; i < d; i++) {
        let sum = 0
        for (let v = 0; v < V; v++) {
          sum += operand[v] * ws[v * d + i]
          weightSum[v * d + i] += operand[v] * xs[t * d + i]
        }
        dx.data[t * d + i] = sum
      }
    }
    dw.data.set(weightSum)
  },
}

/**
 * Cross-entropy of softmax(x wᵀ) in nats, without holding all logits: x `[T, d]`, w `[V, d]`, targets i32`[T]`
 * (a negative target has loss 0 and no gradient). `predictions` is the arg-max, the lowest id on ties.
 */
export function linearCrossEntropy(x: Tensor, w: Tensor, targets: Tensor): { losses: Tensor; predictions: Tensor } {
  const [losses, predictions] = apply(linearCrossEntropyOp, [x, w, targets])
  return { losses, predictions }
}
