import type { Model } from '../model/model-folder.ts'
import { parameterStore } from '../model/parameters.ts'
import { createTask, type Task } from '../task/index.ts'
import { loadCheckpoint, openRun, type Run } from '../train/index.ts'

/** A run's newest whole checkpoint as a model, with its task. */
export interface TrainedModel {
  readonly run: Run
  readonly model: Model
  readonly task: Task
  readonly step: number
  readonly warnings: readonly string[]
}

/** Opens a run for measuring. Throws a LatheError when the folder is no run or holds no whole checkpoint. */
export async function openModel(folder: string, atStep?: number): Promise<TrainedModel> {
  const run = await openRun(folder)
  const { config, parameters, step, warnings, path } = await loadCheckpoint(run, atStep)
  return {
    run,
    model: { config, parameters: parameterStore(config, parameters, path) },
    task: createTask(run.recipe.task),
    step,
    warnings,
  }
}
