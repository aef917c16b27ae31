import * as z from 'zod'
import { MOST_GROUPS } from '../executor/executor.ts'
import { modelSchema, widths } from '../model/config.ts'
import { LatheError } from '../settings/error.ts'
import {
  alternativesError,
  fraction,
  listSettings,
  must,
  nonNegative,
  oneOf,
  parseSettings,
  positiveInteger,
  positiveNumber,
  type Setting,
  text,
  whole,
  wholeNumber,
} from '../settings/settings.ts'
import { findTask } from '../task/index.ts'

const belowOne = z.number(must('a number from 0 to below 1')).min(0, must('a number from 0')).lt(1, must('below 1'))
const lr = positiveNumber.default(1e-3).describe('peak learning rate')
const weightDecay = nonNegative.default(0).describe('decoupled weight decay')
const warmup = wholeNumber.optional().describe('updates of linear warmup; default 2 % of steps')
const final = fraction.default(0).describe('learning rate of the last update, as a fraction of the peak')

const beta1 = belowOne.default(0.9).describe('decay of the first moment')
const beta2 = belowOne.default(0.95).describe('decay of the second moment')
const eps = positiveNumber.default(1e-8).describe('added to the root of the second moment')

const adamw = z.strictObject({
  name: z.literal('adamw').describe('AdamW (Loshchilov & Hutter 2019)'),
  lr,
  beta1,
  beta2,
  eps,
  weightDecay,
})
const adafactor = z.strictObject({
  name: z.literal('adafactor').describe('Adafactor (Shazeer & Stern 2018), no momentum, no parameter scaling'),
  lr,
  decay: positiveNumber.default(0.8).describe('exponent c of the second-moment decay 1 - t^-c'),
  clipThreshold: positiveNumber.default(1).describe('greatest root mean square of an update'),
  eps1: positiveNumber.default(1e-30).describe('added to the squared gradient'),
  weightDecay,
})

const muon = z.strictObject({
  name: z.literal('muon').describe('Muon (Jordan et al. 2024) for matrices of layers, AdamW for everything else'),
  lr: positiveNumber.default(0.02).describe('peak learning rate of the matrices'),
  momentum: belowOne.default(0.95).describe('decay of the momentum'),
  weightDecay,
  others: z
    .strictObject({
      lr: positiveNumber.default(3e-3).describe("AdamW's peak learning rate, for embeddings, head, gains and biases"),
      beta1,
      beta2,
      eps,
      weightDecay,
    })
    .prefault({}),
})

const schedules = [
  z.strictObject({ name: z.literal('cosine').describe('warmup, then half a cosine'), warmup, final }),
  z.strictObject({ name: z.literal('linear').describe('warmup, then a straight line'), warmup, final }),
  z.strictObject({ name: z.literal('constant').describe('warmup, then the peak'), warmup }),
  z.strictObject({
    name: z.literal('one-cycle').describe('up and down along cosines (Smith & Topin 2018)'),
    pctStart: fraction.default(0.3).describe('fraction of the updates on the way up'),
    div: positiveNumber.default(25).describe('peak over the first learning rate'),
    finalDiv: positiveNumber.default(1e4).describe('first learning rate over the last'),
  }),
] as const

const orLoops = must('"auto", "none" or a number of loops')

/** The one schema of a recipe. Objects are strict, except for the settings of the task, which the task checks. */
export const recipeSchema = z.strictObject({
  name: z
    .string(must('a name of letters, digits, dots and dashes'))
    .regex(/^[A-Za-z0-9][\w.-]*$/, must('a name of letters, digits, dots and dashes'))
    .describe('name of the recipe; the run folder begins with it'),
  description: text.default('').describe('what it trains, in a sentence'),
  task: z.looseObject({ name: text.describe('name of the task; its own settings stand beside it') }),
  model: modelSchema.omit({ attention: true, vocabulary: true, maxLength: true }),
  steps: positiveInteger.describe('number of updates'),
  batch: whole(1, 2 ** 20)
    .default(64)
    .describe('sequences per update'),
  accumulation: positiveInteger.default(1).describe('parts that a batch is worked off in; must divide it'),
  groups: whole(1, MOST_GROUPS)
    .optional()
    .describe('groups of sequences that sum gradients apart; default by the executor'),
  optimizer: z
    .discriminatedUnion('name', [adamw, adafactor, muon], alternativesError(['adamw', 'adafactor', 'muon']))
    .prefault({ name: 'adamw' }),
  schedule: z
    .discriminatedUnion('name', schedules, alternativesError(['cosine', 'linear', 'constant', 'one-cycle']))
    .prefault({ name: 'cosine' }),
  clip: nonNegative.default(1).describe('greatest norm of the whole gradient; 0 switches clipping off'),
  seed: wholeNumber.default(0).describe('seed of the initial weights and of the data'),
  evaluate: z
    .strictObject({
      every: positiveInteger.default(250).describe('updates between evaluations; the last update is evaluated too'),
      samples: whole(1, 2 ** 24)
        .default(1024)
        .describe('held-out sequences per evaluation'),
      loops: z
        .array(positiveInteger, must('a list of loop counts such as [1,2,4]'))
        .min(1, must('a list of loop counts such as [1,2,4]'))
        .optional()
        .describe('loop counts of the one looped segment to evaluate at; default 1, 2, 4 … up to twice its own'),
      target: fraction.optional().describe('accuracy at which training stops; default none'),
    })
    .prefault({}),
  checkpoint: z
    .strictObject({
      every: positiveInteger.default(500).describe('updates between checkpoints; the last update is saved too'),
      keep: positiveInteger.default(3).describe('newest checkpoints to keep, besides the best'),
      failure: oneOf('stop', 'continue')
        .default('stop')
        .describe('after a save that fails: stop, or continue and try at the next; the last save must succeed'),
    })
    .prefault({}),
  precision: oneOf('auto', 'bf16', 'f32').default('auto').describe('operands of matrix products: auto, bf16 or f32'),
  executor: oneOf('auto', 'native', 'reference').default('auto').describe('what computes: auto, native or reference'),
  recompute: z
    .union([z.literal(['auto', 'none']), z.int(orLoops).min(1, orLoops)], orLoops)
    .default('auto')
    .describe(
      'loops whose values are computed again at a time, to keep less: none, a number, or auto (as memory asks)',
    ),
  threads: positiveInteger.optional().describe('worker threads; default one per core'),
})

