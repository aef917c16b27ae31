import { z } from 'zod'
import { must } from '../../settings/settings.ts'
import type { Task } from '../task.ts'

/** A task's name with its settings beside it, as in a recipe. */
export interface TaskSettings {
  readonly name: string
  readonly [setting: string]: unknown
}

/** Makes the task that another one is about. */
export type CreateTask = (settings: TaskSettings) => Task

/** The setting `of`: another task. */
export const ofTask = (fallback: TaskSettings) =>
  z
    .looseObject({ name: z.string(must('the name of a task')) })
    .default(fallback)
    .describe('the task that it is made from: its name, and its settings beside it')

/** The task's vocabulary and, last, the dummy: `#`, or `<dummy>` where the task has a # of its own. */
export const withDummy = ({ vocabulary }: Task): string[] => [...vocabulary, vocabulary.includes('#') ? '<dummy>' : '#']
