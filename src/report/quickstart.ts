/**
 * The report of the quickstart: three models, one task, what the loop bought.
 * @module
 */
import { LoopPlan } from '../plan/index.ts'
import { LatheError } from '../settings/error.ts'
import { formatInteger, formatLoss, formatParameters, formatPercent } from './format.ts'
import { htmlReport, type ReportSection } from './html.ts'
import { loopSweepFigure } from './loop-sweep.ts'
import {
  type QuickstartInput,
  type QuickstartRow,
  quickstartColumns,
  quickstartNote,
  rowOf,
} from './quickstart-input.ts'
import { quickstartSentences } from './quickstart-sentences.ts'
import { htmlTable } from './table.ts'
import { trainingCurvesFigure } from './training-curves.ts'

/** Writes the report as one self-contained HTML page. Throws LatheError where a row or a curve is missing. */
export function quickstartReport(input: QuickstartInput): string {
  const { command, date } = input.environment
  return htmlReport({
    title: 'What a loop buys',
    summary: quickstartSentences(input),
    sections: [modelsSection(input), sweepSection(input), taskSection(input), curvesSection(input), nextSection(input)],
    footer: `Written by Lathe on ${date}. To make it again: \`${command}\`.`,
  })
}

/** The models in the order of the figures, so that each keeps its colour. */
function inOrder(input: QuickstartInput): [QuickstartRow, QuickstartRow, QuickstartRow] {
  return [rowOf(input, 'looped'), rowOf(input, 'iso-FLOP'), rowOf(input, 'iso-parameter')]
}

const nameOf = ({ plan, role }: QuickstartRow) => `${plan}, ${role}`

function modelsSection(input: QuickstartInput): ReportSection {
  const [looped, isoFlop, isoParameter] = inOrder(input)
  return {
    heading: 'Three models',
    body: [
      `Plan \`${isoParameter.plan}\` runs its layers once. Plan \`${looped.plan}\` loops over layers of the same number ` +
        `and size: it has no parameter more, and a token passes through ${looped.effectiveDepth} layers instead of ` +
        `${isoParameter.effectiveDepth}. Plan \`${isoFlop.plan}\` is as deep, with weights of its own for every layer.`,
      {
        table: htmlTable(quickstartColumns, input.rows),
        caption:
          'Params: all parameters, embedding and head included. Depth: how many layers a token passes through. ' +
          `Training: floating point operations, forward and backward. ${quickstartNote(input)}`,
      },
    ],
  }
}

function sweepSection(input: QuickstartInput): ReportSection {
  const [looped, ...others] = inOrder(input)
  const { trainedLoops, evaluationSequences, seed } = input
  const plan = LoopPlan.parse(looped.plan)
  const sweep = input.sweep.map((point) => ({ ...point, depth: plan.withLoops(point.loops).effectiveDepth }))
  const figure = loopSweepFigure({
    series: [{ label: nameOf(looped), points: sweep, trainedLoops }],
    chance: looped.chance,
    references: others.map((row) => ({ label: nameOf(row), accuracy: row.accuracy })),
  })
  const table = htmlTable<(typeof sweep)[number]>(
    [
      {
        key: 'loops',
        title: 'loops evaluated',
        format: (loops) => (loops === trainedLoops ? `${loops}, as trained` : `${loops}`),
      },
      { key: 'depth', title: 'effective depth', align: 'right' },
      { key: 'accuracy', title: 'accuracy', align: 'right', format: formatPercent },
      { key: 'loss', title: 'loss', align: 'right', format: formatLoss },
    ],
    sweep,
  )
  return {
    heading: 'Fewer loops, more loops',
    body: [
      'A looped model can be run with any number of loops once it is trained. ' +
        `Here the same weights of \`${looped.plan}\`, trained with ${trainedLoops} loops, are run with fewer and with more.`,
      {
        figure,
        caption: `Accuracy of \`${looped.plan}\` against evaluated loops; the models without a loop as lines.`,
      },
      {
        table,
        caption:
          `The same in numbers, with the loss in nats: ${formatParameters(looped.parameters)} parameters, ` +
          `${formatInteger(looped.steps)} steps, one seed (${seed}), ${formatInteger(evaluationSequences)} held-out sequences.`,
      },
    ],
  }
}

function taskSection({ task }: QuickstartInput): ReportSection {
  const example = `input   ${task.exampleInput}\ntarget  ${task.exampleTarget}`
  return { heading: 'The task', body: [task.description, { code: example }, task.explanation] }
}

function curvesSection(input: QuickstartInput): ReportSection {
  const runs = inOrder(input).map((row) => {
    const curve = input.curves.find(({ label }) => label === row.plan)
    if (!curve) throw new LatheError(`quickstart report: no training curve labelled ${row.plan}`)
    return { label: nameOf(row), points: curve.points }
  })
  return {
    heading: 'On the way',
    body: [
      {
        figure: trainingCurvesFigure({ runs, metric: 'accuracy' }),
        caption: 'Accuracy on held-out sequences during training, each model with the loops it is trained with.',
      },
      {
        figure: trainingCurvesFigure({ runs, metric: 'loss' }),
        caption:
          'Training loss. Where a line has a band, the line is a mean and the band reaches from the least loss to the greatest.',
      },
    ],
  }
}

function nextSection({ next, environment }: QuickstartInput): ReportSection {
  const { cpu, executor, isa, precision, threads, command, date, versions } = environment
  const facts = {
    Processor: cpu,
    Executor: `${executor}, ${isa}, ${precision}, ${threads === 1 ? '1 thread' : `${threads} threads`}`,
    Versions: Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
    Command: `\`${command}\``,
    Date: date,
  }
  return {
    heading: 'How to go on',
    body: [
      ...next.flatMap(({ command, does }) => [does, { code: command }]),
      { summary: 'Where and how this was measured', facts },
    ],
  }
}