export type RecipeInput = z.input<typeof recipeSchema>

/** A recipe that has been checked. What follows from other settings is absent, so that it still follows them. */
export type Recipe = z.output<typeof recipeSchema>

/** A recipe with nothing left to derive but what the machine decides (precision, executor, threads, groups). */
export type ResolvedRecipe = Recipe & {
  model: { dHead: number; dHeadValue: number; dFf: number; attentionScale: number }
  schedule: { name: 'one-cycle' } | { warmup: number }
}

/**
 * Checks a recipe and fills its defaults.
 * Throws a one-line LatheError that names recipe and setting, and the nearest setting for one that does not exist.
 *
 * @example
 * defineRecipe({
 *   name: 'tiny',
 *   task: { name: 'phop', n: 16, p: 2 },
 *   model: { plan: '1x3', dModel: 32, nHeads: 4 },
 *   steps: 100,
 * }).batch // 64
 */
export function defineRecipe(input: RecipeInput): Recipe {
  const name = (input as { name?: unknown } | null | undefined)?.name
  const where = typeof name === 'string' ? `recipe ${name}` : 'recipe'
  const recipe = parseSettings(recipeSchema, input, where)
  const problem = contradiction(recipe)
  if (problem !== undefined) throw new LatheError(`${where}: ${problem}`)
  return recipe
}

function contradiction({ model, batch, accumulation, schedule, steps }: Recipe): string | undefined {
  if (model.dHead === undefined && model.dModel % model.nHeads !== 0) {
    return `model.dModel ${model.dModel} is not divisible by model.nHeads ${model.nHeads}: set model.dHead`
  }
  if (batch % accumulation !== 0) return `accumulation ${accumulation} does not divide batch ${batch}`
  if (schedule.name !== 'one-cycle' && (schedule.warmup ?? 0) > steps) {
    return `schedule.warmup ${schedule.warmup} is longer than the ${steps} steps`
  }
  return undefined
}

/** Fills what follows from other settings: the widths of the model and the warmup. A run keeps its recipe in this form. */
export function resolveRecipe(recipe: Recipe): ResolvedRecipe {
  const { model, schedule, steps } = recipe
  return {
    ...recipe,
    model: { ...model, ...widths(model) },
    schedule:
      schedule.name === 'one-cycle' ? schedule : { ...schedule, warmup: schedule.warmup ?? Math.round(steps * 0.02) },
  }
}

/** A setting of a recipe as `--set` takes it, with what it is there. */
export interface RecipeSetting extends Pick<Setting, 'path' | 'description'> {
  /** Undefined where the machine decides, and where a setting that may be absent is. */
  readonly value: unknown
}

/** Every setting that a recipe has, its task's among them. Throws a LatheError for a task that does not exist. */
export function recipeSettings(recipe: Recipe): RecipeSetting[] {
  const resolved = resolveRecipe(recipe)
  const task = findTask(recipe.task.name).settings
  const taskSettings = listSettings(task, recipe.task, 'task')
  const valueAt = (path: string) =>
    path.split('.').reduce<unknown>((at, key) => (at as Tree | undefined)?.[key], resolved)
  return listSettings(recipeSchema, recipe).flatMap((setting) => {
    const { path, description } = setting
    const own = { path, description, value: valueAt(path) }
    if (path !== 'task.name') return [own]
    return [
      own,
      ...taskSettings.map((s) => ({ path: s.path, description: s.description, value: valueAt(s.path) ?? s.default })),
    ]
  })
}

/** Settings within settings, before they are checked. */
export type Tree = Readonly<Record<string, unknown>>
