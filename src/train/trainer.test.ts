import { mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { evaluate } from '../eval/index.ts'
import { type Executor, nativeExecutor, nativeVariants, referenceExecutor } from '../executor/index.ts'
import { parameterStore } from '../model/parameters.ts'
import { defineRecipe, type RecipeInput } from '../recipes/index.ts'
import { LatheError } from '../settings/error.ts'
import { createTask } from '../task/index.ts'
import { listCheckpoints, loadCheckpoint, saveCheckpoint } from './checkpoint.ts'
import { readHistory } from './history.ts'
import { createRun, openRun, type Run, recipeHash } from './run-folder.ts'
import { type StepEvent, type TrainOptions, train } from './trainer.ts'

const executor = referenceExecutor()
const machine = { executor: 'reference', isa: 'typescript', precision: 'f32', threads: 1 }
let folder: string
let count = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-train-'))
})
afterAll(() => rm(folder, { recursive: true }))

const tiny: RecipeInput = {
  name: 'tiny',
  task: { name: 'phop', n: 8, p: 1, loss: 'every' },
  model: { plan: '1x2', dModel: 16, nHeads: 2, dFf: 32 },
  steps: 24,
  batch: 8,
  optimizer: { name: 'adamw', lr: 1e-2 },
  evaluate: { every: 12, samples: 32 },
  checkpoint: { every: 10 },
}

const newRun = (changes: Partial<RecipeInput> = {}): Promise<Run> =>
  createRun(defineRecipe({ ...tiny, ...changes }), machine, { path: join(folder, `run-${count++}`) })

/** Trains until `step` updates are done, then stops it as Ctrl-C does. */
function trainUntil(run: Run, step: number, options: Partial<TrainOptions> = {}) {
  const controller = new AbortController()
  const onStep = (event: StepEvent) => event.step === step && controller.abort()
  return train(run, { executor, onStep, signal: controller.signal, ...options })
}

/** Everything that must not depend on when a run was stopped. */
async function filesOf({ path }: Run) {
  const checkpoints = (await readdir(join(path, 'checkpoints'))).sort()
  const newest = join(path, 'checkpoints', 'step-24')
  const read = async (file: string) => [file, (await readFile(file)).toString('latin1')] as const
  const files = [...(await readdir(newest)).map((name) => join(newest, name)), join(path, 'metrics.jsonl')]
  const contents = await Promise.all(files.map(read))
  return { checkpoints, contents: contents.map(([file, text]) => [file.slice(path.length), text]) }
}

/** An executor on which every run of one Program fails. */
const failingOn = (executor: Executor, program: string, error: Error): Executor => ({
  ...executor,
  compile: (compiled, options) => {
    const executable = executor.compile(compiled, options)
    return compiled.name === program ? { ...executable, run: () => Promise.reject(error) } : executable
  },
})

