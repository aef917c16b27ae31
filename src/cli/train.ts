/**
 * `lathe train RECIPE`: trains, with progress on stderr and the result on stdout.
 * @module
 */
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { Command } from 'commander'
import type { Evaluation } from '../eval/index.ts'
import type { Executor, Precision } from '../executor/index.ts'
import { replaceFile } from '../files/durable-file.ts'
import { LoopPlan } from '../plan/index.ts'
import { applySettings, loadRecipe, type Recipe, recipeSettings, recipes, resolveRecipe } from '../recipes/index.ts'
import { formatFlops, formatInteger, formatParameters, formatPercent } from '../report/format.ts'
import { markdownTable } from '../report/table.ts'
import { LatheError } from '../settings/error.ts'
import { createTask } from '../task/index.ts'
import {
  createRun,
  listCheckpoints,
  machineOf,
  openRun,
  type Run,
  setUpTraining,
  type TrainingResult,
  train,
} from '../train/index.ts'
import { interruptible } from './interrupt.ts'
import {
  type CommonFlags,
  describeExecutor,
  executorOf,
  flagSettings,
  quoted,
  settingsFlag,
  withCommonFlags,
} from './options.ts'
import { emit, Progress, printTable, wrap } from './output.ts'
import { sweepColumns, withDepth } from './sweep.ts'

interface TrainFlags extends CommonFlags {
  readonly set: string[]
  readonly run?: string
  readonly resume?: string
  readonly settings?: boolean
}

const examples = `
${wrap(`Recipes: ${[...recipes.keys()].join(', ')}`)}

Examples:
  lathe train phop-quickstart --settings
  lathe train phop-quickstart
  lathe train phop-quickstart --set model.plan=4 --set steps=500 --seed 1
  lathe train ./my-recipe.ts --run runs/mine
  lathe train --resume runs/mine`

export function trainCommand(): Command {
  const command = new Command('train')
    .description('train a model: a recipe by name, or your own .ts file')
    .argument('[recipe]', 'name of a recipe, or a .ts, .js or .json file; with --resume it may be left out')
    .addOption(settingsFlag('key=value', 'change a setting of the recipe; may be given often'))
    .option('--run <folder>', 'where the run goes; default runs/<recipe>-<plan>-s<seed>')
    .option('--resume <folder>', 'go on with a run that was stopped')
    .option('--settings', "print the recipe's settings, each with what it means, and train nothing")
    .addHelpText('after', examples)
  return withCommonFlags(command).action((name: string | undefined, flags: TrainFlags) =>
    flags.settings ? printSettings(name, flags, command) : runTrain(name, flags),
  )
}

async function printSettings(name: string | undefined, flags: TrainFlags, command: Command): Promise<void> {
  if (flags.resume !== undefined)
    throw new LatheError('--settings are those of a recipe: name one in place of --resume')
  const recipe = await recipeOf(name, flags)
  setUpTraining(recipe) // settings that contradict the task are told here, too
  const settings = recipeSettings(recipe)
  if (flags.json) return emit({ name: recipe.name, description: recipe.description, settings })
  const help = command.configureHelp({ helpWidth: process.stdout.columns ?? 80 }).createHelp()
  const shown = (value: unknown) => {
    if (typeof value === 'string') return value
    return typeof value === 'number' ? String(Number(value.toPrecision(7))) : (JSON.stringify(value) ?? '')
  }
  const lines = settings
    .filter(({ path }) => path !== 'name' && path !== 'description')
    .map(({ path, value, description }) => help.formatItem(`${path}=${shown(value)}`, 28, description, help))
  process.stdout.write(`${wrap(`${recipe.name}: ${recipe.description}`)}\n\n${lines.join('\n')}\n`)
}

async function runTrain(name: string | undefined, flags: TrainFlags): Promise<void> {
  const run = flags.resume === undefined ? await newRun(name, flags) : await resumedRun(flags.resume, name, flags)
  const result = await trainWithProgress(run, flags)
  if (result.stopped === 'interrupted') {
    process.stderr.write(`go on with: lathe train --resume ${quoted(run.path)}\n`)
    process.exitCode = 130
  }
  if (flags.json) emit(summary(run, result))
  else printResult(run, result)
}

/** One line that says what was trained: every accuracy needs it. */
function headline({ recipe }: Run, { steps, parameters, trainingFlops, stopped }: TrainingResult): string {
  const target = stopped === 'target' ? `; it reached its target, ${formatPercent(recipe.evaluate.target!)}` : ''
  return (
    `${recipe.name}: plan ${recipe.model.plan}, ${formatParameters(parameters)} parameters, ` +
    `${formatInteger(steps)} steps of ${recipe.batch} sequences, ${formatFlops(trainingFlops)}, seed ${recipe.seed}${target}`
  )
}

/** `report.md` in the run's folder: what was trained, and how it does at every number of loops. */
async function writeReport(run: Run, result: TrainingResult): Promise<void> {
  const { recipe, environment } = run
  const text = [
    `# ${headline(run, result)}`,
    recipe.description,
    markdownTable(sweepColumns, sweepOf(result).map(withDepth)),
    `Held-out ${recipe.task.name} samples. ${environment.cpu}, ${environment.executor} ${environment.isa}, ` +
      `${environment.precision}, Lathe ${environment.lathe} at ${environment.commit ?? 'a release'}.`,
  ]
  await replaceFile(join(run.path, 'report.md'), [Buffer.from(`${text.join('\n\n')}\n`)])
}

