import { addNode, type Body, placeholder, Scope, scopeNow, type Tensor, within } from '../graph/graph.ts'
import { LatheError } from '../settings/error.ts'
import { formatType, sameShape } from '../tensor/type.ts'

export type Tensors = Readonly<Record<string, Tensor>>

export interface LoopOptions<C extends Tensors, S extends Tensors> {
  /** Iterations; the most, where `runs` is given. */
  readonly count: number
  /** Tensors that go from one iteration into the next. */
  readonly carry: C
  /** Stacks `[count, …]` of which iteration i gets slice i. */
  readonly scan?: S
  /** i32 scalar: how many iterations to run, at most `count`; later slices of collected stacks stay zero. */
  readonly runs?: Tensor
}

/** What the body of a loop is given beside its carry. */
export interface At<S extends Tensors> {
  /** i32 scalar, 0-based. */
  readonly index: Tensor
  readonly slices: S
}

export interface BodyResult<C extends Tensors, O extends Tensors> {
  /** The carry of the next iteration: same names, same shapes. */
  readonly carry: { readonly [K in keyof C]: Tensor }
  /** Tensors whose values of every iteration come back stacked. */
  readonly collect?: O
}

export type LoopBody<C extends Tensors, S extends Tensors, O extends Tensors> = (
  carry: C,
  at: At<S>,
) => BodyResult<C, O>

export interface Looped<C extends Tensors, O extends Tensors> {
  readonly carry: C
  readonly collected: O
}

/** A body that was traced, and the names of what it collects. */
export interface Traced {
  readonly body: Body
  readonly collects: readonly string[]
}

/** What the node of a loop is told: `recompute`, that its derivative keeps what enters each iteration and no more. */
export type NodeOptions<C extends Tensors, S extends Tensors> = LoopOptions<C, S> & { readonly recompute?: boolean }

/** Traces a loop as ONE node. */
export function loop<C extends Tensors, S extends Tensors, O extends Tensors>(
  options: NodeOptions<C, S>,
  body: LoopBody<C, S, O>,
): Looped<C, O> {
  return addLoop(options, traceBody(options, body)) as Looped<C, O>
}

/** Traces the body of a loop, once. Throws a LatheError when it returns another carry than it got. */
export function traceBody<C extends Tensors, S extends Tensors, O extends Tensors>(
  { carry, scan }: Pick<LoopOptions<C, S>, 'carry' | 'scan'>,
  body: LoopBody<C, S, O>,
): Traced {
  return within(new Scope(scopeNow()), () => {
    const index = placeholder({ shape: [], dtype: 'i32' })
    const inside = mapTensors(carry, (t) => placeholder(t)) as C
    const slices = mapTensors(scan ?? {}, ({ shape, dtype }) => placeholder({ shape: shape.slice(1), dtype })) as S
    const result = body(inside, { index, slices })
    const collect = result.collect ?? {}
    return {
      body: {
        scope: scopeNow(),
        index,
        carry: Object.values(inside),
        scanned: Object.values(slices),
        next: Object.entries(carry).map(([name, t]) => checkCarry(name, t, result.carry[name])),
        collected: Object.values(collect),
      },
      collects: Object.keys(collect),
    }
  })
}

/** Adds the loop of a traced body. */
export function addLoop(
  { count, carry, scan, runs, recompute }: NodeOptions<Tensors, Tensors>,
  { body, collects }: Traced,
): Looped<Tensors, Tensors> {
  const { outputs } = addRepeat(body, count, Object.values(carry), Object.values(scan ?? {}), { runs, recompute })
  const pick = (keys: readonly string[], from: number) => Object.fromEntries(keys.map((k, i) => [k, outputs[from + i]]))
  const names = Object.keys(carry)
  return { carry: pick(names, 0), collected: pick(collects, names.length) }
}

export const mapTensors = (record: Tensors, f: (t: Tensor, name: string) => Tensor): Tensors =>
  Object.fromEntries(Object.entries(record).map(([name, t]) => [name, f(t, name)]))

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
  options: { runs?: Tensor; reverse?: boolean; recompute?: boolean },
) {
  const { runs, reverse = false, recompute = false } = options
  const types = [...body.next, ...body.collected.map((t) => ({ shape: [count, ...t.shape], dtype: t.dtype }))]
  const inputs = runs ? [...carry, ...stacks, runs] : [...carry, ...stacks]
  const attributes = { count, reverse, bounded: runs !== undefined, recompute }
  return addNode('repeat', inputs, types, attributes, { body, parameterOnly: false })
}
