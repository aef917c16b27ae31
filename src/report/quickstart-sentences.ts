import { formatInteger, formatParameters, formatPercent } from './format.ts'
import { noiseOf } from './noise.ts'
import { type QuickstartInput, type QuickstartRow, rowOf } from './quickstart-input.ts'

/** In points of accuracy: as good as, clearly better than. */
const near = 3
const clear = 20

/** Says in plain sentences what was seen, the finding first; every accuracy carries what it was measured with. */
export function quickstartSentences(input: QuickstartInput): string[] {
  return [
    finding(input),
    loopedSentence(input),
    isoFlopSentence(input),
    isoParameterSentence(input),
    ...loopSentences(input),
    `All three models saw the same data; one seed (${input.seed}), so nothing here says how far the result varies.`,
  ]
}

function finding(input: QuickstartInput): string {
  const { looped, isoFlop, isoParameter, trainedLoops } = models(input)
  const gain = points(looped.accuracy - isoParameter.accuracy)
  const lead = points(looped.accuracy - isoFlop.accuracy)
  const times = `run ${trainedLoops} times`
  if (gain >= clear) {
    if (lead > near)
      return `In this run the looped model, its layers ${times}, even passed the model with separate layers.`
    if (lead < -near) return `In this run the loop helped, but layers ${times} did not reach separate layers.`
    return (
      `In this run the loop bought depth: the same layers ${times} did what separate layers do, ` +
      'and what the same layers run once did not.'
    )
  }
  if (points(isoFlop.accuracy - isoFlop.chance) < clear) {
    return 'This run says nothing about looping yet: even the model with separate layers hardly learned the task.'
  }
  if (points(isoFlop.accuracy - isoParameter.accuracy) < clear) {
    return 'This run cannot show what a loop buys: depth hardly helps here, the layers run once come close to separate layers.'
  }
  return `In this run the loop did not show its effect: separate layers learned the task, the same layers ${times} did not.`
}

function loopedSentence(input: QuickstartInput): string {
  const { looped, trainedLoops } = models(input)
  return (
    `The looped model (${facts(looped)}, trained and evaluated with ${plural(trainedLoops, 'loop')}) is right on ` +
    `${formatPercent(looped.accuracy)} of ${formatInteger(input.evaluationSequences)} held-out sequences; ` +
    `a guess is right on ${formatPercent(looped.chance)}.`
  )
}

function isoFlopSentence(input: QuickstartInput): string {
  const { looped, isoFlop } = models(input)
  const lead = points(looped.accuracy - isoFlop.accuracy)
  const noise = 100 * noiseOf({ accuracy: isoFlop.accuracy, samples: input.evaluationSequences })
  const share = `${Math.round((100 * looped.parameters) / isoFlop.parameters)} % of its parameters`
  const verdict =
    lead > noise
      ? `is ${gap(lead)} above it with ${share}`
      : lead >= 0
        ? `is level with it, with ${share}`
        : lead >= -near
          ? `comes within ${gap(-lead)} of it with ${share}`
          : `stays ${gap(-lead)} below it, with ${share}`
  return `The iso-FLOP model (${facts(isoFlop)}) reaches ${formatPercent(isoFlop.accuracy)}: the looped model ${verdict}.`
}

function isoParameterSentence(input: QuickstartInput): string {
  const { looped, isoParameter } = models(input)
  const gain = points(looped.accuracy - isoParameter.accuracy)
  const noise = 100 * noiseOf({ accuracy: isoParameter.accuracy, samples: input.evaluationSequences })
  const verdict =
    gain >= clear
      ? `adds ${gap(gain)} without adding a parameter`
      : gain > noise
        ? `adds only ${gap(gain)}`
        : gain >= -noise
          ? 'makes no difference'
          : `costs ${gap(-gain)}`
  return `The iso-parameter model (${facts(isoParameter)}) reaches ${formatPercent(isoParameter.accuracy)}: the loop ${verdict}.`
}

/** What more loops than trained do, and fewer, where they were evaluated. */
function loopSentences(input: QuickstartInput): string[] {
  const { looped, trainedLoops } = models(input)
  const trained = input.sweep.find((point) => point.loops === trainedLoops)?.accuracy ?? looped.accuracy
  const noise = 100 * noiseOf({ accuracy: trained, samples: input.evaluationSequences })
  const more = effect(input.sweep.filter((point) => point.loops > trainedLoops).reverse(), trained, noise)
  const fewer = effect(
    input.sweep.filter((point) => point.loops < trainedLoops),
    trained,
    noise,
  )
  const sentences: string[] = []
  if (more) sentences.push(`More loops than the ${trainedLoops} it was trained with ${more}.`)
  if (fewer) sentences.push(`Fewer loops ${fewer}.`)
  return sentences
}

/** The points come farthest from the trained count first. */
function effect(sweep: QuickstartInput['sweep'], trained: number, noise: number): string | undefined {
  const farthest = sweep[0]
  if (!farthest) return undefined
  const at = (point: { loops: number; accuracy: number }) =>
    `${formatPercent(point.accuracy)} at ${plural(point.loops, 'loop')}`
  const worst = sweep.reduce((a, b) => (b.accuracy < a.accuracy ? b : a))
  const best = sweep.reduce((a, b) => (b.accuracy > a.accuracy ? b : a))
  const hurts = points(trained - worst.accuracy) > noise
  const helps = points(best.accuracy - trained) > noise
  if (hurts && helps) return `help and hurt: accuracy is ${at(best)} and ${at(worst)}`
  if (hurts) return `hurt: accuracy falls to ${at(worst)}`
  if (helps) return `help: accuracy rises to ${at(best)}`
  return `neither help nor hurt: accuracy is ${at(farthest)}`
}

function models(input: QuickstartInput) {
  return {
    looped: rowOf(input, 'looped'),
    isoFlop: rowOf(input, 'iso-FLOP'),
    isoParameter: rowOf(input, 'iso-parameter'),
    trainedLoops: input.trainedLoops,
  }
}

function facts({ plan, parameters, effectiveDepth, steps }: QuickstartRow): string {
  const size = `${formatParameters(parameters)} parameters`
  return `plan \`${plan}\`, ${size}, effective depth ${effectiveDepth}, ${plural(steps, 'step')}`
}

/** A difference of fractions in points, rounded as it is printed, so that a verdict never contradicts its number. */
function points(difference: number): number {
  return Math.round(1000 * difference) / 10
}

function gap(value: number): string {
  return `${value.toFixed(1)} points`
}

function plural(count: number, noun: string): string {
  return `${formatInteger(count)} ${noun}${count === 1 ? '' : 's'}`
}