const settingsOf = (flags: TrainFlags): string[] => [...flags.set, ...flagSettings(flags)]

async function recipeOf(name: string | undefined, flags: TrainFlags): Promise<Recipe> {
  if (name === undefined) throw new LatheError('name a recipe, such as: lathe train phop-quickstart')
  return applySettings(await loadRecipe(name), settingsOf(flags))
}

async function newRun(name: string | undefined, flags: TrainFlags): Promise<Run> {
  const recipe = await recipeOf(name, flags)
  setUpTraining(recipe) // what contradicts the task must not leave a folder behind
  return createRun(recipe, machineOf(executorOf(recipe)), { path: flags.run })
}

async function resumedRun(folder: string, name: string | undefined, flags: TrainFlags): Promise<Run> {
  if (flags.run !== undefined) throw new LatheError('--run names a new run and --resume an old one: give one of them')
  const run = await openRun(folder)
  const asked = name === undefined ? (run.recipe as Recipe) : await loadRecipe(name)
  const wanted = applySettings(asked, settingsOf(flags))
  const chosen = chosenBy(run)
  const different = differences(chosen(run.recipe), chosen(resolveRecipe(wanted))).filter(
    (key) => !machineKeys.includes(key),
  )
  if (different.length > 0)
    throw new LatheError(
      `${folder} was trained with another ${different.join(', ')}: resume it as it is, or start a new run without --resume`,
    )
  return { ...run, recipe: { ...run.recipe, recompute: wanted.recompute } }
}

/** A recipe with what the run's first machine chose in place of `auto`. */
const chosenBy = ({ environment }: Run) => {
  const { executor, precision } = environment as Pick<Recipe, 'executor' | 'precision'>
  return (recipe: Recipe): Recipe => ({
    ...recipe,
    executor: recipe.executor === 'auto' ? executor : recipe.executor,
    precision: recipe.precision === 'auto' ? precision : recipe.precision,
  })
}

// What a machine decides may differ from session to session; the curve may not.
const machineKeys = ['threads', 'recompute']

/** Dotted keys in which two recipes differ. */
function differences(a: unknown, b: unknown, path = ''): string[] {
  if (isDeepStrictEqual(a, b)) return []
  if (typeof a !== 'object' || typeof b !== 'object' || !a || !b || Array.isArray(a)) return [path]
  const keys = new Set([...Object.keys(a), ...Object.keys(b)])
  const at = (tree: object, key: string): unknown => (tree as Record<string, unknown>)[key]
  return [...keys].flatMap((key) => differences(at(a, key), at(b, key), path ? `${path}.${key}` : key))
}

/** The executor that a run began with: another precision would be another curve. Says so where the CPU is another one. */
function executorOfRun({ path, recipe, environment }: Run, { threads }: CommonFlags): Executor {
  const { executor, precision, isa } = environment as {
    executor: 'native' | 'reference'
    precision: Precision
    isa: string
  }
  const chosen = executorOf(recipe, { threads, executor, precision })
  if (chosen.isa !== isa)
    process.stderr.write(
      `${path} began on ${isa} and goes on on ${chosen.isa}: the last bits of its curve may differ\n`,
    )
  return chosen
}

/** Trains a run under a progress bar; Ctrl-C stops it after an update. */
export async function trainWithProgress(run: Run, flags: CommonFlags): Promise<TrainingResult> {
  const { recipe } = run
  const executor = executorOfRun(run, flags)
  const [start = 0] = await listCheckpoints(run)
  const progress = new Progress({ label: recipe.model.plan, steps: recipe.steps, start, silent: flags.json })
  const note = (line: string) => (flags.json ? process.stderr.write(`${line}\n`) : progress.log(line))
  const { signal, release } = interruptible(note)
  if (!flags.json) process.stderr.write(`${run.path}: ${describeExecutor(executor)}\n`)
  try {
    const result = await train(run, {
      executor,
      signal,
      onStep: (state) => progress.update(state),
      onEvaluate: (record) => flags.json && emit({ run: run.path, ...record }),
      onNote: note,
    })
    progress.finish(result.accuracy)
    if (result.stopped !== 'interrupted') await writeReport(run, result)
    return result
  } finally {
    release()
  }
}

/** The result of a training as `--json` ends: a row as every verb gives them, and the same model at other loops. */
function summary({ recipe, path }: Run, result: TrainingResult) {
  const { parameters, trainingFlops, steps, accuracy, loss, seconds, tokens, stopped } = result
  const { plan } = recipe.model
  const { effectiveDepth } = LoopPlan.parse(plan)
  const { chance } = createTask(recipe.task)
  const row = { plan, parameters, effectiveDepth, trainingFlops, steps, accuracy, chance, run: path }
  const sweep = sweepOf(result).map(withDepth)
  return {
    rows: [{ ...row, loss, seconds, tokens, seed: recipe.seed, stopped }],
    sweep,
    report: stopped === 'interrupted' ? undefined : join(path, 'report.md'),
  }
}

/** The last evaluation, at every number of loops. */
const sweepOf = ({ evaluations }: TrainingResult): readonly Evaluation[] => evaluations.at(-1)?.evaluations ?? []

function printResult(run: Run, result: TrainingResult): void {
  process.stdout.write(`\n${headline(run, result)}\n\n`)
  const sweep = sweepOf(result).map(withDepth)
  if (sweep.length === 0) return
  printTable(sweepColumns, sweep)
  process.stdout.write(`\nevaluate it on test samples with: lathe eval ${quoted(run.path)}\n`)
}
