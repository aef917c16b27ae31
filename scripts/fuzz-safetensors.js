// Damages valid safetensors files in memory and reads them: npm run test:fuzz -- --files N [--seed S]
// Every one must be read or refused with a SafetensorsError, in bounded time; anything else fails and names its index.
import fs from 'node:fs'
import path from 'node:path'
import { wholeFlags } from './flags.js'
import { packageRoot, setUp } from './setup.js'
import { importSource } from './source.js'

const { files, seed } = wholeFlags({ files: { is: 1_000_000, least: 1 }, seed: { is: 1 } })
await setUp()
const { parseSafetensors } = await importSource('model/safetensors')
const { SafetensorsError } = await importSource('model/safetensors-header')
const { mutation } = await importSource('model/attacks/mutations')
const folder = path.join(packageRoot, 'src/model/attacks')
const valid = fs.readdirSync(folder).filter((name) => /^valid-.*\.safetensors$/.test(name))
const bases = valid.sort().map((name) => fs.readFileSync(path.join(folder, name)))

const slowMs = 1000 // a file of some hundred bytes takes microseconds
const faults = {}
let accepted = 0
const start = performance.now()
for (let index = 0; index < files; index++) {
  const bytes = mutation(bases, seed, index)
  const from = performance.now()
  try {
    parseSafetensors(bytes, 'fuzz')
    accepted++
  } catch (error) {
    if (!(error instanceof SafetensorsError)) {
      console.error(`mutation ${index} of seed ${seed}: ${error.stack}`)
      process.exit(1)
    }
    faults[error.fault] = (faults[error.fault] ?? 0) + 1
  }
  if (performance.now() - from > slowMs) {
    console.error(`mutation ${index} of seed ${seed} took over ${slowMs} ms`)
    process.exit(1)
  }
}
const seconds = (performance.now() - start) / 1000
const peak = Math.round(process.resourceUsage().maxRSS / 1024)
console.log(`${files} files in ${seconds.toFixed(0)} s, ${peak} MiB at most: ${accepted} read, the others refused`)
for (const [fault, count] of Object.entries(faults).sort((a, b) => b[1] - a[1])) console.log(`  ${fault} ${count}`)
