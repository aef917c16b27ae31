import { LatheError } from '../settings/error.ts'

/** A run of `layers` distinct layers that is applied `loops` times in a row. */
export interface Segment {
  readonly layers: number
  readonly loops: number
  /** Index of its first layer among the distinct layers of the whole plan. */
  readonly firstLayer: number
  /** Index of its first application among the effective layers. */
  readonly firstEffective: number
}

/** One application of one layer: which segment, which of its loops (both from 0), which distinct layer. */
interface Application {
  readonly segment: number
  readonly loop: number
  readonly layer: number
}

export const maxEffectiveDepth = 4096
const examples = 'such as 12, 1x12 or 4,4x4,4'

/**
 * Which layers a model has and how often each is applied: the paper's k⊗L (Reasoning with Latent Thoughts, §2),
 * written `kxL`, as comma-separated segments. A plan never changes; its methods return new ones.
 *
 * @example
 * const plan = LoopPlan.parse('4,4x4,4')
 * plan.distinctLayers // 12
 * plan.effectiveDepth // 24
 * plan.weightLayer(8) // 4: the middle block starts its second loop
 */
export class LoopPlan {
  readonly segments: readonly Segment[]
  readonly distinctLayers: number
  readonly effectiveDepth: number
  readonly #applications: readonly Application[]

  private constructor(parts: readonly { layers: number; loops: number }[]) {
    const segments: Segment[] = []
    let [firstLayer, firstEffective] = [0, 0]
    for (const { layers, loops } of parts) {
      segments.push(Object.freeze({ layers, loops, firstLayer, firstEffective }))
      firstLayer += layers
      firstEffective += layers * loops
    }
    this.segments = Object.freeze(segments)
    this.distinctLayers = firstLayer
    this.effectiveDepth = firstEffective
    if (this.effectiveDepth > maxEffectiveDepth) {
      throw new LatheError(
        `plan ${quote(this.toString())} has ${this.effectiveDepth} effective layers: write at most ${maxEffectiveDepth}`,
      )
    }
    this.#applications = segments.flatMap(({ layers, loops, firstLayer }, segment) =>
      Array.from({ length: layers * loops }, (_, i) => ({
        segment,
        loop: Math.floor(i / layers),
        layer: firstLayer + (i % layers),
      })),
    )
  }

  /** Reads `12`, `1x12`, `4,4x4,4`. Throws a LatheError that names the segment that is wrong. */
  static parse(text: string): LoopPlan {
    if (text === '') throw new LatheError(`plan is empty: write layers or layers x loops, ${examples}`)
    if (/[()]/.test(text)) {
      throw new LatheError(`plan ${quote(text)}: (…)xN is reserved for nested loops: write segments, ${examples}`)
    }
    return new LoopPlan(text.split(',').map((part, i) => parseSegment(part, `plan ${quote(text)}: segment ${i + 1}`)))
  }

  /** Whether any segment is applied more than once. */
  get isLooped(): boolean {
    return this.segments.some((segment) => segment.loops > 1)
  }

  /** Cache entries per token: one per (layer, loop), never overwritten by a later loop (OpenReview, 2502.17416). */
  get kvSlots(): number {
    return this.effectiveDepth
  }

  /** The distinct layer whose weights effective layer `effectiveLayer` uses; within a segment of k layers, ℓ mod k. */
  weightLayer(effectiveLayer: number): number {
    return this.#at(effectiveLayer).layer
  }

  /** The segment and the loop (both counted from 0) that effective layer `effectiveLayer` belongs to. */
  loopOf(effectiveLayer: number): { segment: number; loop: number } {
    const { segment, loop } = this.#at(effectiveLayer)
    return { segment, loop }
  }

  /**
   * The same layers, looped otherwise. A number sets the one looped segment (or the only one); a record names segments
   * from 1, as `--loops 2:8` does: `{ 2: 8 }`. Throws a LatheError when the segment is unclear or not there.
   */
  withLoops(loops: number | Readonly<Record<number, number>>): LoopPlan {
    const named = typeof loops === 'number' ? { [this.#onlyLoop(loops) + 1]: loops } : loops
    const parts = this.segments.map(({ layers, loops }) => ({ layers, loops }))
    for (const [name, count] of Object.entries(named)) {
      const part = parts[Number(name) - 1]
      if (part === undefined) {
        throw new LatheError(`plan ${this} has no segment ${name}: name one from 1 to ${parts.length}`)
      }
      if (!Number.isInteger(count) || count < 1) {
        throw new LatheError(`plan ${this}: cannot loop segment ${name} ${count} times: loops are whole numbers from 1`)
      }
      part.loops = count
    }
    return new LoopPlan(parts)
  }

  /** The plain plan with as many parameters: the same distinct layers, each applied once. */
  isoParameter(): LoopPlan {
    return new LoopPlan([{ layers: this.distinctLayers, loops: 1 }])
  }

  /** The plain plan with as many FLOPs: as deep, with weights of its own for every effective layer. */
  isoFlop(): LoopPlan {
    return new LoopPlan([{ layers: this.effectiveDepth, loops: 1 }])
  }

  /** Canonical text, which `parse` reads back; `1x1` is written `1`. */
  toString(): string {
    return this.segments.map(({ layers, loops }) => (loops === 1 ? `${layers}` : `${layers}x${loops}`)).join(',')
  }

  toJSON(): string {
    return this.toString()
  }

  #at(effectiveLayer: number): Application {
    const application = this.#applications[effectiveLayer]
    if (application === undefined) {
      throw new RangeError(`plan ${this} has effective layers 0 to ${this.effectiveDepth - 1}, not ${effectiveLayer}`)
    }
    return application
  }

  #onlyLoop(loops: number): number {
    const looped = this.segments.flatMap((segment, i) => (segment.loops > 1 ? [i] : []))
    if (looped.length === 1) return looped[0]!
    if (this.segments.length === 1) return 0
    const why = looped.length === 0 ? 'no looped segment' : `${looped.length} looped segments`
    throw new LatheError(`plan ${this} has ${why}: name the segment, such as ${(looped[0] ?? 0) + 1}:${loops}`)
  }
}

function parseSegment(part: string, where: string): { layers: number; loops: number } {
  const [, layers, loops] = /^(\d+)(?:x(\d+))?$/.exec(part) ?? []
  if (layers === undefined) throw new LatheError(`${where}${fault(part)}, ${examples}`)
  return {
    layers: parseCount(layers, 'layers', `${where}, ${quote(part)},`),
    loops: parseCount(loops ?? '1', 'loops', `${where}, ${quote(part)},`),
  }
}

function fault(part: string): string {
  if (part === '') return ' is empty: write layers or layers x loops'
  if (/\s/.test(part)) return `, ${quote(part)}, holds a space: write it without`
  if (/^\d+x$/.test(part)) return `, ${quote(part)}, has no loop count after the x: write ${part}2`
  return `, ${quote(part)}, is not layers or layers x loops in whole numbers from 1: write digits`
}

function parseCount(digits: string, what: string, where: string): number {
  const count = Number(digits)
  if (count === 0) throw new LatheError(`${where} has 0 ${what}: write at least 1, ${examples}`)
  if (digits.startsWith('0')) throw new LatheError(`${where} starts a number with 0: write ${count}, ${examples}`)
  if (count > maxEffectiveDepth) {
    throw new LatheError(`${where} has too many ${what}: write at most ${maxEffectiveDepth}, ${examples}`)
  }
  return count
}

// Quoted as JSON, so that an error stays on one line whatever was typed.
function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 39)}…` : text)
}
