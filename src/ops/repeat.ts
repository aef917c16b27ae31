import { addNode, type Body, placeholder, Scope, scopeNow, type Tensor, within } from '../graph/graph.ts'
import { LatheError } from '../settings/error.ts'
import { formatType, sameShape } from '../tensor/type.ts'

export type Tensors = Readonly<Record<string, Tensor>>

export interface RepeatOptions<C extends Tensors, S extends Tensors> {
  /** Iterations; the most, where `runs` is given. */
  readonly count: number
  /** Tensors that go from one iteration into the next. */
  readonly carry: C
  /** Stacks `[count, …]` of which iteration i gets slice i. */
  readonly scan?: S
  /** i32 scalar: how many iterations to run, at most `count`; later slices of collected stacks stay zero. */
  readonly runs?: Tensor
}

export interface BodyResult<C extends Tensors, O extends Tensors> {
  /** The carry of the next iteration: same names, same shapes. */
  readonly carry: { readonly [K in keyof C]: Tensor }
  /** Tensors whose values of every iteration come back stacked. */
  readonly collect?: O
}

/**
 * A loop as ONE node: its body is traced once, whatever the count. The body may use any tensor from outside.
 *
 * @example
 * const { carry } = repeat({ count: 12, carry: { x } }, ({ x }) => ({ carry: { x: layer(x) } }))
 */
export function repeat<C extends Tensors, S extends Tensors = Tensors, O extends Tensors = Tensors>(
  { count, carry, scan, runs }: RepeatOptions<C, S>,
  body: (carry: C, at: { index: Tensor; slices: S }) => BodyResult<C, O>,
): { carry: C; collected: O } {
  if (!Number.isInteger(count) || count < 1) throw new LatheError(`repeat takes a count of 1 or more, not ${count}`)
  if (runs && (runs.dtype !== 'i32' || runs.shape.length !== 0))
    throw new LatheError(`repeat takes an i32 scalar for runs, not ${formatType(runs)}`)
  const scope = new Scope(scopeNow())
  const [names, stacks] = [Object.keys(carry), Object.values(scan ?? {})]
  for (const s of stacks)
    if (s.shape[0] !== count) throw new LatheError(`repeat scans stacks of ${count} slices, not ${formatType(s)}`)
  const traced = within(scope, () => {
    const index = placeholder({ shape: [], dtype: 'i32' })
    const inside = names.map((name) => placeholder(carry[name]))
    const slices = stacks.map((s) => placeholder({ shape: s.shape.slice(1), dtype: s.dtype }))
    const named = (keys: string[], values: Tensor[]) => Object.fromEntries(keys.map((key, i) => [key, values[i]]))
    const result = body(named(names, inside) as C, { index, slices: named(Object.keys(scan ?? {}), slices) as S })
    return { index, inside, slices, result }
  })
  const collect = traced.result.collect ?? ({} as O)
  const next = names.map((name) => checkCarry(name, carry[name], traced.result.carry[name]))
  const stacked: Body = {
    scope,
    index: traced.index,
    carry: traced.inside,
    scanned: traced.slices,
    next,
    collected: Object.values(collect),
  }
  const outputs = addRepeat(stacked, count, Object.values(carry), stacks, { runs }).outputs
  const pick = (keys: string[], from: number) => Object.fromEntries(keys.map((key, i) => [key, outputs[from + i]]))
  return { carry: pick(names, 0) as C, collected: pick(Object.keys(collect), names.length) as O }
}

function checkCarry(name: string, before: Tensor, after: Tensor | undefined): Tensor {
  if (!after || !sameShape(before.shape, after.shape) || before.dtype !== after.dtype)
    throw new LatheError(
      `repeat carries ${name}: ${formatType(before)}, but its body returns ${after ? formatType(after) : 'nothing'} for it`,
    )
  return after
}

/** The node of a traced body: inputs are the first carries, the scanned stacks and perhaps the number of runs. */
export function addRepeat(
  body: Body,
  count: number,
  carry: readonly Tensor[],
  stacks: readonly Tensor[],
  options: { runs?: Tensor; reverse?: boolean },
) {
  const { runs, reverse = false } = options
  const types = [...body.next, ...body.collected.map((t) => ({ shape: [count, ...t.shape], dtype: t.dtype }))]
  const inputs = runs ? [...carry, ...stacks, runs] : [...carry, ...stacks]
  const attributes = { count, reverse, bounded: runs !== undefined }
  return addNode('repeat', inputs, types, attributes, { body, parameterOnly: false })
}
