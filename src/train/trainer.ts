import type { Evaluation } from '../eval/index.ts'
import { DEFAULT_GROUPS, type Executor } from '../executor/executor.ts'
import type { FileSystem } from '../files/durable-file.ts'
import type { ModelConfig } from '../model/config.ts'
import {
  initialParameters,
  nextVersion,
  type ParameterStore,
  parameterCount,
  parameterStore,
} from '../model/parameters.ts'
import { clipScale, learningRate, OptimizerRunner } from '../optim/index.ts'
import type { ResolvedRecipe } from '../recipes/index.ts'
import { LatheError } from '../settings/error.ts'
import { BatchSource } from './batch-source.ts'
import { listCheckpoints, loadCheckpoint, rewindRun } from './checkpoint.ts'
import { machineOf } from './environment.ts'
import { type BatchGradients, GradientComputer } from './gradients.ts'
import { HeldOut } from './held-out.ts'
import {
  type EvaluationRecord,
  evaluationOf,
  readHistory,
  type StepRecord,
  type TimingRecord,
  toLog,
} from './history.ts'
import { lockRun } from './lock.ts'
import { compileStep } from './recompute.ts'
import { appendMetrics, appendTiming, type Run, readMetrics, recipeHash, recordResumption } from './run-folder.ts'
import { Saver } from './saver.ts'
import { recipeOptimizer, setUpTraining } from './setup.ts'

/** What is told after every update. */
export interface StepEvent {
  /** Updates done. */
  readonly step: number
  readonly loss: number
  readonly gradientNorm: number
  readonly learningRate: number
  /** Of the last evaluation, at the trained loops; absent before the first. */
  readonly accuracy?: number
  /** Since this call of `train` began. */
  readonly tokens: number
  readonly flops: number
}

export interface TrainOptions {
  readonly executor: Executor
  readonly onStep?: (event: StepEvent) => void
  readonly onEvaluate?: (record: EvaluationRecord) => void
  /** What was mended, removed or made to fit on the way, in words. */
  readonly onNote?: (note: string) => void
  /** Stops after the work under way, and saves. */
  readonly signal?: AbortSignal
  /** What checkpoints are written with; a test can make any call of it fail. */
  readonly fs?: FileSystem
}

/** Why a training ended: all steps done, target accuracy reached, or told to; then training the run again goes on. */
export type Stopped = 'finished' | 'target' | 'interrupted'

/** What a training came to. */
export interface TrainingResult {
  readonly stopped: Stopped
  readonly steps: number
  /** Held-out loss in nats and accuracy at the trained loops, as last evaluated; absent before the first evaluation. */
  readonly loss?: number
  readonly accuracy?: number
  /** The last one holds the accuracies at all numbers of loops. */
  readonly evaluations: readonly EvaluationRecord[]
  /** Over all sessions of the run, evaluations and all. */
  readonly seconds: number
  readonly tokens: number
  readonly parameters: number
  readonly trainingFlops: number
  /** The run's folder. */
  readonly run: string
}

/**
 * Trains a run: from its newest whole checkpoint, or from the beginning. Stopping and going on gives the same weights
 * and the same `metrics.jsonl`, byte for byte, as never stopping.
 *
 * A checkpoint is saved while training goes on, and only once the loss at its weights is known to be finite. Throws a
 * one-line LatheError for settings that contradict each other, for a run that another process trains, for a checkpoint
 * that cannot be saved, and for a loss or gradient that is not finite; that one names the step and the checkpoint that
 * is kept.
 *
 * @example
 * const executor = referenceExecutor()
 * const { name, isa, precision, threads } = executor
 * const run = await createRun(phopTiny(), { executor: name, isa, precision, threads }, 'runs/first')
 * const { accuracy } = await train(run, { executor, onStep: ({ step, loss }) => console.log(step, loss) })
 */
export async function train(run: Run, options: TrainOptions): Promise<TrainingResult> {
  const release = await lockRun(run, options.onNote)
  try {
    const trainer = new Trainer(run, options)
    await trainer.restore()
    const stopped = await trainer.loop().catch((error) => trainer.fail(error))
    return await trainer.resultOf(stopped)
  } finally {
    await release()
  }
}

/** A loss, gradient or norm is not finite: the same training would come to the same. */
export class DivergedError extends LatheError {
  override name = 'DivergedError'
}

// Ours: a curve fine enough to draw, in files that stay small.
const logEvery = 10

class Trainer {
  private readonly config: ModelConfig
  private readonly gradients: GradientComputer
  private readonly optimizer: OptimizerRunner
  private readonly heldOut: HeldOut
  private parameters: ParameterStore
  /** Updates done. */
  private step = 0
  /** Spent on them. */
  private spent = { tokens: 0, flops: 0 }
  private readonly saver: Saver
  private lastSave?: number
  private readonly evaluations: EvaluationRecord[] = []
  private readonly session = { step: 0, spent: this.spent, secondsBefore: 0, began: performance.now() }
  /** Time of the updates since the last record. */
  private lap = { steps: 0, milliseconds: 0, tokens: 0, flops: 0, saving: 0 }

