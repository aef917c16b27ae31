import { asPlanned, LoopPlan } from '../plan/index.ts'
import { formatPercent, noiseOf } from '../report/index.ts'
import { fitLog, type LogFit, slopeRatio } from './scaling-fit.ts'
import { commonSeeds, type Measured, meanOver, type Summary, type SummaryRow, type SweepPoint } from './summary.ts'

/** What the table shows, in plain sentences: every looped row beside its baselines, ours and the paper's. */
export function findings(summary: Summary): string[] {
  const looped = summary.rows.filter(isLooped)
  return looped.length > 0 ? looped.flatMap((row) => comparison(summary, row)) : depthFindings(summary)
}

/** Of plain plans alone: in which columns a deeper row is better than the one before it. */
function depthFindings({ table, scale, rows }: Summary): string[] {
  const byDepth = rows.toSorted((a, b) => a.effectiveDepth - b.effectiveDepth)
  if (byDepth.length < 2) return []
  const level = 0.0005 // half of the last digit that is printed
  const kindOf = (title: string) => {
    const means = byDepth.flatMap(({ cells }) => cells[title]?.mean ?? [])
    const gains = means.slice(1).map((mean, i) => (table.measure === 'error' ? means[i] - mean : mean - means[i]))
    if (gains.every((gain) => Math.abs(gain) < level)) return 'level'
    if (gains.every((gain) => gain >= level)) return 'better'
    return gains.every((gain) => gain > -level) ? 'better or level' : 'worse'
  }
  const titles = scale.columns.map(({ title }) => title)
  const list = (kind: ReturnType<typeof kindOf>) =>
    titles.filter((title) => kindOf(title) === kind).join(', ') || 'none'
  return [
    `From depth ${byDepth[0].effectiveDepth} to ${byDepth.at(-1)!.effectiveDepth}, every deeper row is better at: ${list('better')}; ` +
      `better or level at: ${list('better or level')}; all level at: ${list('level')}; one or more worse at: ${list('worse')}.`,
  ]
}

function comparison({ table, scale, rows }: Summary, row: SummaryRow): string[] {
  const plan = LoopPlan.parse(row.plan)
  const beside = [
    { other: plan.isoParameter(), same: 'the same parameters' },
    { other: plan.isoFlop(), same: 'the same FLOPs a token' },
  ]
  return scale.columns.flatMap(({ title }) => {
    const own = row.cells[title]
    const parts = beside.flatMap(({ other, same }) => {
      const baseline = rows.find((candidate) => candidate.plan === other.toString())
      const cell = baseline?.cells[title]
      if (!own || !cell) return []
      const seeds = commonSeeds([own, cell])
      if (seeds.length === 0) return []
      const best = (of: SummaryRow) => of.best?.cells[title].mean
      const asides = [
        ofSeeds(seeds, [own, cell]),
        aside('best runs', best(row), best(baseline)),
        aside('paper', own.published, cell.published),
      ].flat()
      const said = asides.length > 0 ? ` (${asides.join('; ')})` : ''
      const difference = meanOver(own, seeds) - meanOver(cell, seeds)
      return [`${distance(difference, 'level with')} \`${other}\` of ${same}${said}`]
    })
    if (!own || parts.length === 0) return []
    const measure = table.measure === 'error' ? 'error ' : ''
    return [`${title}: \`${row.plan}\` has ${measure}${formatPercent(own.mean)}, ${parts.join(', and ')}.`]
  })
}

/** Says over which seeds rows are compared, where one of them has more. */
function ofSeeds(common: readonly number[], cells: readonly Measured[]): string[] {
  if (cells.every(({ seeds }) => seeds.every((seed) => common.includes(seed)))) return []
  return [common.length === 1 ? `of seed ${common[0]} alone` : `of seeds ${common.join(', ')}`]
}

const aside = (whose: string, own: number | undefined, other: number | undefined): string[] =>
  own === undefined || other === undefined ? [] : [`${whose}: ${distance(own - other, 'level')}`]

function distance(difference: number, level: string): string {
  const points = Math.abs(100 * difference)
  return points < 0.05 ? level : `${points.toFixed(1)} points ${difference > 0 ? 'above' : 'below'}`
}