describe('train', () => {
  it('lowers the loss, and says what it did', async () => {
    const run = await newRun({ steps: 60, evaluate: { every: 30, samples: 32 } })
    const steps: StepEvent[] = []
    const result = await train(run, { executor, onStep: (event) => steps.push(event) })
    const { steps: logged, evaluations, seconds } = await readHistory(run)
    expect(logged.map(({ step }) => step)).toEqual([1, 10, 20, 30, 40, 50, 60])
    expect(logged.at(-1)!.loss).toBeLessThan(0.8 * logged[0].loss)
    expect(logged.at(-1)!.learningRate).toBe(0)
    expect(logged[0].stateNorm[0]).toHaveLength(2)
    expect(evaluations.map(({ step }) => step)).toEqual([30, 60])
    expect(evaluations[1].evaluations.map(({ plan, loops }) => `${loops}: ${plan}`)).toEqual([
      '1: 1',
      '2: 1x2',
      '4: 1x4',
    ])
    expect(evaluations[1].evaluations[1].loss).toBeLessThan(evaluations[0].evaluations[1].loss)
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1))
    expect([steps[28].accuracy, steps[30].accuracy]).toEqual([undefined, evaluations[0].evaluations[1].accuracy])
    expect(steps.at(-1)).toMatchObject({ tokens: 60 * 8 * 8, flops: result.trainingFlops })
    const { loss, accuracy } = evaluations[1].evaluations[1]
    expect(result).toMatchObject({ stopped: 'finished', steps: 60, loss, accuracy, tokens: 3840, run: run.path })
    expect(result.parameters).toBe(2 * 4 * 16 + 4 * 16 * 16 + 2 * 16 * 32 + 3 * 16)
    expect(result.seconds).toBeGreaterThan(0)
    expect(Math.abs(seconds - result.seconds)).toBeLessThan(0.1)
  })

  it('saves the model that it evaluated', async () => {
    const run = await newRun({ steps: 12 })
    const { loss, accuracy } = await train(run, { executor })
    const { step, config, parameters, state } = await loadCheckpoint(run)
    expect([step, state.cursor]).toEqual([12, 96])
    const model = { config, parameters: parameterStore(config, parameters, run.path) }
    const task = createTask(run.recipe.task as { name: string })
    expect(await evaluate(model, task, executor, { samples: 32, seed: 0 })).toMatchObject({ loss, accuracy })
  })

  it.each([7, 10, 12, 20])('stopped after step %i and gone on with is the same run, byte for byte', async (step) => {
    const through = await newRun()
    await train(through, { executor })
    const run = await newRun()
    const stopped = await trainUntil(run, step)
    expect(stopped).toMatchObject({ stopped: 'interrupted', steps: step })
    expect((await listCheckpoints(run))[0]).toBe(step)
    const notes: string[] = []
    const result = await train(await openRun(run.path), { executor, onNote: (note) => notes.push(note) })
    expect(result).toMatchObject({ stopped: 'finished', steps: 24 })
    expect(notes).toEqual([])
    const [ours, theirs] = [await filesOf(run), await filesOf(through)]
    expect(ours.contents).toEqual(theirs.contents)
  })

  it('says that threads stand idle where a batch is cut into fewer groups', async () => {
    const notes: string[] = []
    await train(await newRun(), { executor: { ...executor, threads: 12 }, onNote: (note) => notes.push(note) })
    expect(notes).toEqual(['a batch is cut into 8 groups, so 8 of 12 threads work: groups=12 employs them all'])
  })

  it('goes on as the same run when it computes another part again', async () => {
    const through = await newRun({ model: { ...tiny.model, plan: '1x5' } })
    await train(through, { executor })
    const run = await newRun({ model: { ...tiny.model, plan: '1x5' }, recompute: 2 })
    await trainUntil(run, 7)
    const { path, recipe } = await openRun(run.path)
    await train({ ...run, path, recipe: { ...recipe, recompute: 1 } }, { executor })
    expect((await filesOf(run)).contents).toEqual((await filesOf(through)).contents)
  })

  it('goes on from the newest checkpoint after a crash, and drops what was logged later', async () => {
    const through = await newRun()
    await train(through, { executor })
    const run = await newRun()
    const crash = new Error('power cut')
    const onStep = ({ step }: StepEvent) => {
      if (step === 23) throw crash
    }
    await expect(train(run, { executor, onStep })).rejects.toBe(crash)
    expect(await listCheckpoints(run)).toEqual([20, 10])
    await rm(join(run.path, 'checkpoints', 'step-20', 'state.json'))
    const notes: string[] = []
    await train(run, { executor, onNote: (note) => notes.push(note) })
    expect(notes.join('\n')).toContain('checkpoint of step 20 is damaged')
    expect(await filesOf(run)).toEqual(await filesOf(through))
  })

  it('cut off in an evaluation, or just after its record, is the same run', async () => {
    const through = await newRun()
    await train(through, { executor })
    const crash = new Error('power cut')
    const afterwards = await newRun()
    const onEvaluate = () => {
      throw crash
    }
    await expect(train(afterwards, { executor, onEvaluate })).rejects.toBe(crash)
    const amid = await newRun()
    const failing = failingOn(executor, 'evaluate', crash)
    await expect(train(amid, { executor: failing })).rejects.toBe(crash)
    for (const run of [afterwards, amid]) {
      await train(run, { executor })
      expect(await filesOf(run)).toEqual(await filesOf(through))
    }
  })

  it('begins again where a crash came before the first checkpoint', async () => {
    const run = await newRun({ steps: 12 })
    const onStep = ({ step }: StepEvent) => {
      if (step === 2) throw new Error('power cut')
    }
    await expect(train(run, { executor, onStep })).rejects.toThrow('power cut')
    await train(run, { executor })
    const { steps } = await readHistory(run)
    expect(steps.map(({ step }) => step)).toEqual([1, 10, 12])
  })

  it('of a finished run does nothing and tells the same', async () => {
    const run = await newRun({ steps: 12 })
    const first = await train(run, { executor })
    const copy = await openRun(run.path)
    const before = await readFile(join(run.path, 'metrics.jsonl'), 'utf8')
    expect(await train(copy, { executor })).toEqual({ ...first, seconds: (await readHistory(run)).seconds })
    expect(await readFile(join(run.path, 'metrics.jsonl'), 'utf8')).toBe(before)
  })

  it('is the same curve and model with checkpoints often and with none on the way', async () => {
    const often = await newRun({ checkpoint: { every: 1, keep: 2 } })
    const never = await newRun({ checkpoint: { every: 24 } })
    for (const run of [often, never]) await train(run, { executor })
    const contentsOf = async ({ path }: Run) =>
      Promise.all(
        ['metrics.jsonl', 'checkpoints/step-24/model.safetensors', 'checkpoints/step-24/optimizer.safetensors'].map(
          (file) => readFile(join(path, file), 'latin1'),
        ),
      )
    expect(await contentsOf(often)).toEqual(await contentsOf(never))
  })

  it('does not go on under a recipe that was changed by hand, but on any number of threads', async () => {
    const { path } = await newRun()
    await trainUntil(await openRun(path), 3)
    const file = join(path, 'recipe.json')
    const recipe = JSON.parse(await readFile(file, 'utf8'))
    await writeFile(file, JSON.stringify({ ...recipe, clip: 2 }))
    await expect(train(await openRun(path), { executor })).rejects.toThrow(
      `${join(path, 'checkpoints/step-3')} was trained with another recipe than ${path} holds: put recipe.json back`,
    )
    const reversed = Object.fromEntries(Object.entries(recipe).reverse())
    await writeFile(file, JSON.stringify({ ...reversed, threads: 2 }))
    expect(await train(await openRun(path), { executor })).toMatchObject({ stopped: 'finished' })
  })

  it('does not begin again over records whose checkpoints are away', async () => {
    const run = await newRun()
    await trainUntil(run, 24)
    const [metrics, checkpoints] = ['metrics.jsonl', 'checkpoints'].map((name) => join(run.path, name))
    const before = await readFile(metrics, 'utf8')
    await rename(checkpoints, `${checkpoints}.away`)
    await expect(train(run, { executor })).rejects.toThrow(
      `${run.path} has records up to step 24 but no checkpoint: put its folder checkpoints back, or train anew`,
    )
    expect(await readFile(metrics, 'utf8')).toBe(before)
    await rename(`${checkpoints}.away`, checkpoints)
    expect(await train(run, { executor })).toMatchObject({ stopped: 'finished' })
  })

  it('begins again over what a crash leaves up to the second save, which waits for the first', async () => {
    const run = await newRun()
    await trainUntil(run, 23)
    await rm(join(run.path, 'checkpoints'), { recursive: true })
    expect(await train(run, { executor })).toMatchObject({ stopped: 'finished' })
  })

  it.each([
    ['1x1', '1'],
    ['1x2,1x3', '1x2,1x3'],
  ])('takes plan %s, which it evaluates as %s', async (written, plan) => {
    const model = { ...tiny.model, plan: written }
    const { evaluations } = await train(await newRun({ model, evaluate: { samples: 8, loops: [1, 2] } }), { executor })
    expect(evaluations[0].evaluations.map((evaluation) => evaluation.plan)).toEqual([plan])
  })

  it('leaves the newest checkpoint alone while it cannot be read', async () => {
    const run = await newRun()
    await trainUntil(run, 23)
    const state = join(run.path, 'checkpoints', 'step-23', 'state.json')
    await rename(state, `${state}.away`)
    await mkdir(state)
    await expect(train(run, { executor })).rejects.toThrow(`${state}: cannot read it: `)
    expect(await listCheckpoints(run)).toEqual([23, 20, 10])
    await rmdir(state)
    await rename(`${state}.away`, state)
    expect(await train(run, { executor })).toMatchObject({ stopped: 'finished' })
  })

  it('is the same for the same seed, and another for another seed', async () => {
    const lossesOf = async (seed: number) => {
      const run = await newRun({ steps: 10, seed })
      await train(run, { executor })
      return readFile(join(run.path, 'metrics.jsonl'), 'utf8')
    }
    expect(await lossesOf(1)).toBe(await lossesOf(1))
    expect(await lossesOf(1)).not.toBe(await lossesOf(2))
  })

  it('stops at the target accuracy', async () => {
    const run = await newRun({ evaluate: { every: 5, samples: 16, target: 0.1 } })
    const result = await train(run, { executor })
    expect(result).toMatchObject({ stopped: 'target', steps: 5 })
    expect(await listCheckpoints(run)).toEqual([5])
    expect(await train(run, { executor })).toMatchObject({ stopped: 'target', steps: 5, accuracy: result.accuracy })
  })

  it('works off a batch in parts with nearly the same losses', async () => {
    const lossesOf = async (accumulation: number) => {
      const run = await newRun({ steps: 10, accumulation })
      await train(run, { executor })
      return (await readHistory(run)).steps.map(({ loss }) => loss)
    }
    const [whole, parts] = [await lossesOf(1), await lossesOf(4)]
    for (const [i, loss] of whole.entries()) expect(parts[i]).toBeCloseTo(loss, 4)
  })

  it('trains with Adafactor, one cycle and without clipping', async () => {
    const run = await newRun({
      steps: 40,
      optimizer: { name: 'adafactor', lr: 1e-2 },
      schedule: { name: 'one-cycle' },
      clip: 0,
    })
    await train(run, { executor })
    const { steps } = await readHistory(run)
    expect(steps.at(-1)!.loss).toBeLessThan(0.9 * steps[0].loss)
    expect((await loadCheckpoint(run)).optimizer.has('rows:lm_head.weight')).toBe(true)
  })

  it('interrupted before the first update saves the initial weights', async () => {
    const run = await newRun({ steps: 12 })
    const signal = AbortSignal.abort()
    expect(await train(run, { executor, signal })).toMatchObject({ stopped: 'interrupted', steps: 0, tokens: 0 })
    expect(await listCheckpoints(run)).toEqual([0])
    expect(await train(run, { executor })).toMatchObject({ stopped: 'finished', steps: 12 })
  })
})

