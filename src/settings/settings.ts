import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod'
import { LatheError } from './error.ts'
import { nearest } from './nearest.ts'

/** The error of a schema, put so that it reads on after the name of the setting. */
export const must = (be: string) => ({ error: `must be ${be}` })

export const text = z.string(must('a text'))
export const flag = z.boolean(must('true or false'))
export const positiveInteger = z.int(must('a positive integer')).min(1, must('a positive integer'))
export const wholeNumber = z.int(must('an integer from 0')).min(0, must('an integer from 0'))
/** A whole number within bounds, both allowed. */
export function whole(min: number, max: number) {
  const message = must(`a whole number from ${min} to ${max}`)
  return z.int(message).min(min, message).max(max, message)
}

export const positiveNumber = z.number(must('a positive number')).positive(must('a positive number'))
export const nonNegative = z.number(must('a number from 0')).min(0, must('a number from 0'))
export const fraction = z
  .number(must('a number from 0 to 1'))
  .min(0, must('a number from 0 to 1'))
  .max(1, must('a number from 0 to 1'))

/** One of a few words. */
export function oneOf<const T extends readonly [string, ...string[]]>(...words: T) {
  return z.enum(words, must(alternatives(words)))
}

/** The error of a discriminated union: on its own, and for a name that is none of `words`. */
export function alternativesError(words: readonly string[]) {
  return {
    error: (issue: { code: string }) => (issue.code === 'invalid_union' ? must(alternatives(words)).error : undefined),
  }
}

function alternatives(words: readonly string[]): string {
  const quoted = words.map((word) => `"${word}"`)
  return quoted.length < 2 ? quoted.join() : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`
}

/**
 * Reads settings by a schema whose objects are strict.
 * Throws a one-line LatheError that starts with `where` and names the setting by its dotted path; for an unknown
 * setting it suggests the nearest known one.
 */
export function parseSettings<S extends z.ZodType>(schema: S, input: unknown, where: string): z.output<S> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const { issues } = result.error
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]
  throw new LatheError(`${where}: ${sentence(issue, schema, input)}`)
}

function sentence(issue: z.core.$ZodIssue, schema: z.ZodType, input: unknown): string {
  const path = issue.path.join('.')
  if (issue.code === 'unrecognized_keys') {
    const prefix = issue.path.map((part) => `${String(part)}.`).join('')
    const paths = listSettings(schema, input).map((setting) => setting.path)
    const near = suggestion(prefix, issue.keys[0], paths)
    const hint = near === undefined ? `there are ${beside(prefix, paths).join(', ')}` : `did you mean ${near}?`
    return `there is no setting ${prefix}${issue.keys[0]}: ${hint}`
  }
  const plain = issue.code === 'invalid_type' && issue.expected === 'object' ? 'must be an object' : issue.message
  const value = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], input)
  const subject = path === '' ? 'it' : path
  if (value === undefined) return `${subject} is missing: it ${plain}`
  if (plain.startsWith('must ')) return `${subject} ${plain}, got ${show(value)}`
  return path === '' ? plain : `${subject}: ${plain}`
}

/** The setting that `key` under `prefix` is meant to be: the same name elsewhere, or the nearest beside it. */
function suggestion(prefix: string, key: string, paths: readonly string[]): string | undefined {
  const elsewhere = paths.find((path) => path.endsWith(`.${key}`))
  if (elsewhere !== undefined) return elsewhere
  const near = nearest(key, beside(prefix, paths))
  return near === undefined ? undefined : prefix + near
}

/** The settings directly under a prefix, once each. */
function beside(prefix: string, paths: readonly string[]): string[] {
  const names = paths.filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length).split('.')[0])
  return [...new Set(names)]
}

function show(value: unknown): string {
  const json = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value))
  return json.length > 60 ? `${json.slice(0, 57)}...` : json
}

/** A setting as help texts and documents list it. */
export interface Setting {
  /** Dotted, as `--set` takes it. */
  readonly path: string
  readonly description: string
  readonly default?: unknown
  /** The `name` of the alternative that it belongs to, as in `optimizer.beta1` of `adamw`. */
  readonly of?: string
  /** Whether a value typed on the command line is taken as it stands, not as JSON. */
  readonly isText: boolean
}

/** Every setting of a schema in its order. Where the schema has alternatives, those that `input` chose, or all. */
export function listSettings(schema: z.ZodType, input?: unknown, path = '', of?: string): Setting[] {
  const { inner, fallback } = unwrap(schema)
  if (inner instanceof z.ZodDiscriminatedUnion) {
    const options = inner.options as z.ZodObject[]
    const chosen = options.filter((option) =>
      isDeepStrictEqual(optionName(option), (input as { name?: unknown })?.name),
    )
    return (chosen.length > 0 ? chosen : options).flatMap((option) =>
      listSettings(option, input, path, optionName(option)),
    )
  }
  if (inner instanceof z.ZodObject) {
    return Object.entries(inner.shape).flatMap(([key, field]) => {
      const value = (input as Record<string, unknown> | undefined)?.[key]
      return listSettings(field as z.ZodType, value, path === '' ? key : `${path}.${key}`, of)
    })
  }
  const isText = inner instanceof z.ZodString || inner instanceof z.ZodEnum || inner instanceof z.ZodLiteral
  return [{ path, description: schema.description ?? '', isText, ...fallback, ...(of === undefined ? {} : { of }) }]
}

function unwrap(schema: z.ZodType): { inner: z.ZodType; fallback: { default?: unknown } } {
  let inner = schema
  let fallback: { default?: unknown } = {}
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault || inner instanceof z.ZodOptional) {
    if (inner instanceof z.ZodDefault) fallback = { default: inner.def.defaultValue }
    inner = inner.unwrap() as z.ZodType
  }
  return { inner, fallback }
}

function optionName(option: z.ZodObject): string {
  return (option.shape.name as z.ZodLiteral<string>).value
}