  constructor(
    private readonly run: Run,
    private readonly options: TrainOptions,
  ) {
    const { recipe } = run
    const { executor } = options
    const setup = setUpTraining(recipe)
    this.config = setup.config
    this.saver = new Saver(run, options)
    this.heldOut = new HeldOut(executor, recipe, setup)
    this.parameters = initialParameters(this.config, recipe.seed)
    this.optimizer = new OptimizerRunner(executor, recipeOptimizer(recipe), this.parameters.shapes)
    const compile = (length: number) =>
      compileStep(executor, this.config, length, { ...recipe, onNote: options.onNote })
    this.gradients = new GradientComputer(executor, this.parameters.shapes, compile)
  }

  /** Takes up the newest checkpoint, if there is one. */
  async restore(): Promise<void> {
    const { run, session, options } = this
    const saved = (await listCheckpoints(run)).length > 0 ? await loadCheckpoint(run) : await this.expectBeginning()
    if (saved) {
      if (saved.state.recipe !== recipeHash(run.recipe))
        throw new LatheError(
          `${saved.path} was trained with another recipe than ${run.path} holds: put recipe.json back as it was`,
        )
      this.parameters = parameterStore(this.config, saved.parameters, saved.path)
      this.optimizer.importStates(new Map(saved.optimizer))
      this.saver.best = saved.state.best
      const { tokens, flops } = saved.state
      this.spent = session.spent = { tokens, flops }
      this.step = this.lastSave = this.saver.savedStep = session.step = saved.step
      await recordResumption(run, machineOf(options.executor), saved.step)
    }
    const notes = [
      ...(saved?.warnings ?? []),
      ...(await rewindRun(run, this.step)),
      ...idleThreads(run.recipe, options),
    ]
    for (const note of notes) options.onNote?.(note)
    const { evaluations, seconds } = await readHistory(run)
    this.evaluations.push(...evaluations)
    session.secondsBefore = seconds
  }

  /**
   * Logs that go on past what a crash before the first checkpoint leaves are not to be lost with the checkpoints. It
   * leaves those up to the second save, which waits for the first.
   */
  private async expectBeginning(): Promise<undefined> {
    const { path, recipe } = this.run
    const last = (await readMetrics(this.run)).at(-1)?.step ?? 0
    if (last > 2 * recipe.checkpoint.every)
      throw new LatheError(
        `${path} has records up to step ${last} but no checkpoint: put its folder checkpoints back, or train anew in another folder`,
      )
  }

  async loop(): Promise<Stopped> {
    const { recipe } = this.run
    const { signal } = this.options
    const batches = new BatchSource(recipe, this.step)
    for (;;) {
      this.saver.check()
      if (this.evaluationIsDue()) await this.evaluate()
      const done = this.step >= recipe.steps ? 'finished' : this.targetIsReached() ? 'target' : undefined
      if (done) {
        await this.save()
        await this.saver.finish()
        return done
      }
      const began = performance.now()
      const found = await this.gradients.compute(this.parameters, await batches.next())
      await this.expectFinite(found)
      // Only now is the loss at these weights known, so only now may they be saved.
      if (signal?.aborted) {
        await this.save()
        await this.saver.finish()
        return 'interrupted'
      }
      if (this.step > 0 && this.step % recipe.checkpoint.every === 0) await this.save()
      await this.update(found, began)
    }
  }

  private async update(found: BatchGradients, began: number) {
    const { loss, gradients, gradientNorm, stateNorm, updateNorm } = found
    const { parameters, run, options, session, lap, spent } = this
    const { optimizer, schedule, steps, clip } = run.recipe
    const step = this.step + 1
    const rate = optimizer.lr * learningRate(schedule, step, steps)
    const scale = clipScale(gradientNorm, clip)
    await this.optimizer.update({ parameters: parameters.values, gradients, learningRate: rate, step, scale })
    parameters.version = nextVersion()
    this.step = step
    this.spent = { tokens: spent.tokens + found.tokens, flops: spent.flops + found.flops }
    lap.steps++
    lap.milliseconds += performance.now() - began
    lap.tokens += found.tokens
    lap.flops += found.flops
    if (step === 1 || step % logEvery === 0 || step === steps) {
      const { tokens } = this.spent
      const record = { step, loss, gradientNorm, learningRate: rate, tokens, stateNorm, updateNorm }
      await appendMetrics(run, { ...(record satisfies StepRecord) })
      await this.recordTiming()
    }
    options.onStep?.({
      step,
      loss,
      gradientNorm,
      learningRate: rate,
      accuracy: this.lastEvaluation()?.accuracy,
      tokens: this.spent.tokens - session.spent.tokens,
      flops: this.spent.flops - session.spent.flops,
    })
  }

