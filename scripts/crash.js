// `npm run test:crash -- --kills N --seed S`: kills trainings by SIGKILL and checks that going on gives the same bytes.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { wholeFlags } from './flags.js'
import { packageRoot, setUp } from './setup.js'
import { importSource } from './source.js'
import { say } from './step.js'

const { kills, seed } = wholeFlags({ kills: { is: 500, least: 1 }, seed: { is: 0 } })
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
