/**
 * `lathe eval RUN`: measures a checkpoint, at any number of loops, on held-out samples or on your own examples.
 * @module
 */
import { Command, Option } from 'commander'
import {
  drawSamples,
  type Evaluation,
  evaluateSamples,
  evaluateWritten,
  isWritten,
  readExamples,
  type SkippedLine,
  type WrittenEvaluation,
} from '../eval/index.ts'
import { parameterCount } from '../model/parameters.ts'
import { LoopPlan, parseLoops, usualLoops } from '../plan/index.ts'
import { applySettings } from '../recipes/index.ts'
import { formatInteger, formatParameters, formatPercent } from '../report/format.ts'
import { LatheError } from '../settings/error.ts'
import { createTask, type Task } from '../task/index.ts'
import { openModel, type TrainedModel } from '../train/index.ts'
import {
  type CommonFlags,
  describeExecutor,
  executorOf,
  settingsFlag,
  wholeNumber,
  withCommonFlags,
} from './options.ts'
import { emit, printTable, wrap } from './output.ts'
import { sweepColumns, withDepth } from './sweep.ts'

/** Of a task whose answers are written, with how well the model writes them. */
type Measured = Evaluation & Partial<WrittenEvaluation>

interface EvalFlags extends CommonFlags {
  readonly loops?: string
  readonly data?: string
  readonly samples: number
  readonly set: string[]
  readonly step?: number
}

const examples = `
Examples:
  lathe eval runs/phop-quickstart-1x4-s0
  lathe eval runs/phop-quickstart-1x4-s0 --loops 1,2,4,8,16
  lathe eval runs/phop-quickstart-1x4-s0 --set task.p=2
  lathe eval runs/middle --loops 2:8
  lathe eval runs/mine --data mine.jsonl

2:8 loops segment 2 of the plan 8 times. A line of mine.jsonl, for 3 hops:
  {"input": "badcabcdab", "target": "d"}

${wrap('Where answers are written token by token, the column answers is the share that the model gets right when it writes alone.')}`

const writtenColumns = [
  ...sweepColumns.slice(0, 4),
  { key: 'answerAccuracy', title: 'answers', align: 'right', format: formatPercent },
  ...sweepColumns.slice(4),
] as const

export function evalCommand(): Command {
  const command = new Command('eval')
    .description('measure a run: accuracy and loss at any number of loops')
    .argument('<run>', 'folder of a run')
    .option('--loops <list>', 'loops to evaluate at, such as 1,2,4,8, or segment:loops such as 2:8')
    .addOption(
      new Option('--data <file>', 'your own examples, one JSON object a line, instead of held-out samples').conflicts(
        'samples',
      ),
    )
    .option('--samples <n>', 'held-out samples to draw', wholeNumber(1), 4096)
    .addOption(settingsFlag('task.key=value', 'change a setting of the task; may be given often'))
    .option('--step <n>', 'the checkpoint of this step; default the newest', wholeNumber(0))
    .addHelpText('after', examples)
  return withCommonFlags(command).action(runEval)
}

async function runEval(folder: string, flags: EvalFlags): Promise<void> {
  const trained = await openModel(folder, flags.step)
  const task = taskOf(trained, flags.set)
  for (const warning of trained.warnings) process.stderr.write(`${warning}\n`)
  const executor = executorOf(trained.run.recipe, flags)
  const plan = LoopPlan.parse(trained.model.config.plan)
  const loops = flags.loops === undefined ? usualLoops(plan) : parseLoops(flags.loops, plan)
  if (!flags.json) process.stderr.write(`${folder}: step ${trained.step}, ${describeExecutor(executor)}\n`)
  const { model } = trained
  const seed = flags.seed ?? trained.run.recipe.seed
  const { samples, skipped } = flags.data
    ? await readExamples(flags.data, task)
    : { samples: await drawSamples(task, { samples: flags.samples, split: 'test', seed }), skipped: [] }
  const evaluations: Measured[] = await evaluateSamples(model, task, executor, samples, loops)
  if (isWritten(task))
    for (const [i, evaluation] of evaluations.entries())
      evaluations[i] = { ...evaluation, ...(await evaluateWritten(model, task, executor, samples, loops[i])) }
  if (flags.json) emit(result(folder, trained, task, evaluations, skipped, flags))
  else print(trained, task, evaluations, skipped, flags)
}

/** What the model is measured on: the task that it was trained on, as the flags change it. */
function taskOf({ task, run: { recipe } }: TrainedModel, set: readonly string[]): Task {
  const foreign = set.find((setting) => !setting.startsWith('task.'))
  if (foreign !== undefined)
    throw new LatheError(
      `eval changes the task alone: write ${JSON.stringify(foreign)} as task.key=value, such as task.p=4`,
    )
  if (set.length === 0) return task
  const other = createTask(applySettings(recipe, set).task)
  if (other.vocabulary.some((text, id) => text !== task.vocabulary[id]))
    throw new LatheError(`${set.join(', ')}: token ids mean other things there than in training`)
  return other
}

function result(
  folder: string,
  { model, state, step, run: { recipe } }: TrainedModel,
  task: Task,
  evaluations: readonly Measured[],
  skipped: readonly SkippedLine[],
  { data, set, seed }: EvalFlags,
) {
  const known = {
    parameters: parameterCount(model.parameters),
    trainingFlops: state.flops,
    steps: step,
    chance: task.chance,
    ...(isWritten(task) ? { answerChance: task.written.chance } : {}),
    run: folder,
  }
  const rows = evaluations.map((evaluation) => ({ ...withDepth(evaluation), ...known }))
  return {
    rows,
    trainedPlan: model.config.plan,
    seed: recipe.seed,
    data: data ?? 'test',
    ...(data ? {} : { sampleSeed: seed ?? recipe.seed }),
    set,
    skipped,
  }
}

function print(
  { model, step, run: { recipe } }: TrainedModel,
  task: Task,
  evaluations: readonly Measured[],
  skipped: readonly SkippedLine[],
  { data, set, seed = recipe.seed }: EvalFlags,
): void {
  for (const { line, reason } of skipped) process.stdout.write(`${data}:${line}: not scored: ${reason}\n`)
  process.stdout.write(
    `\nplan ${model.config.plan}, ${formatParameters(parameterCount(model.parameters))} parameters, ` +
      `${formatInteger(step)} steps, seed ${recipe.seed}; ${[data ?? `held-out test samples${seed === recipe.seed ? '' : ` of seed ${seed}`}`, ...set].join(', ')}; ` +
      `chance ${formatPercent(task.chance)}${isWritten(task) ? `, of answers ${formatPercent(task.written.chance)}` : ''}\n\n`,
  )
  printTable(isWritten(task) ? writtenColumns : sweepColumns, evaluations.map(withDepth))
}
