/**
 * The tasks that Lathe can train on, by name. A new task is one folder and one entry in the list below.
 * @module
 */
import { LatheError } from '../settings/error.ts'
import { parseSettings } from '../settings/index.ts'
import { nearest } from '../settings/nearest.ts'
import { addition } from './addition/addition.ts'
import { dummyFirst } from './dummies/dummy-first.ts'
import type { TaskSettings } from './dummies/inner.ts'
import { slots } from './dummies/slots.ts'
import { group } from './group/group.ts'
import { igsm } from './igsm/igsm.ts'
import { phop } from './phop/phop.ts'
import { primitives } from './primitives/primitives.ts'
import { sanford } from './sanford/sanford.ts'
import type { Task, TaskDefinition } from './task.ts'

export type { TaskSettings } from './dummies/inner.ts'
export { byPaddedLength, paddedLength } from './padding.ts'
export { contentHash, drawInSplit, splitOf } from './split.ts'
export { stack, totalWeight } from './stack.ts'
export type { Example, Sample, SampleKey, Shortcut, Split, Task, TaskDefinition } from './task.ts'
export { UndefinedAnswerError } from './task.ts'

const definitions: readonly TaskDefinition[] = [
  addition,
  group,
  igsm,
  phop,
  primitives,
  sanford,
  // made from any other
  dummyFirst(createTask),
  slots(createTask),
]

/** Every task definition by its name. */
export const tasks: ReadonlyMap<string, TaskDefinition> = new Map(definitions.map((task) => [task.name, task]))

/** The definition called `name`. Throws a LatheError that suggests the nearest name. */
export function findTask(name: string): TaskDefinition {
  const task = tasks.get(name)
  if (task !== undefined) return task
  const names = [...tasks.keys()]
  const near = nearest(name, names)
  throw new LatheError(
    `no task is called ${JSON.stringify(name)}: ${near === undefined ? `there is ${names.join(', ')}` : `did you mean ${near}?`}`,
  )
}

/**
 * The task of that name with these settings, defaults filled in. Throws a LatheError for an unknown name or setting.
 *
 * @example
 * const task = createTask({ name: 'phop', n: 32, p: 4, loss: 'every' })
 * task.sample({ seed: 0, split: 'train', index: 0 }).tokens.length // 32
 */
export function createTask({ name, ...settings }: TaskSettings): Task {
  const definition = findTask(name)
  return definition.create(parseSettings(definition.settings, settings, `task ${definition.name}`))
}
