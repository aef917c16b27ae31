/**
 * `npm start`: one layer, the same layer looped, and as many layers, on the same data. Ends with a table and a report.
 * @module
 */
import { join } from 'node:path'
import { Command } from 'commander'
import { loopSweep } from '../eval/index.ts'
import { chooseExecutor } from '../executor/index.ts'
import { replaceFile } from '../files/durable-file.ts'
import { LoopPlan, loopedAt } from '../plan/index.ts'
import { applySettings, phopQuickstart, phopTiny, type Recipe } from '../recipes/index.ts'
import { formatInteger } from '../report/format.ts'
import type { QuickstartInput, QuickstartRole, QuickstartRow } from '../report/index.ts'
import { createTask } from '../task/index.ts'
import {
  createRun,
  evaluationOf,
  machineOf,
  openModel,
  type Run,
  readHistory,
  type TrainingResult,
} from '../train/index.ts'
import { runCommand } from './main.ts'
import {
  type CommonFlags,
  executorOf,
  flagSettings,
  givenFlags,
  quoted,
  wholeNumber,
  withCommonFlags,
} from './options.ts'
import { emit, printTable, wrap } from './output.ts'
import { trainWithProgress } from './train.ts'

interface QuickstartFlags extends CommonFlags {
  readonly out: string
  readonly steps?: number
}

interface Trained {
  readonly role: QuickstartRole
  readonly run: Run
  readonly result: TrainingResult
}

const defaultOut = 'runs'

const examples = `
Examples:
  npm start
  npm start -- --seed 1
  npm start --silent -- --json`

/** Runs the quickstart with the arguments after `npm start --`. Returns the exit code. */
export function quickstart(argv: readonly string[]): Promise<number> {
  const command = new Command('npm start --')
    .description('train 1, 1xL and L layers on p-hop induction and see what the loop buys')
    .option('--out <folder>', 'where the runs and the report go', defaultOut)
    .option('--steps <n>', 'updates of each model; default those of the recipe', wholeNumber(1))
    .addHelpText('after', examples)
  return runCommand(withCommonFlags(command).action(runQuickstart), argv)
}

async function runQuickstart(flags: QuickstartFlags): Promise<void> {
  const looped = quickstartRecipe(flags)
  const plan = LoopPlan.parse(looped.model.plan)
  const roles: [QuickstartRole, LoopPlan][] = [
    ['iso-parameter', plan.isoParameter()],
    ['looped', plan],
    ['iso-FLOP', plan.isoFlop()],
  ]
  if (!flags.json) process.stderr.write(`${introduction(looped)}\n\n`)
  const trained: Trained[] = []
  for (const [role, rolePlan] of roles) {
    const recipe = applySettings(looped, [`model.plan=${rolePlan}`])
    const run = await createRun(recipe, machineOf(executorOf(recipe)), { root: flags.out })
    const result = await trainWithProgress(run, flags)
    if (result.stopped === 'interrupted') {
      process.stderr.write(`stopped; this run goes on with: npx lathe train --resume ${quoted(run.path)}\n`)
      process.exitCode = 130
      return
    }
    trained.push({ role, run, result })
  }
  await finish(trained, flags)
}

/** The size that this machine is for: a smaller one where only the reference executor runs. */
function quickstartRecipe(flags: QuickstartFlags): Recipe {
  const { name } = chooseExecutor(flags)
  const recipe = name === 'native' ? phopQuickstart() : phopTiny()
  const steps = flags.steps === undefined ? [] : [`steps=${flags.steps}`]
  return applySettings(recipe, [...flagSettings(flags), ...steps, `checkpoint.every=${flags.steps ?? recipe.steps}`])
}

function introduction({ task, model, steps, batch }: Recipe): string {
  const plan = LoopPlan.parse(model.plan)
  return (
    `Three models learn ${task.p}-hop induction in ${task.n} letters from the same data: plan ${plan.isoParameter()} (one layer),\n` +
    `${plan} (that layer looped) and ${plan.isoFlop()} (as many layers), ${formatInteger(steps)} steps of ${batch} sequences each.`
  )
}

async function finish(trained: readonly Trained[], flags: QuickstartFlags): Promise<void> {
  const { quickstartColumns, quickstartNote, quickstartReport, quickstartSentences } = await import(
    '../report/index.ts'
  )
  const input = await reportInput(trained, flags)
  const report = join(flags.out, `quickstart-s${input.seed}.html`)
  await replaceFile(report, [Buffer.from(quickstartReport(input))])
  if (flags.json) {
    emit({ rows: input.rows.map((row, i) => ({ ...row, run: trained[i].run.path })), sweep: input.sweep, report })
    return
  }
  process.stdout.write('\n')
  printTable(quickstartColumns, input.rows)
  process.stdout.write(`\n${wrap(quickstartNote(input))}\n\n`)
  for (const sentence of quickstartSentences(input)) process.stdout.write(`${wrap(sentence)}\n`)
  process.stdout.write(`\nThe report, with figures: ${report}\n`)
}

