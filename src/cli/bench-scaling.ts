/**
 * `lathe bench --scaling`: step time against loops and threads, and tied against untied weights.
 */
import type { NamedModel } from '../bench/named-model.ts'
import { compareUntied, scaleLoops, scaleThreads, type ThreadScaling } from '../bench/scaling.ts'
import { benchLoopsFigure } from '../report/bench-loops.ts'
import { formatCount } from '../report/format.ts'
import type { GridFlags } from './bench-grid.ts'
import { legend, type Measured, sentence, table } from './bench-page.ts'
import { formatDrift, formatMs } from './bench-tables.ts'
import type { CommonFlags } from './options.ts'

export interface ScalingFlags extends GridFlags {
  readonly models: readonly NamedModel[]
  readonly flags: CommonFlags
}

export async function measureScaling({ models, flags, say, ...options }: ScalingFlags): Promise<Measured> {
  say('L beside eight layers with weights of their own')
  const untied = await compareUntied(flags, options)
  say('loops 1 to 64')
  const loops = await scaleLoops(options)
  const threads: Record<string, ThreadScaling> = {}
  for (const model of models) {
    say(`${model.name}: one thread and all`)
    threads[model.name] = await scaleThreads(model, flags, options)
  }
  const signed = (fraction: number) => `${fraction < 0 ? '−' : '+'}${Math.abs(100 * fraction).toFixed(1)} %`
  const worst = Math.max(...loops.points.map(({ residual }) => Math.abs(residual)))
  const megabytes = (bytes: number) => `${formatCount(bytes)}B`
  return {
    title: 'How a training step scales',
    json: { loops, threads, untied },
    blocks: [
      legend(
        'What a table compares takes turns of the same length; a time, or a ratio, is the median of the rounds. Noisy: the later ' +
          'half of the ratios differs by over 5 % from the earlier. Loops: one layer of L, 8 sequences; fit: fitted over measured, ' +
          'minus 1.',
      ),
      table(
        [
          { key: 'loops', title: 'loops', align: 'right' },
          { key: 'msPerStep', title: 'time', align: 'right', format: formatMs },
          { key: 'residual', title: 'fit', align: 'right', format: signed },
        ],
        loops.points,
      ),
      sentence(
        `Fitted: ${formatMs(loops.intercept)} + ${formatMs(loops.slope)} a loop; the furthest point is ` +
          `${(100 * worst).toFixed(1)} % off the line.`,
      ),
      {
        figure: {
          name: 'loops',
          caption: 'Time of a training step against its number of loops',
          svg: benchLoopsFigure(loops),
        },
      },
      table(
        [
          { key: 'model', title: 'threads' },
          { key: 'one', title: 'one thread', align: 'right', format: formatMs },
          { key: 'all', title: `${options.executor.threads} threads`, align: 'right', format: formatMs },
          { key: 'ratio', title: 'speedup', align: 'right', format: (x: number) => `${x.toFixed(2)}×` },
          { key: 'drift', title: 'ratio', format: formatDrift },
        ],
        Object.entries(threads).map(([model, { speedup, ...times }]) => ({ model, ...times, ...speedup })),
      ),
      table(
        [
          { key: 'plan', title: 'the same FLOPs' },
          { key: 'msPerStep', title: 'time', align: 'right', format: formatMs },
          { key: 'bytes', title: 'memory added', align: 'right', format: megabytes },
        ],
        [
          { plan: '1x8, one layer (L)', ...untied.tied },
          { plan: '8, its own weights a layer', ...untied.untied },
        ],
      ),
      sentence(
        `L takes ${untied.time.ratio.toFixed(3)}× the time (${formatDrift(untied.time.drift)}) and ` +
          `${(untied.tied.bytes / untied.untied.bytes).toFixed(2)}× the memory.`,
      ),
    ],
  }
}
