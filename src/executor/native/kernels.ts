import type { Instruction } from '../../compile/program.ts'
import { LatheError } from '../../settings/error.ts'
import { sizeOf, type TensorType } from '../../tensor/type.ts'
import type { KernelStep, Target } from './steps.ts'

/** What a kernel's choice may ask of the lowering. */
export interface Lowerer {
  type(value: number): TensorType
  target(value: number): Target
  pack(value: number, K: number, N: number, rowStep: number, columnStep: number): number
}

type Choose = (instruction: Instruction, lowerer: Lowerer) => Partial<KernelStep>

/** Rows and columns of a tensor seen as a matrix; a vector is one row. */
const matrix = ({ shape }: TensorType): [rows: number, columns: number] => {
  const columns = shape.at(-1) ?? 1
  return [sizeOf(shape) / columns, columns]
}

const attention: Choose = ({ inputs, attributes: a }, { type }) => {
  const from = inputs.length - ['start', 'positions', 'segments'].filter((name) => a[name]).length
  let next = from
  const extra = ['start', 'positions', 'segments'].map((name) => (a[name] ? inputs[next++] : undefined))
  const [q, k, v] = inputs.map(type)
  const H = a.nHeads as number
  return {
    reads: [...inputs.slice(0, from), ...extra],
    integers: [q.shape[0], k.shape[0], H, q.shape[1] / H, v.shape[1] / H, Number(a.causal)],
    reals: [a.scale as number, a.ropeBase as number],
  }
}

/** Copies a window: rows, columns, source and destination row length, source and destination offset. */
const window = (rows: number, columns: number, ...rest: [from: number, to: number, fromAt: number, toAt: number]) => [
  rows,
  columns,
  ...rest,
]

const choices: Readonly<Record<string, Choose>> = {
  fill: ({ outputs: [y], attributes }, { type }) => ({
    integers: [sizeOf(type(y).shape)],
    reals: [attributes.value as number],
  }),
  matmul({ inputs: [a, b], outputs: [c], attributes: { transposeA, transposeB } }, { type, pack }) {
    const [M, N] = type(c).shape
    const K = type(a).shape[transposeA ? 0 : 1]
    const [aRow, aColumn] = transposeA ? [1, M] : [K, 1]
    const [bRow, bColumn] = transposeB ? [1, K] : [N, 1]
    return { integers: [M, N, K, aRow, aColumn, bRow, bColumn, pack(b, K, N, bRow, bColumn)] }
  },
  attention,
  attentionGrad: attention,
  norm: ({ inputs, attributes }, { type }) => ({
    reads: [inputs[0], inputs[1], inputs[2]],
    integers: [...matrix(type(inputs[0])), Number(attributes.kind === 'layer')],
    reals: [attributes.eps as number],
  }),
  normGrad: ({ inputs, attributes }, { type }) => ({
    integers: [...matrix(type(inputs[0])), Number(attributes.kind === 'layer')],
    reals: [attributes.eps as number],
  }),
  softmax: ({ inputs: [x] }, { type }) => ({ integers: matrix(type(x)) }),
  linearCrossEntropy({ inputs: [x, w] }, { type, pack }) {
    const [[T, d], [V]] = [type(x).shape, type(w).shape]
    return { integers: [T, d, V, pack(w, d, V, 1, d)] }
  },
  linearCrossEntropyGrad({ inputs: [x, w] }, { type, pack }) {
    const [[T, d], [V]] = [type(x).shape, type(w).shape]
    return { integers: [T, d, V, pack(w, d, V, 1, d), pack(w, V, d, d, 1)] }
  },
  embed: ({ inputs: [table, ids] }, { type }) => ({ integers: [type(ids).shape[0], ...type(table).shape] }),
  embedGrad: ({ inputs: [ids, ct], attributes }, { type }) => ({
    integers: [type(ids).shape[0], attributes.vocabulary as number, type(ct).shape[1]],
  }),
  sumTo({ inputs: [x], outputs: [y] }, { type }) {
    const [rows, columns] = matrix(type(x))
    const [rowsLeft, columnsLeft] = matrix(type(y))
    return { integers: [rows, columns, Number(rowsLeft > 1), Number(columnsLeft > 1)] }
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
