import type { Instruction } from '../../compile/program.ts'
import { LatheError } from '../../settings/error.ts'
import { sizeOf, type TensorType } from '../../tensor/type.ts'
import { elementwiseOps } from './elementwise.ts'
import type { KernelStep, Target } from './steps.ts'

/** What a kernel's choice may ask of the lowering. */
export interface Lowerer {
  type(value: number): TensorType
  target(value: number): Target
  /** Whether all sequences read the same: a parameter, or the index of a loop. */
  shared(value: number): boolean
  pack(value: number, K: number, N: number, rowStep: number, columnStep: number): number
}

type Choose = (instruction: Instruction, lowerer: Lowerer) => Partial<KernelStep>

/** Rows and columns of a tensor seen as a matrix; a vector is one row. */
const matrix = ({ shape }: TensorType): [rows: number, columns: number] => {
  const columns = shape.at(-1) ?? 1
  return [sizeOf(shape) / columns, columns]
}

/** `weights`: the value that holds those that are kept. */
const attention = (
  { inputs, attributes: a }: Instruction,
  { type }: Lowerer,
  weights: number | undefined,
): Partial<KernelStep> => {
  const optional = ['start', 'segments', 'turnsQ', 'turnsK']
  const from = inputs.length - optional.filter((name) => a[name]).length
  let next = from
  const extra = optional.map((name) => (a[name] ? inputs[next++] : undefined))
  const [q, k, v] = inputs.map(type)
  const H = a.nHeads as number
  const ldWeights = weights === undefined ? 0 : type(weights).shape[2] - 1
  return {
    reads: [...inputs.slice(0, from), ...extra],
    integers: [q.shape[0], k.shape[0], H, q.shape[1] / H, v.shape[1] / H, Number(a.causal), ldWeights],
    reals: [a.scale as number],
  }
}

const adds = (target: Target): boolean => target !== undefined && 'sum' in target
const addsOnly = (target: Target): boolean => target === undefined || adds(target)

/** Copies a window: rows, columns, source and destination row length, source and destination offset. */
const window = (rows: number, columns: number, ...rest: [from: number, to: number, fromAt: number, toAt: number]) => [
  rows,
  columns,
  ...rest,
]

/** Of a product alone; those of a pass that follows it come after them. */
const MATMUL_INTEGERS = 8

/** What a call computes, for people, and how many FLOPs of matrix products one sequence takes in a product alone. */
export function describeKernel({ kernel, integers }: KernelStep): { detail: string; flops: number } {
  if (kernel === 'elementwise') return { detail: elementwiseOps(integers, 2).join(' '), flops: 0 }
  if (kernel !== 'matmul') return { detail: '', flops: 0 }
  const [M, N, K] = integers
  const then = integers.length > MATMUL_INTEGERS ? `, ${elementwiseOps(integers, MATMUL_INTEGERS).join(' ')}` : ''
  return { detail: `${M} × ${K} × ${N}${then}`, flops: 2 * M * N * K }
}

