/**
 * What `lathe theory NAME` shows: a construction is built, checked and drawn.
 */
import { drawSamples, isWritten, type WritingTask } from '../eval/index.ts'
import type { Executor } from '../executor/executor.ts'
import type { Model } from '../model/model-folder.ts'
import { LatheError } from '../settings/error.ts'
import type { Group } from '../task/group/definition.ts'
import type { Sample, TaskSettings } from '../task/index.ts'
import { openModel } from '../train/index.ts'
import { type Check, checkConstruction, type Size } from './check.ts'
import { type CotCheck, checkSimulateCot } from './check-cot.ts'
import { checkSimulateDepth, type DepthCheck, originals, randomOriginal, randomSequences } from './check-depth.ts'
import { groupComposition } from './group-composition.ts'
import { type PHopSettings, pHop } from './phop.ts'
import { cotPicture, depthPicture, groupPicture, hopPicture } from './picture.ts'
import { type ChainShape, resolution, simulateCot } from './simulate-cot.ts'
import { simulateDepth } from './simulate-depth.ts'

/** What a construction is checked with. */
export interface CheckOptions {
  readonly executor: Executor
  /** Of each model, where there are several. */
  readonly instances: number
  readonly seed: number
}

/** One of the models that were built, where a construction makes several. */
export interface Part {
  readonly name: string
  readonly instances: number
  readonly exact: number
  readonly exactOneShort?: number
  /** The original's plan, and how often the one layer is looped. */
  readonly plan?: string
  readonly loops: number
  readonly largestDifference?: number
  readonly smallestLogitGap: number
  /** Instances that the original answers rightly. */
  readonly right?: number
}

/** A construction that was built and checked. Where there are several models, `model` is the largest of them. */
export interface Demonstration {
  readonly title: string
  readonly model: Model
  /** What it solves; a model with random weights solves nothing. */
  readonly task?: TaskSettings
  readonly instances: number
  readonly exact: number
  readonly loops: number
  readonly sizes: Readonly<Record<string, Size>>
  /** What else was measured. */
  readonly measured: Readonly<Record<string, unknown>>
  readonly parts: readonly Part[]
  /** Sentences. */
  readonly notes: readonly string[]
  /** What each loop does to one instance, in text. */
  readonly picture: string
}

type LoopedOptions = CheckOptions & { readonly loops?: number }

const softmaxGap = (nats: number) =>
  `smallest gap of a softmax ${nats < 1e6 ? nats.toFixed(1) : nats.toExponential(1)} nats`

const whole = ({ instances, exact, loops, sizes, smallestGap }: Check) => {
  return { instances, exact, loops, sizes, measured: { smallestGap }, parts: [], notes: [softmaxGap(smallestGap)] }
}

/** Of a picture with a line for what is given and one for every loop, the loops that were run. */
const upTo = (picture: string, { loops }: LoopedOptions): string =>
  picture
    .split('\n')
    .slice(0, loops === undefined ? undefined : loops + 1)
    .join('\n')

/** Theorem 5.1. Throws the LatheErrors of `groupComposition`. */
export async function demonstrateGroup(group: Group, n: number, options: LoopedOptions): Promise<Demonstration> {
  const construction = groupComposition(group, n)
  return {
    title: `${n} elements of ${group.name} composed (Theorem 5.1)`,
    model: construction.model,
    task: construction.task,
    ...whole(await checkConstruction(construction, options)),
    picture: upTo(await groupPicture(construction, options), options),
  }
}

/** Corollary 5.3. Throws the LatheErrors of `pHop`. */
export async function demonstrateHops(settings: PHopSettings, options: LoopedOptions): Promise<Demonstration> {
  const { p, n, alphabet } = settings
  const construction = pHop(settings)
  return {
    title: `${p}-hop over ${n} letters of an alphabet of ${alphabet} (Corollary 5.3)`,
    model: construction.model,
    task: construction.task,
    ...whole(await checkConstruction(construction, options)),
    picture: upTo(await hopPicture(settings, construction, options), options),
  }
}