async function reportInput(trained: readonly Trained[], flags: QuickstartFlags): Promise<QuickstartInput> {
  const looped = trained.find(({ role }) => role === 'looped')!
  const { recipe, environment, path } = looped.run
  const plan = LoopPlan.parse(recipe.model.plan)
  const task = createTask(recipe.task)
  const rows = trained.map(({ role, run, result }): QuickstartRow => {
    const { parameters, trainingFlops, steps, seconds, accuracy } = result
    const { plan: text } = run.recipe.model
    const { effectiveDepth } = LoopPlan.parse(text)
    return {
      plan: text,
      role,
      parameters,
      effectiveDepth,
      trainingFlops,
      steps,
      seconds,
      accuracy: accuracy!,
      chance: task.chance,
    }
  })
  return {
    rows,
    sweep: await fineSweep(looped),
    trainedLoops: plan.segments[0].loops,
    curves: await Promise.all(trained.map(curveOf)),
    task: taskInWords(recipe),
    seed: recipe.seed,
    evaluationSequences: recipe.evaluate.samples,
    next: [
      {
        command: `npx lathe eval ${quoted(path)} --loops 1,2,4,8,16`,
        does: 'measure the looped model at other numbers of loops',
      },
      {
        command: `npx lathe show ${trained.map(({ run }) => quoted(run.path)).join(' ')}`,
        does: 'see the three runs side by side',
      },
      {
        command: trainCommand(recipe, flags),
        does: 'train another plan on the same data',
      },
    ],
    environment: {
      ...environment,
      date: environment.created.slice(0, 10),
      command: commandOf(flags),
      versions: { lathe: environment.lathe, node: environment.node },
    },
  }
}

/** What trains another plan, beside the three models in all else. */
function trainCommand(
  { name, seed, steps }: Recipe,
  { out, steps: given, executor, precision, threads }: QuickstartFlags,
): string {
  const run = join(out, `${name}-2x2-s${seed}`)
  return [
    `npx lathe train ${name} --set model.plan=2x2`,
    ...(given === undefined ? [] : [`--set steps=${steps}`]),
    `--seed ${seed}`,
    ...givenFlags({ executor, precision, threads }),
    ...(out === defaultOut ? [] : [`--run ${quoted(run)}`]),
  ].join(' ')
}

/** What makes the same again, with every flag that was given. */
function commandOf({ json: _, out, ...flags }: QuickstartFlags): string {
  const given = givenFlags({ ...flags, out: out === defaultOut ? undefined : out })
  return ['npm start', ...(given.length > 0 ? ['--', ...given] : [])].join(' ')
}

const letters = 'badcabcdab'
const hopsOfExample = [
  'the b before it is followed by c',
  'the c before that one is followed by a',
  'the a before that one is followed by d',
]

/** The task in words, with an example of as many hops; quickstarts have at most three. */
function taskInWords({ task: { n, p } }: Recipe): QuickstartInput['task'] {
  const hops = Number(p)
  const task = createTask({ name: 'phop', n: letters.length, p: hops })
  const { input, target } = task.format(task.parse({ input: letters }))
  return {
    description:
      'p-hop induction (Sanford et al. 2024; Saunshi et al. 2025, §2.2): one hop goes from a letter to the letter that ' +
      'followed its last earlier occurrence. The model reads the letters and says where p hops from the last one end. ' +
      `Here p = ${hops}, and a sequence has ${n} letters.`,
    exampleInput: input,
    exampleTarget: target,
    explanation:
      `${['One hop', 'Two hops', 'Three hops'][hops - 1]}: the last letter is b; ${hopsOfExample.slice(0, hops).join('; ')}. ` +
      'Each hop needs the one before, so a model needs depth, and it is the same work every time, so it can loop.',
  }
}

async function curveOf({ run }: Trained): Promise<QuickstartInput['curves'][number]> {
  const { plan } = run.recipe.model
  const { steps, evaluations } = await readHistory(run)
  const losses = steps.map(({ step, loss }) => ({ step, loss }))
  const accuracies = evaluations.map((record) => ({
    step: record.step,
    accuracy: evaluationOf(plan, record)!.accuracy,
  }))
  return { label: plan, points: [...losses, ...accuracies] }
}

/** The looped model at every number of loops up to twice its own. */
async function fineSweep({ run }: Trained): Promise<QuickstartInput['sweep']> {
  const { model, task } = await openModel(run.path)
  const plan = LoopPlan.parse(model.config.plan)
  const counts = Array.from({ length: 2 * plan.segments[0].loops }, (_, i) => i + 1)
  const { seed, evaluate } = run.recipe
  return loopSweep(model, task, executorOf(run.recipe), {
    samples: evaluate.samples,
    seed,
    loops: loopedAt(plan, counts),
  })
}
