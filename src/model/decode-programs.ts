/**
 * Decoding with a cache. T new tokens of one sequence, S rows of a cache, V vocabulary.
 */
import { compileForward, type Instruction, type Program, type TrainingPrograms } from '../compile/index.ts'
import { input, output, trace } from '../graph/graph.ts'
import { matmul, reshape, takeRow } from '../ops/index.ts'
import { LatheError } from '../settings/error.ts'
import type { TensorType } from '../tensor/type.ts'
import type { ModelConfig } from './config.ts'
import { transformer } from './transformer.ts'

/**
 * The next `length` tokens of a sequence of which a cache of `capacity` rows holds those before. Inputs, i32: `tokens`
 * `[T]`, of which those after row `last` are padding; `start`, the number of rows that the cache holds, with
 * start + T ≤ S; `positions` `[T]`, where positions are learned; and `slot`, always 0. Output `logits` f32`[1, V]` of
 * row `last`. States: the keys and values of every layer, f32`[loops, S, H·K]` and `[loops, S, H·V]`, a slot for every
 * loop. Padding leaves rows that no token sees: the tokens that come later see only rows that they have written anew.
 * Throws a LatheError unless attention is causal.
 */
export function decodePrograms(
  config: ModelConfig,
  length: number,
  capacity: number,
): Pick<TrainingPrograms, 'main' | 'derive'> {
  if (config.attention !== 'causal')
    throw new LatheError(`a model with ${config.attention} attention writes no text: train it with attention causal`)
  const graph = trace('decode', () => {
    const i32 = (name: string, shape: readonly number[]) => input(name, shape, 'i32')
    const sequence = config.positions === 'learned' ? { positions: i32('positions', [length]) } : {}
    const { hidden, head } = transformer(config, i32('tokens', [length]), sequence)
    const row = reshape(takeRow(hidden, i32('last', [])), [1, config.dModel])
    output('logits', matmul(row, head, { transposeB: true }))
  })
  const programs = compileForward(graph)
  return { ...programs, main: withCache(programs.main, capacity) }
}

const scalar: TensorType = { shape: [], dtype: 'i32' }

/**
 * Lets every causal attention of a Program append its keys, turned to positions from `start` on once and for all, and its
 * values to states, and read those. Each (layer, loop) has a slot of its own, which no other loop overwrites (Saunshi et
 * al. 2025, review): in a loop, its index is the slot.
 */
function withCache(program: Program, capacity: number): Program {
  const values = [...program.values]
  const define = (type: TensorType) => values.push(type) - 1
  const bind = (name: string, type: TensorType) => ({ name, value: define(type), ...type })
  const [start, slot] = [bind('start', scalar), bind('slot', scalar)]
  const states: Program['states'][number][] = []

  const appended = (name: string, rows: number, at: Place): Instruction => {
    const view = { ...values[rows], shape: [capacity, values[rows].shape[1]] }
    const cache = bind(name, { ...view, shape: [at.loops, ...view.shape] })
    states.push(cache)
    const inputs = [cache.value, at.slot, rows, start.value]
    return { op: 'append', inputs, outputs: [define(view)], attributes: {} }
  }
  const cached = (instructions: readonly Instruction[], at: Place): Instruction[] =>
    instructions.flatMap((instruction) => {
      const { op, inputs, attributes, block } = instruction
      if (block) {
        if (at.slot !== slot.value) throw new LatheError(`${program.name}: a loop inside of a loop has no cache yet`)
        const inside = { loops: attributes.count as number, slot: block.index }
        return { ...instruction, block: { ...block, instructions: cached(block.instructions, inside) } }
      }
      if (op === 'ropeTable')
        return { ...instruction, inputs: [start.value], attributes: { ...attributes, start: true } }
      if (op !== 'attention' || !attributes.causal) return instruction
      const [q, k, v] = inputs
      const layer = states.length / 2
      const caches = [appended(`kv.${layer}.k`, k, at), appended(`kv.${layer}.v`, v, at)]
      const reads = [q, ...caches.flatMap(({ outputs }) => outputs), start.value]
      return [...caches, { ...instruction, inputs: reads, attributes: { ...attributes, start: true } }]
    })
  const instructions = cached(program.instructions, { loops: 1, slot: slot.value })
  return { ...program, values, inputs: [...program.inputs, start, slot], states, instructions }
}

/** How often a layer runs, and the value that says which of its slots is meant. */
interface Place {
  readonly loops: number
  readonly slot: number
}
