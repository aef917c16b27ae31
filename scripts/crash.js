// `npm run test:crash -- --kills N --seed S`: kills trainings by SIGKILL and checks that going on gives the same bytes.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { packageRoot, setUp } from './setup.js'
import { importSource } from './source.js'
import { say } from './step.js'

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '500' }, seed: { type: 'string', default: '0' } },
})
const [kills, seed] = [Number(values.kills), Number(values.seed)]
if (!(Number.isInteger(kills) && kills > 0 && Number.isInteger(seed))) {
  say(`--kills ${values.kills} --seed ${values.seed}: both must be whole numbers, and kills at least 1`)
  process.exit(1)
}
process.chdir(packageRoot)
await setUp()
const { crash } = await importSource('train/crash.fixture')
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'lathe-crash-'))
const onKill = (done) => done % 20 === 0 && say(`${done} of ${kills} kills`)
const result = await crash({ folder, kills, seed, jobs: os.availableParallelism(), onKill }) // a folder that differs stays
fs.rmSync(folder, { recursive: true })
const { runs, atCalls, calls } = result
say(
  `${result.kills} kills, ${atCalls} of them at the ${calls} file calls of two saves: all ${runs} runs ended the same`,
)