  private async recordTiming(): Promise<void> {
    const { step, lap } = this
    const rates = {
      millisecondsPerStep: lap.milliseconds / lap.steps,
      tokensPerSecond: (1000 * lap.tokens) / lap.milliseconds,
      flopsPerSecond: (1000 * lap.flops) / lap.milliseconds,
    }
    const saving = lap.saving > 0 ? { savingMilliseconds: lap.saving } : {}
    const record: TimingRecord = { step, seconds: this.seconds(), ...(lap.steps > 0 ? rates : {}), ...saving }
    await appendTiming(this.run, { ...record })
    this.lap = { steps: 0, milliseconds: 0, tokens: 0, flops: 0, saving: 0 }
  }

  private seconds(): number {
    return this.session.secondsBefore + (performance.now() - this.session.began) / 1000
  }

  private evaluationIsDue(): boolean {
    const { evaluate, steps } = this.run.recipe
    if (this.step === 0 || this.evaluations.at(-1)?.step === this.step) return false
    return this.step % evaluate.every === 0 || this.step >= steps
  }

  private async evaluate(): Promise<void> {
    const record = { step: this.step, evaluations: await this.heldOut.evaluate(this.parameters) }
    const { loss } = evaluationOf(this.config.plan, record)!
    if (!Number.isFinite(loss)) await this.stopAt(this.step, `the held-out loss is ${loss}`)
    await appendMetrics(this.run, toLog(record))
    this.evaluations.push(record)
    this.options.onEvaluate?.(record)
  }

  private lastEvaluation(): Evaluation | undefined {
    const last = this.evaluations.at(-1)
    return last && evaluationOf(this.config.plan, last)
  }

  private targetIsReached(): boolean {
    const { target } = this.run.recipe.evaluate
    const isNow = this.evaluations.at(-1)?.step === this.step
    return target !== undefined && isNow && this.lastEvaluation()!.accuracy >= target
  }

  /** Throws what training failed with, once the save under way is done. */
  async fail(error: unknown): Promise<never> {
    await this.settle()
    throw error
  }

  /** Waits for the save under way; when it fails, too, that is a note: another error is to be told. */
  private async settle(): Promise<void> {
    await this.saver.finish().catch((error) => this.options.onNote?.(error.message))
  }

  private async expectFinite({ loss, gradientNorm, stateNorm, updateNorm }: BatchGradients): Promise<void> {
    const norm = [...stateNorm, ...updateNorm].flat().find((x) => !Number.isFinite(x)) ?? 0
    const seen = { loss, 'gradient norm': gradientNorm, 'norm of the state': norm }
    for (const [name, value] of Object.entries(seen))
      if (!Number.isFinite(value)) await this.stopAt(this.step + 1, `the ${name} is ${value}`)
  }

  private async stopAt(step: number, what: string): Promise<never> {
    await this.settle()
    const { savedStep } = this.saver
    const kept =
      savedStep === undefined
        ? 'no checkpoint had been saved'
        : `the checkpoint of step ${savedStep} in ${this.run.path} is kept`
    throw new DivergedError(`step ${step}: ${what}: training stopped, ${kept}; a lower optimizer.lr may help`)
  }

  /** Begins to save weights whose loss is known to be finite. */
  private async save(): Promise<void> {
    if (this.lastSave === this.step) return
    const began = performance.now()
    await this.saver.ready()
    const { step, run, config, parameters } = this
    const { seed, batch } = run.recipe
    const measured = this.evaluations.at(-1)?.step === step ? this.lastEvaluation()! : undefined
    const { best } = this.saver
    const isBest = measured && measured.accuracy > (best?.score ?? -1)
    const named = Object.entries(parameters.values).map(([name, data]) => {
      return [name, { shape: parameters.shapes[name], data }] as const
    })
    const state = {
      seed,
      cursor: step * batch,
      stage: 0,
      recipe: recipeHash(run.recipe),
      ...this.spent,
      best: isBest ? { step, score: measured.accuracy } : best,
    }
    const optimizer = this.optimizer.exportStates()
    await this.saver.begin({ step, parameters: new Map(named), optimizer, state, config })
    this.lap.saving += performance.now() - began
    this.lastSave = step
  }

  async resultOf(stopped: Stopped): Promise<TrainingResult> {
    const { step, run, spent } = this
    if (step > this.session.step) await this.recordTiming()
    const { loss, accuracy } = this.lastEvaluation() ?? {}
    return {
      stopped,
      steps: step,
      loss,
      accuracy,
      evaluations: this.evaluations,
      seconds: step > this.session.step ? this.seconds() : this.session.secondsBefore,
      tokens: spent.tokens,
      parameters: parameterCount(this.parameters),
      trainingFlops: spent.flops,
      run: run.path,
    }
  }
}

/** Threads that a batch is not cut for. */
function idleThreads({ groups = DEFAULT_GROUPS }: ResolvedRecipe, { executor: { threads } }: TrainOptions): string[] {
  if (threads <= groups) return []
  return [
    `a batch is cut into ${groups} groups, so ${groups} of ${threads} threads work: groups=${threads} employs them all`,
  ]
}
