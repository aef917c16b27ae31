import { LatheError } from '../tensor/error.ts'
import { nearest } from '../tensor/nearest.ts'
import type { TaskDefinition } from './task.ts'

/** The settings of a task with its defaults filled in. Throws a one-line LatheError that names the setting at fault. */
export function parseSettings<S>(definition: TaskDefinition<S>, input: unknown): S {
  const { data, error } = definition.settings.safeParse(input)
  if (error === undefined) return data
  const issue = error.issues[0]!
  const where = `task ${definition.name}`
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(definition.settings.parse({}) as object)
    const near = nearest(issue.keys[0]!, known)
    const hint = near === undefined ? `it has ${known.join(', ')}` : `did you mean ${near}?`
    throw new LatheError(`${where} has no setting ${JSON.stringify(issue.keys[0])}: ${hint}`)
  }
  const setting = issue.path[0]
  if (setting === undefined) throw new LatheError(`${where}: ${issue.message}`)
  const value = JSON.stringify((input as Record<PropertyKey, unknown>)[setting])
  throw new LatheError(`${where}: ${String(setting)} ${issue.message}, got ${value}`)
}