describe.each(nativeVariants().slice(0, 1))('on native %s', (isa) => {
  it.each(['f32', 'bf16'] as const)(
    'the curve in %s is the same at 1 and 2 threads, bit for bit',
    async (precision) => {
      const curveAt = async (threads: number) => {
        const run = await newRun()
        await train(run, { executor: nativeExecutor({ isa, precision, threads }) })
        return readFile(join(run.path, 'metrics.jsonl'), 'utf8')
      }
      expect(await curveAt(2)).toBe(await curveAt(1))
    },
  )

  it('the curve is that of the reference executor, but for rounding', async () => {
    const lossesOf = async (executor: Executor) => {
      const run = await newRun()
      await train(run, { executor })
      return (await readHistory(run)).steps.map(({ loss }) => loss)
    }
    const [native, reference] = [await lossesOf(nativeExecutor({ isa, precision: 'f32' })), await lossesOf(executor)]
    for (const [i, loss] of reference.entries()) expect(native[i]).toBeCloseTo(loss, 3)
  })
})

describe('train stops with one line', () => {
  const failure = (run: Run) =>
    train(run, { executor }).then(
      () => expect.fail('it trained'),
      (error) => error,
    )

  it('when the loss is no longer finite, and keeps the last good checkpoint', async () => {
    const run = await newRun()
    await trainUntil(run, 3)
    const broken = await newRun({ optimizer: { name: 'adamw', lr: 1e30 } })
    const good = await loadCheckpoint(run)
    await saveCheckpoint(broken, { ...good, state: { ...good.state, recipe: recipeHash(broken.recipe) } })
    const error = await failure(broken)
    expect(error).toBeInstanceOf(LatheError)
    const where = `the checkpoint of step 3 in ${broken.path} is kept`
    expect(error.message).toMatch(/^step 5: the (loss|gradient norm) is (NaN|-?Infinity): training stopped, /)
    expect(error.message).toContain(where)
    expect(await listCheckpoints(broken)).toEqual(await listCheckpoints(run))
    const { step, parameters } = await loadCheckpoint(broken)
    expect(step).toBe(3)
    for (const { data } of parameters.values()) expect(data.every((x) => Math.abs(x) < 100)).toBe(true)
  })

  it('when it happens before the first checkpoint', async () => {
    const run = await newRun({ optimizer: { name: 'adamw', lr: 1e30 }, schedule: { name: 'constant', warmup: 0 } })
    const error = await failure(run)
    expect(error.message).toMatch(/^step 2: .*: training stopped, no checkpoint had been saved; a lower optimizer.lr/)
    expect(await listCheckpoints(run)).toEqual([])
  })

  it('when the last update broke the weights', async () => {
    const run = await newRun({
      steps: 1,
      optimizer: { name: 'adamw', lr: 1e30 },
      schedule: { name: 'constant', warmup: 0 },
    })
    const error = await failure(run)
    expect(error.message).toMatch(/^step 1: the held-out loss is (NaN|Infinity): training stopped/)
    expect(await listCheckpoints(run)).toEqual([])
  })

  it.each<[Partial<RecipeInput>, string]>([
    [{ task: { name: 'phob' } }, 'no task is called "phob": did you mean phop?'],
    [{ task: { name: 'phop', n: 4, p: 3 } }, 'n = 4 is too short for p = 3'],
  ])('for the settings %j', async (changes, message) => {
    const error = await failure(await newRun(changes))
    expect(error).toBeInstanceOf(LatheError)
    expect(error.message).toContain(message)
  })
})
