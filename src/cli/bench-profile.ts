/**
 * `lathe bench --profile`: which kernels a training step spends its time in.
 */
import type { NamedModel } from '../bench/named-model.ts'
import { type Profile, type ProfileRow, profileStep } from '../bench/profile.ts'
import { chooseExecutor, nativePeak } from '../executor/index.ts'
import { formatPercent } from '../report/format.ts'
import { type Block, legend, type Measured, sentence, table } from './bench-page.ts'
import { formatFlopRate, formatMs } from './bench-tables.ts'
import type { CommonFlags } from './options.ts'

export interface ProfileFlags {
  readonly models: readonly NamedModel[]
  readonly flags: CommonFlags & { readonly seconds: number }
  readonly say: (line: string) => void
}

/** Rows that take less of a step are added up. */
const leastShare = 0.01

export async function measureProfiles({ models, flags, say }: ProfileFlags): Promise<Measured> {
  const { seed = 0, seconds } = flags
  const executor = chooseExecutor({ ...flags, timed: true })
  const ceiling = await nativePeak(executor.precision, executor.threads)
  const profile: Record<string, Profile> = {}
  for (const model of models) {
    say(`${model.name}: training steps`)
    profile[model.name] = await profileStep(model, executor, { seed, seconds })
  }
  return {
    title: 'Where a training step spends its time',
    json: { profile, ceiling },
    blocks: [
      legend(
        'Kernels of one kind and shape together. Time: of a step, each thread having its share. Rate: of matrix products alone, of ' +
          'ceiling that beside the multiply-add of the precision. Elsewhere: packing weights, sums of groups, waiting.',
      ),
      ...Object.entries(profile).flatMap(([model, one]) => profileBlocks(model, one, ceiling)),
    ],
  }
}

type Row = Pick<ProfileRow, 'ms' | 'share' | 'rate'> & { readonly what: string }

function profileBlocks(model: string, { msPerStep, rows, elsewhere }: Profile, ceiling: number | undefined): Block[] {
  const sum = (list: readonly ProfileRow[], key: 'ms' | 'share') => list.reduce((all, row) => all + row[key], 0)
  const [long, short] = [
    rows.filter(({ share }) => share >= leastShare),
    rows.filter(({ share }) => share < leastShare),
  ]
  const shown: Row[] = [
    ...long.map((row) => ({ ...row, what: shortened(`${row.kernel} ${row.detail}`.trim()) })),
    ...(short.length > 0
      ? [{ what: `${short.length} shorter ones`, ms: sum(short, 'ms'), share: sum(short, 'share') }]
      : []),
    { what: 'elsewhere', ms: elsewhere * msPerStep, share: elsewhere },
  ]
  return [
    table<Row & { readonly ofCeiling?: number }>(
      [
        { key: 'what', title: `kernels of ${model}` },
        { key: 'ms', title: 'time', align: 'right', format: formatMs },
        { key: 'share', title: 'share', align: 'right', format: formatPercent },
        { key: 'rate', title: 'rate', align: 'right', format: formatFlopRate },
        { key: 'ofCeiling', title: 'of ceiling', align: 'right', format: formatPercent },
      ],
      shown.map((row) => ({ ...row, ofCeiling: row.rate && ceiling && row.rate / ceiling })),
    ),
    sentence(`A step of ${model} takes ${formatMs(msPerStep)}, the clock being read around every kernel.`),
  ]
}

const WIDEST = 36 // so that a row fits a terminal

function shortened(name: string): string {
  return name.length <= WIDEST ? name : `${name.slice(0, name.lastIndexOf(' ', WIDEST - 2))} …`
}