const choices: Readonly<Record<string, Choose>> = {
  fill: ({ outputs: [y], attributes }, { type }) => ({
    integers: [sizeOf(type(y).shape)],
    reals: [attributes.value as number],
    rows: 0,
  }),
  matmul({ inputs: [a, b, ...addend], outputs: [c], attributes }, { type, pack, shared, target }) {
    const { transposeA, transposeB } = attributes
    const [M, N] = type(c).shape
    const K = type(a).shape[transposeA ? 0 : 1]
    const [aRow, aColumn] = transposeA ? [1, M] : [K, 1]
    const [bRow, bColumn] = transposeB ? [1, K] : [N, 1]
    const ofRows = !transposeA && ![a, ...addend].some(shared) && shared(b) && !adds(target(c))
    const overRows = transposeA && !transposeB && !shared(a) && !shared(b) && adds(target(c))
    return {
      integers: [M, N, K, aRow, aColumn, bRow, bColumn, pack(b, K, N, bRow, bColumn)],
      rows: ofRows ? 0 : overRows ? 2 : undefined,
    }
  },
  attention: (instruction, lowerer) => attention(instruction, lowerer, instruction.outputs[2]),
  attentionGrad: (instruction, lowerer) =>
    attention(instruction, lowerer, instruction.attributes.kept ? instruction.inputs[4] : undefined),
  ropeTable: ({ inputs, attributes: { base, rows, half, start, positions } }) => ({
    reads: [start ? inputs[0] : undefined, positions ? inputs.at(-1) : undefined],
    integers: [rows as number, half as number],
    reals: [base as number],
  }),
  rope: ({ inputs: [x], attributes: { nHeads, back } }, { type }) => {
    const [T, width] = type(x).shape
    return { integers: [T, nHeads as number, width / (nHeads as number), back ? -1 : 1] }
  },
  norm: ({ inputs: [x, ...vectors], attributes }, { type, shared }) => ({
    reads: [x, vectors[0], vectors[1]],
    integers: [...matrix(type(x)), Number(attributes.kind === 'layer')],
    reals: [attributes.eps as number],
    rows: !shared(x) && vectors.every(shared) ? 0 : undefined,
  }),
  normGrad({ inputs: [x, gain, ...each], outputs: [, ...vectors], attributes }, { type, shared, target }) {
    const ofRows = shared(gain) && ![x, ...each].some(shared) && vectors.every((v) => addsOnly(target(v)))
    return {
      integers: [...matrix(type(x)), Number(attributes.kind === 'layer')],
      reals: [attributes.eps as number],
      rows: ofRows ? 0 : undefined,
    }
  },
  softmax: ({ inputs: [x] }, { type, shared }) => ({ integers: matrix(type(x)), rows: shared(x) ? undefined : 0 }),
  linearCrossEntropy({ inputs: [x, w, targets] }, { type, pack, shared }) {
    const [[T, d], [V]] = [type(x).shape, type(w).shape]
    const rows = !shared(x) && shared(w) && !shared(targets) ? 0 : undefined
    return { integers: [T, d, V, pack(w, d, V, 1, d)], rows }
  },
  linearCrossEntropyGrad({ inputs: [x, w, ...each], outputs: [, dw] }, { type, pack, shared, target }) {
    const [[T, d], [V]] = [type(x).shape, type(w).shape]
    const rows = shared(w) && ![x, ...each].some(shared) && addsOnly(target(dw)) ? 0 : undefined
    return { integers: [T, d, V, pack(w, d, V, 1, d), pack(w, V, d, d, 1)], rows }
  },
  embed: ({ inputs: [table, ids] }, { type, shared }) => ({
    integers: [type(ids).shape[0], ...type(table).shape],
    rows: shared(table) && !shared(ids) ? 0 : undefined,
  }),
  embedGrad: ({ inputs: [ids, ct], outputs: [dtable], attributes }, { type, shared, target }) => ({
    integers: [type(ids).shape[0], attributes.vocabulary as number, type(ct).shape[1]],
    rows: !shared(ids) && !shared(ct) && adds(target(dtable)) ? 0 : undefined,
  }),
  sumTo({ inputs: [x], outputs: [y] }, { type, shared, target }) {
    const [rows, columns] = matrix(type(x))
    const [rowsLeft, columnsLeft] = matrix(type(y))
    const stacks = !shared(x) && rowsLeft > 1 !== adds(target(y))
    return { integers: [rows, columns, Number(rowsLeft > 1), Number(columnsLeft > 1)], rows: stacks ? 0 : undefined }
  },
  slice({ inputs: [x], outputs: [y], attributes: { axis, start } }, { type }) {
    const [[, from], [rows, columns]] = [type(x).shape, type(y).shape]
    return {
      kernel: 'copy',
      integers: window(rows, columns, from, columns, (start as number) * (axis === 0 ? from : 1), 0),
    }
  },
  pad({ inputs: [x], outputs: [y], attributes: { axis, start } }, { type }) {
    const [[rows, columns], [, to]] = [type(x).shape, type(y).shape]
    const at = (start as number) * (axis === 0 ? to : 1)
    return { kernel: 'pad', integers: [sizeOf(type(y).shape), ...window(rows, columns, columns, to, 0, at)] }
  },
  shift({ inputs: [x], attributes: { by } }, { type }) {
    const [T, d] = type(x).shape
    const n = by as number
    const rows = Math.max(0, T - Math.abs(n))
    return {
      kernel: 'pad',
      integers: [
        T * d,
        ...window(rows, d, d, d, Math.max(0, -n) * d * Number(rows > 0), Math.max(0, n) * d * Number(rows > 0)),
      ],
    }
  },
  concat({ inputs, outputs: [y], attributes: { axis } }, { type }) {
    const to = type(y).shape[1]
    let at = 0
    const windows = inputs.map((v) => {
      const [rows, columns] = type(v).shape
      const part = window(rows, columns, columns, to, 0, at)
      at += axis === 0 ? rows * to : columns
      return part
    })
    return { integers: [inputs.length, ...windows.flat()] }
  },
  transpose: ({ inputs: [x] }, { type }) => ({ integers: [...type(x).shape] }),
  takeRow: ({ outputs: [y] }, { type }) => ({ integers: [sizeOf(type(y).shape)] }),
  putRow: ({ inputs: [x], outputs: [y] }, { type }) => ({ integers: [sizeOf(type(x).shape), sizeOf(type(y).shape)] }),
  append: ({ inputs: [slots, , rows] }, { type }) => ({
    integers: [type(slots).shape[1], type(slots).shape[2], type(rows).shape[0]],
  }),
}

/** The native kernel of one instruction. */
export function kernelStep(instruction: Instruction, lowerer: Lowerer): KernelStep {
  const { op, inputs, outputs } = instruction
  const choose = choices[op]
  if (!choose) throw new LatheError(`the native executor has no kernel for ${op}`)
  const writes = outputs.map((v) => lowerer.target(v))
  return { kernel: op, reads: inputs, writes, integers: [], reals: [], ...choose(instruction, lowerer) }
}
