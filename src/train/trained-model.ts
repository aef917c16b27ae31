import type { Model } from '../model/model-folder.ts'
import { parameterStore } from '../model/parameters.ts'
import { createTask, type Task } from '../task/index.ts'
import { loadCheckpoint, type TrainingState } from './checkpoint.ts'
import { openRun, type Run } from './run-folder.ts'

/** A run's checkpoint as a model, with its task. */
export interface TrainedModel {
  readonly run: Run
  readonly model: Model
  readonly task: Task
  readonly step: number
  readonly state: TrainingState
  readonly warnings: readonly string[]
}

/**
 * Opens a run for measuring, at its newest whole checkpoint or that of a step. Throws a LatheError when the folder is no
 * run or holds no such checkpoint.
 */
export async function openModel(folder: string, atStep?: number): Promise<TrainedModel> {
  const run = await openRun(folder)
  const { config, parameters, step, state, warnings, path } = await loadCheckpoint(run, atStep)
  return {
    run,
    model: { config, parameters: parameterStore(config, parameters, path) },
    task: createTask(run.recipe.task),
    step,
    state,
    warnings,
  }
}