/** Whether more loops than trained help or hurt: a sentence for every looped row and model, or for one model's rows. */
export function sweepFindings({ scale, rows }: Summary, only?: number): string[] {
  return rows.filter(isLooped).flatMap((row) =>
    row.sweeps.flatMap((sweep, model) => {
      if (sweep.length === 0 || (only ?? model) !== model) return []
      return [`${scale.models[model].name}: ${sweepFinding(row, sweep)}`]
    }),
  )
}

function sweepFinding({ plan }: SummaryRow, sweep: readonly SweepPoint[]): string {
  const trainedLoops = asPlanned(LoopPlan.parse(plan)).loops
  const trained = sweep.find(({ loops }) => loops === trainedLoops)!
  const more = sweep.filter(({ loops }) => loops > trainedLoops)
  const best = more.reduce((a, b) => (b.accuracy > a.accuracy ? b : a))
  const last = more.at(-1)!
  const isBetter = best.accuracy > trained.accuracy + noiseOf(trained)
  const isWorse = last.accuracy < trained.accuracy - noiseOf(trained)
  const up = `up to ${formatPercent(best.accuracy)} at ${best.loops}`
  const down = `down to ${formatPercent(last.accuracy)} at ${last.loops}`
  const verdict = isBetter
    ? isWorse
      ? `more loops help, ${up}, and then hurt, ${down}`
      : `more loops help, ${up}`
    : isWorse
      ? `more loops hurt, ${down}`
      : `more loops change nothing, up to ${last.loops}`
  return `\`${plan}\`, trained with ${trainedLoops} loops at ${formatPercent(trained.accuracy)}: ${verdict}.`
}

/** How accuracy grows with effective depth, of the smallest looped block and of plain plans, where the table asks for it. */
export function fitFindings({ table, scale, rows }: Summary): string[] {
  if (!table.fit) return []
  const blockOf = ({ plan }: SummaryRow) => LoopPlan.parse(plan).isoParameter().toString()
  const [block] = rows
    .filter(isLooped)
    .map(blockOf)
    .sort((a, b) => Number(a) - Number(b))
  return scale.columns.flatMap(({ title }) => {
    // One point a row: what does not fit the line is the same in every seed, so seeds are no points of their own.
    const measured = (own: readonly SummaryRow[]) =>
      own.flatMap(({ effectiveDepth: depth, cells }) => (cells[title] ? [{ depth, cell: cells[title] }] : []))
    const [ownLooped, ownPlain] = [rows.filter((row) => blockOf(row) === block), rows.filter((row) => !isLooped(row))]
    const all = measured([...ownLooped, ...ownPlain]).map(({ cell }) => cell)
    const seeds = commonSeeds(all)
    const pointsOf = (own: readonly SummaryRow[]) =>
      measured(own).map(({ depth, cell }) => ({ depth, accuracy: meanOver(cell, seeds) }))
    const [looped, plain] = [pointsOf(ownLooped), pointsOf(ownPlain)]
    const enough = [looped, plain].every((points) => new Set(points.map(({ depth }) => depth)).size >= 3)
    if (!enough || seeds.length === 0) return []
    const [a, b] = [fitLog(looped), fitLog(plain)]
    const { ratio, interval } = slopeRatio(a, b)
    const range = interval ? `(95 %: ${formatRange(interval)})` : '(no interval: the plain slope may be zero)'
    return [
      `${title}: accuracy = α ln D + β has α = ${slope(a)} for \`${block}\` looped and ${slope(b)} for plain plans; ` +
        `their ratio is ${ratio.toFixed(2)} ${[range, ...ofSeeds(seeds, all)].join(', ')}.`,
    ]
  })
}

const formatRange = ([low, high]: readonly [number, number]) => `${low.toFixed(2)} to ${high.toFixed(2)}`
const slope = ({ alpha, interval, r2 }: LogFit) =>
  `${alpha.toFixed(3)} (95 %: ${formatRange(interval)}; R² ${r2.toFixed(2)})`

const isLooped = ({ plan }: SummaryRow) => LoopPlan.parse(plan).isLooped
