/**
 * `lathe show RUN…` and `lathe ls`: runs at a glance.
 * @module
 */
import { stat } from 'node:fs/promises'
import { Command } from 'commander'
import { modelShape } from '../model/config.ts'
import { LoopPlan, parameters } from '../plan/index.ts'
import { type ComparedRun, compareRuns } from '../report/compare.ts'
import { formatInteger, formatLoss, formatParameters, formatPercent } from '../report/format.ts'
import { LatheError } from '../settings/error.ts'
import { createTask } from '../task/index.ts'
import {
  evaluationOf,
  listCheckpoints,
  listRuns,
  openRun,
  type Run,
  type Runs,
  readHistory,
  recipeModel,
} from '../train/index.ts'
import { jsonFlag, quoted } from './options.ts'
import { emit, printTable } from './output.ts'

export function showCommand(): Command {
  return new Command('show')
    .description('runs side by side: size, depth, accuracy, loss curve')
    .argument('[runs...]', 'folders of runs; default every run in runs/')
    .addOption(jsonFlag())
    .addHelpText('after', '\nExamples:\n  lathe show runs/phop-quickstart-*\n  lathe show --json')
    .action(async (folders: string[], { json }: { json?: boolean }) => {
      const compared =
        folders.length > 0
          ? await Promise.all(folders.map(async (folder) => comparedRun(await openRun(folder))))
          : (await allRuns('runs')).compared
      if (json) {
        emit({ runs: compared })
        return
      }
      const { columns, rows } = compareRuns(compared)
      if (rows.length > 0) printTable(columns, rows)
      else process.stdout.write('no runs yet: lathe train phop-quickstart makes one\n')
    })
}

export function lsCommand(): Command {
  return new Command('ls')
    .description('list the runs of a folder')
    .argument('[folder]', 'where the runs are; default runs')
    .addOption(jsonFlag())
    .addHelpText('after', '\nExamples:\n  lathe ls\n  lathe ls runs/lt-table1-phop-laptop --json')
    .action(async (given: string | undefined, { json }: { json?: boolean }) => {
      const folder = given ?? 'runs'
      if (given !== undefined && (await stat(given).catch(() => undefined)) === undefined)
        throw new LatheError(`there is no folder ${given}`)
      const { compared: rows, folders } = await allRuns(folder)
      if (json) return emit({ runs: rows.map(({ curve: _, sweep: __, ...row }) => row), folders })
      if (rows.length > 0) printTable(columns, rows)
      else if (folders.length === 0) process.stdout.write(`no runs in ${folder}\n`)
      for (const { path, count } of folders)
        process.stdout.write(`${path}: ${count} ${count === 1 ? 'run' : 'runs'}, see lathe ls ${quoted(path)}\n`)
    })
}

const columns = [
  { key: 'name', title: 'run' },
  { key: 'plan', title: 'plan' },
  { key: 'parameters', title: 'params', align: 'right', format: formatParameters },
  { key: 'steps', title: 'steps', align: 'right', format: formatInteger },
  { key: 'loss', title: 'loss', align: 'right', format: formatLoss },
  { key: 'accuracy', title: 'accuracy', align: 'right', format: formatPercent },
] as const

/** What a folder holds; runs that cannot be opened, or hold what Lathe refuses by now, are named on stderr. */
async function allRuns(folder: string): Promise<Pick<Runs, 'folders'> & { compared: ComparedRun[] }> {
  const { runs, broken, folders } = await listRuns(folder)
  const reasons = broken.map(({ reason }) => reason)
  const compared: ComparedRun[] = []
  for (const run of runs) {
    try {
      compared.push(await comparedRun(run))
    } catch (error) {
      if (!(error instanceof LatheError)) throw error
      reasons.push(`${run.path}: ${error.message}`)
    }
  }
  for (const reason of reasons) process.stderr.write(`${reason}\n`)
  return { compared, folders }
}

async function comparedRun(run: Run): Promise<ComparedRun> {
  const { steps, evaluations, seconds } = await readHistory(run)
  const [saved = 0] = await listCheckpoints(run) // one that was stopped between two records
  const config = recipeModel(run.recipe, createTask(run.recipe.task))
  const plan = LoopPlan.parse(config.plan)
  const last = evaluations.at(-1)
  const trained = last && evaluationOf(config.plan, last)
  return {
    name: run.path,
    plan: config.plan,
    parameters: parameters(plan, modelShape(config)),
    effectiveDepth: plan.effectiveDepth,
    steps: Math.max(steps.at(-1)?.step ?? 0, last?.step ?? 0, saved),
    loss: trained?.loss,
    accuracy: trained?.accuracy,
    tokens: steps.at(-1)?.tokens ?? 0,
    seconds,
    curve: steps.map(({ step, loss }) => ({ step, loss })),
    sweep: last?.evaluations,
  }
}
