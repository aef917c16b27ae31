/**
 * `lathe generate RUN`: what a model answers, to your own problem, to a file of them or to held-out ones.
 * @module
 */
import { Command, InvalidArgumentError, Option } from 'commander'
import { type Answer, answerSamples, drawSamples, type Examples, readExamples } from '../eval/index.ts'
import { asPlanned, type Looping, LoopPlan, parseLoops } from '../plan/index.ts'
import { formatPercent } from '../report/format.ts'
import { LatheError } from '../settings/error.ts'
import type { Sample } from '../task/index.ts'
import { openModel, type TrainedModel } from '../train/index.ts'
import { type CommonFlags, describeExecutor, executorOf, wholeNumber, withCommonFlags } from './options.ts'
import { emit } from './output.ts'

interface GenerateFlags extends CommonFlags {
  readonly prompt?: string
  readonly data?: string
  readonly samples?: number
  readonly loops?: string
  readonly maxTokens?: number
  readonly temperature?: number
  readonly topK?: number
  readonly topP?: number
  readonly step?: number
}

const heldOutSamples = 8

const examples = `
Examples:
  lathe generate runs/phop-quickstart-1x4-s0
  lathe generate runs/phop-quickstart-1x4-s0 --prompt badcabcdab
  lathe generate runs/igsm --prompt 'A#C := 4. A#D := A#C + 3. A#D?'
  lathe generate runs/igsm --prompt 'A#C := 4. A#C?' --loops 4
  lathe generate runs/igsm --samples 3 --temperature 0.8
  lathe generate runs/mine --data mine.jsonl --json

Without a problem, ${heldOutSamples} held-out ones. A line of mine.jsonl:
  {"input": "badcabcdab"}`

export function generateCommand(): Command {
  const command = new Command('generate')
    .description("what a run's model answers, in the text form of its task")
    .argument('<run>', 'folder of a run')
    .addOption(new Option('--prompt <text>', 'your own problem').conflicts('data'))
    .addOption(new Option('--data <file>', 'problems, one JSON object a line').conflicts('samples'))
    .option(
      '--samples <n>',
      `answers to the prompt, default 1; or held-out problems, default ${heldOutSamples}`,
      wholeNumber(1),
    )
    .option('--loops <n>', 'loops, such as 8, or segment:loops such as 2:8; default as trained')
    .option('--max-tokens <n>', "tokens of the longest answer; default as many as the task's", wholeNumber(1))
    .option('--temperature <t>', 'what logits are divided by before a draw; default 0, the likeliest token', number)
    .option('--top-k <k>', 'draw among so many of the likeliest tokens', wholeNumber(1))
    .option('--top-p <p>', 'draw among the likeliest tokens of this share', number)
    .option('--step <n>', 'the checkpoint of this step; default the newest', wholeNumber(0))
    .addHelpText('after', examples)
  return withCommonFlags(command).action(runGenerate)
}

function number(text: string): number {
  if (text.trim() === '' || Number.isNaN(Number(text))) throw new InvalidArgumentError('write a number such as 0.8')
  return Number(text)
}

async function runGenerate(folder: string, flags: GenerateFlags): Promise<void> {
  const trained = await openModel(folder, flags.step)
  for (const warning of trained.warnings) process.stderr.write(`${warning}\n`)
  const executor = executorOf(trained.run.recipe, flags)
  const looping = oneLooping(trained, flags)
  const { samples, skipped } = await problems(trained, flags)
  if (!flags.json) {
    process.stderr.write(`${folder}: step ${trained.step}, plan ${looping.plan}, ${describeExecutor(executor)}\n`)
    for (const { line, reason } of skipped) process.stdout.write(`${flags.data}:${line}: not answered: ${reason}\n`)
  }
  const { maxTokens, temperature, topK, topP, seed = trained.run.recipe.seed } = flags
  const text = new GrowingText()
  const onText = flags.prompt !== undefined && samples.length === 1 && !flags.json ? text.grow : undefined
  const options = { loops: looping, maxTokens, temperature, topK, topP, seed, onText }
  const answers = await answerSamples(trained.model, trained.task, executor, samples, options)
  if (flags.json) for (const one of answers) emit(one)
  else print(answers, text, flags)
  const right = answers.filter((one) => one.right).length
  const { plan, loops } = looping
  const result = { answerAccuracy: right / samples.length, right, samples: samples.length, plan, loops }
  if (flags.json) emit({ ...result, step: trained.step, run: folder, data: flags.data, skipped })
  else if (flags.prompt === undefined)
    process.stdout.write(`\n${right} of ${samples.length} right (${formatPercent(result.answerAccuracy)})\n`)
}

function oneLooping({ model }: TrainedModel, { loops }: GenerateFlags): Looping {
  const plan = LoopPlan.parse(model.config.plan)
  if (loops === undefined) return asPlanned(plan)
  const [looping, ...more] = parseLoops(loops, plan)
  if (more.length > 0) throw new LatheError(`--loops ${loops}: write one count, such as 8; lathe eval takes several`)
  return looping
}

async function problems({ task, run }: TrainedModel, flags: GenerateFlags): Promise<Examples> {
  const { prompt, data, samples, seed = run.recipe.seed } = flags
  if (data !== undefined) return readExamples(data, task)
  const drawn =
    prompt === undefined
      ? await drawSamples(task, { samples: samples ?? heldOutSamples, split: 'test', seed })
      : new Array<Sample>(samples ?? 1).fill(task.parse({ input: prompt }))
  return { samples: drawn, skipped: [] }
}

function print(answers: readonly Answer[], text: GrowingText, { prompt }: GenerateFlags): void {
  for (const { input, generated, target, right, ended } of answers) {
    const shown = ended === 'length' ? `${generated} …` : generated
    if (prompt !== undefined) text.finish(shown)
    else process.stdout.write(`${right ? 'right' : 'wrong'}  ${input} → ${shown}${right ? '' : `  (${target})`}\n`)
  }
}

/** A text on stdout as it grows: at once what the last token left as it was, since that one may still join the next. */
class GrowingText {
  private before = ''
  private printed = 0

  grow = (text: string): void => {
    let settled = 0
    while (settled < this.before.length && text[settled] === this.before[settled]) settled++
    process.stdout.write(text.slice(this.printed, settled))
    this.printed = Math.max(this.printed, settled)
    this.before = text
  }

  finish(text: string): void {
    process.stdout.write(`${text.slice(this.printed)}\n`)
    this.printed = 0
  }
}
