/**
 * The closed op set: what a Program is made of. One file is one op's whole room.
 * @module
 */
import { appendOp } from './append.ts'
import { addOp, divOp, mulOp, subOp } from './arithmetic.ts'
import { attentionGradOp, attentionOp } from './attention.ts'
import { linearCrossEntropyGradOp, linearCrossEntropyOp } from './cross-entropy.ts'
import { embedGradOp, embedOp } from './embed.ts'
import { fillOp } from './fill.ts'
import { matmulOp } from './matmul.ts'
import { normGradOp, normOp } from './norm.ts'
import type { Op } from './op.ts'
import { broadcastToOp, sumToOp } from './reduce.ts'
import { ropeOp, ropeTableOp } from './rope.ts'
import { concatOp, padOp, reshapeOp, shiftOp, sliceOp, transposeOp } from './shape.ts'
import { softmaxOp } from './softmax.ts'
import { stopGradientOp } from './stop-gradient.ts'
import { putRowOp, takeRowOp } from './take-row.ts'
import { unaryOps } from './unary.ts'
import { whereOp } from './where.ts'

/** Every op but `repeat` and `accumulate`, which are structure, by name. */
export const ops: ReadonlyMap<string, Op> = new Map(
  [
    addOp,
    subOp,
    mulOp,
    divOp,
    ...unaryOps,
    whereOp,
    fillOp,
    sumToOp,
    broadcastToOp,
    matmulOp,
    attentionOp,
    attentionGradOp,
    ropeTableOp,
    ropeOp,
    normOp,
    normGradOp,
    softmaxOp,
    embedOp,
    embedGradOp,
    linearCrossEntropyOp,
    linearCrossEntropyGradOp,
    sliceOp,
    padOp,
    concatOp,
    shiftOp,
    transposeOp,
    reshapeOp,
    stopGradientOp,
    takeRowOp,
    putRowOp,
    appendOp,
  ].map((op) => [op.name, op]),
)

export { append } from './append.ts'
export { add, div, mul, sub } from './arithmetic.ts'
export { type AttentionOptions, attention } from './attention.ts'
export { linearCrossEntropy } from './cross-entropy.ts'
export { embed } from './embed.ts'
export { fill } from './fill.ts'
export type { Tensors } from './loop.ts'
export { matmul } from './matmul.ts'
export { type NormKind, norm } from './norm.ts'
export { apply, type KernelContext, type Op } from './op.ts'
export { broadcastTo, sum, sumRows, sumTo } from './reduce.ts'
export { type RepeatOptions, repeat } from './repeat.ts'
export { type RopeOptions, rope } from './rope.ts'
export { concat, reshape, shift, slice, transpose } from './shape.ts'
export { softmax } from './softmax.ts'
export { stopGradient } from './stop-gradient.ts'
export { takeRow } from './take-row.ts'
export { type UnaryName, unary } from './unary.ts'
export { where } from './where.ts'
