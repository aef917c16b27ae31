import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { wholeFlags } from './flags.js'

const flags = { kills: { is: 500, least: 1 }, seed: { is: 0 }, operands: { is: [32], least: 2 } }

test('flags are whole numbers, and lists where the default is one', () => {
  expect(wholeFlags(flags, [])).toEqual({ kills: 500, seed: 0, operands: [32] })
  expect(wholeFlags(flags, ['--kills', '7', '--operands=2,4,8'])).toEqual({ kills: 7, seed: 0, operands: [2, 4, 8] })
})

test.each([
  [['--kills', '0'], '--kills 0: it takes a whole number from 1 on'],
  [['--kills', '1e3'], '--kills 1e3: it takes a whole number from 1 on'],
  [['--kills', '1,2'], '--kills 1,2: it takes a whole number from 1 on'],
  [['--operands', '2,,4'], '--operands 2,,4: it takes whole numbers from 2 on'],
  [['--sed', '1'], "Unknown option '--sed'"],
  [['9'], "Unexpected argument '9'"],
])('%j ends the script with one line', (args, reason) => {
  const url = new URL('./flags.js', import.meta.url)
  const script = `import { wholeFlags } from ${JSON.stringify(url)}; wholeFlags(${JSON.stringify(flags)}, ${JSON.stringify(args)})`
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script])
  expect(String(stderr)).toBe(`${reason}; there are --kills 500 --seed 0 --operands 32\n`)
  expect(status).toBe(1)
})