/** An original with what it is tried on. */
interface Original {
  readonly name: string
  readonly model: Model
  readonly sequences: readonly Int32Array[]
}

/** Theorem 5.2 on random models: of every kind in turn, or of one plan. */
export async function demonstrateDepth(
  { models, plan }: { models: number; plan?: string },
  options: CheckOptions,
): Promise<Demonstration> {
  const all = Array.from({ length: models }, (_, i): Original => {
    const settings = plan === undefined ? originals[i % originals.length] : { plan }
    const model = randomOriginal(settings, options.seed + i)
    return { name: `${i + 1}`, model, sequences: randomSequences(model.config, { ...options, seed: options.seed + i }) }
  })
  return depthOfAll(all, `${models} random models`, options.executor)
}

/** Theorem 5.2 on a trained run and held-out sequences of its task. Throws a LatheError where it is of another kind. */
export async function demonstrateDepthOf(folder: string, options: CheckOptions): Promise<Demonstration> {
  const { model, task, run } = await openModel(folder)
  const samples = await drawSamples(task, { samples: options.instances, split: 'test', seed: options.seed })
  const padded = ({ tokens }: Sample) => {
    const sequence = new Int32Array(model.config.maxLength)
    sequence.set(tokens)
    return sequence
  }
  const original = { name: '1', model, sequences: samples.map(padded) }
  return {
    ...(await depthOfAll([original], folder, options.executor)),
    task: { name: 'dummy-first', of: run.recipe.task },
  }
}

async function depthOfAll(all: readonly Original[], what: string, executor: Executor): Promise<Demonstration> {
  const checks: DepthCheck[] = []
  for (const { model, sequences } of all) checks.push(await checkSimulateDepth(model, { executor, sequences }))
  const deepest = Math.max(...checks.map(({ loops }) => loops))
  const at = checks.findIndex(({ loops }) => loops === deepest)
  const { model, sequences } = all[at]
  const sum = (of: (check: DepthCheck) => number) => checks.reduce((total, check) => total + of(check), 0)
  const needing = checks.filter(({ exactOneShort }) => exactOneShort !== undefined)
  const measured = {
    models: all.length,
    exactOneShort: sum(({ exactOneShort = 0 }) => exactOneShort),
    largestDifference: Math.max(...checks.map((check) => check.largestDifference)),
    smallestGap: Math.min(...checks.map((check) => check.smallestGap)),
    smallestLogitGap: Math.min(...checks.map((check) => check.smallestLogitGap)),
  }
  return {
    title: `One looped layer for all layers of ${what} (Theorem 5.2); sizes of plan ${model.config.plan}`,
    model: simulateDepth(model),
    instances: sum(({ instances }) => instances),
    exact: sum(({ exact }) => exact),
    loops: deepest,
    sizes: checks[at].sizes,
    measured,
    parts: checks.map(({ sizes: _, ...check }, i) => ({ name: all[i].name, plan: all[i].model.config.plan, ...check })),
    notes: [
      `logits differ by ${measured.largestDifference.toExponential(1)} at most`,
      softmaxGap(measured.smallestGap),
      `one loop fewer: ${measured.exactOneShort} exact, of ${needing.length} models with more than one layer`,
    ],
    picture: await depthPicture(model, sequences[0], executor),
  }
}

/**
 * Theorem 5.4 on a trained run and held-out problems of its task: those of the commonest prompt lengths, each with a
 * looped model of its own. Throws a LatheError where the run is of another kind.
 */
