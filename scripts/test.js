// `npm test`: set-up, then every check in turn until one fails. `npm test -- src/plan` runs those vitest files alone.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { nativeObstacle, packageRoot, setUp, thisMachine } from './setup.js'
import { StepError, say, step } from './step.js'
import { tally } from './tally.js'

process.chdir(packageRoot)
await setUp()
try {
  const vitestArgs = process.argv.slice(2)
  if (vitestArgs.length === 0) await check()
  process.exitCode = vitest(vitestArgs)
} catch (error) {
  if (!(error instanceof StepError)) throw error
  say(error.message)
  process.exitCode = 1
}

async function check() {
  const inFull = { tail: Number.POSITIVE_INFINITY }
  const biome = ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings']
  await step('format and lint', process.execPath, biome, inFull)
  await step('types', process.execPath, ['node_modules/typescript/bin/tsc', '--noEmit'], inFull)
  if (nativeObstacle(thisMachine)) return
  const jobs = String(os.cpus().length)
  const kernels = await step('native kernels', 'make', ['-C', 'native', '--no-print-directory', '-j', jobs, 'test'])
  say(kernels.trimEnd().split('\n').pop())
}

/** Runs vitest in full view, prints `N passed, N failed` as the last line, and returns the exit code. */
function vitest(args) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'lathe-test-'))
  const report = path.join(folder, 'vitest.json')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const command = ['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...args]
  const { status } = spawnSync(process.execPath, command, { stdio: 'inherit' })
  const text = fs.existsSync(report) && fs.readFileSync(report, 'utf8')
  fs.rmSync(folder, { recursive: true })
  if (!text) throw new StepError(`vitest ended without a result (${status})`)
  process.stdout.write(`${tally(JSON.parse(text), status)}\n`)
  return status ?? 1
}
