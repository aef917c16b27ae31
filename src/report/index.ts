/**
 * Tables, figures and reports.
 * @module
 */
export { type ComparedRow, type ComparedRun, compareRuns, sparkline } from './compare.ts'
export {
  formatCount,
  formatDuration,
  formatFlops,
  formatInteger,
  formatLoss,
  formatParameters,
  formatPercent,
  formatRate,
} from './format.ts'
export { htmlReport, type ReportBlock, type ReportOptions, type ReportSection } from './html.ts'
export { type LoopSweepOptions, type LoopSweepSeries, loopSweepFigure } from './loop-sweep.ts'
export { escapeHtml, html, Markup } from './markup.ts'
export { noiseOf } from './noise.ts'
export { quickstartReport } from './quickstart.ts'
export {
  type QuickstartInput,
  type QuickstartRole,
  type QuickstartRow,
  quickstartColumns,
  quickstartNote,
} from './quickstart-input.ts'
export { quickstartSentences } from './quickstart-sentences.ts'
export { type Column, htmlTable, markdownTable, textTable } from './table.ts'
export { type CurvePoint, type TrainingCurvesOptions, trainingCurvesFigure } from './training-curves.ts'