export async function demonstrateCot(
  folder: string,
  { executor, instances, seed, lengths }: CheckOptions & { readonly lengths: number },
): Promise<Demonstration> {
  const { model, run, task } = await openModel(folder)
  if (!isWritten(task))
    throw new LatheError(`simulate-cot: ${folder} is of task ${task.name}, which writes no answers: train igsm-theory`)
  const samples = await drawSamples(task, { samples: instances, split: 'test', seed })
  const groups = byPromptLength(samples, task).slice(0, lengths)
  const checks: CotCheck[] = []
  for (const { shape, prompts } of groups) checks.push(await checkSimulateCot(model, { executor, prompts, ...shape }))
  const parts = groups.map((group, i) => chainPart(group, checks[i], task))
  const unresolved = groups.flatMap(({ samples }, i) =>
    checks[i].unresolved.map((at) => task.format(samples[at]).input),
  )
  const sum = (key: 'instances' | 'exact' | 'exactOneShort' | 'right') =>
    parts.reduce((total, part) => total + part[key], 0)
  const smallestGap = Math.min(...checks.map((check) => check.smallestGap))
  const [{ shape, prompts, samples: alike }] = groups
  const drawn = { prompt: prompts.slice(0, shape.n), given: task.format(alike[0]).input, m: shape.m }
  const below = unresolved.length === 0 ? 'none is' : `${unresolved.length} problems have one`
  return {
    title: `Loops for the chain of thought of ${folder} (Theorem 5.4); sizes of ${shape.n} + ${shape.m} tokens`,
    model: simulateCot(model, shape),
    task: { name: 'slots', of: run.recipe.task, prompt: shape.n, slots: shape.m },
    instances: sum('instances'),
    exact: sum('exact'),
    loops: shape.m,
    sizes: checks[0].sizes,
    measured: {
      drawn: samples.length,
      exactOneShort: sum('exactOneShort'),
      right: sum('right'),
      smallestGap,
      resolution,
      unresolved,
    },
    parts,
    notes: [
      `${sum('instances')} of ${samples.length} held-out problems have these lengths`,
      `the original answers ${sum('right')} of them rightly`,
      `smallest gap of two logits ${smallestGap.toExponential(1)}`,
      [`${below} below the resolution ${resolution.toExponential(1)}`, ...unresolved].join(' | '),
      `one loop fewer: ${sum('exactOneShort')} exact`,
    ],
    picture: await cotPicture(model, { ...drawn, vocabulary: task.vocabulary }, executor),
  }
}

const chainPart = (alike: Alike, check: CotCheck, task: WritingTask) => {
  const { loops, instances, exact, exactOneShort, smallestGap } = check
  const name = `${alike.shape.n} + ${alike.shape.m}`
  const right = rightOf(alike, check, task)
  return { name, loops, instances, exact, exactOneShort, right, smallestLogitGap: smallestGap }
}

/** Problems whose prompts have the same length. */
interface Alike {
  readonly samples: readonly Sample[]
  /** `[B, n]` */
  readonly prompts: Int32Array
  /** The chain is as long as the longest right answer with its end, as far as the task's length goes. */
  readonly shape: ChainShape
}

/** The commonest length first. */
function byPromptLength(samples: readonly Sample[], { written, length }: WritingTask): Alike[] {
  const alike = new Map<number, Sample[]>()
  for (const sample of samples) {
    const n = written.promptLength(sample)
    alike.set(n, [...(alike.get(n) ?? []), sample])
  }
  return Array.from(alike, ([n, samples]) => {
    const longest = Math.max(...samples.map(({ tokens }) => tokens.length - n + 1))
    const prompts = Int32Array.from(samples.flatMap(({ tokens }) => [...tokens.subarray(0, n)]))
    return { samples, prompts, shape: { n, m: Math.min(longest, length - n) } }
  }).sort((a, b) => b.samples.length - a.samples.length)
}

/** How many chains are right answers that came to their end. */
function rightOf({ samples, shape: { m } }: Alike, { chains }: CotCheck, { written }: WritingTask): number {
  const isRight = (sample: Sample, i: number) => {
    const chain = chains.subarray(i * m, (i + 1) * m)
    const end = chain.indexOf(written.end)
    return end >= 0 && written.judge(sample, chain.subarray(0, end))
  }
  return samples.filter(isRight).length
}
