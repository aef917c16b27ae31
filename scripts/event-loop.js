// `npm run test:event-loop -- --steps 100`: trains the addition setting of the kernels' bar (d = 256, T = 133, batch 256,
// plan 1x12) with data drawn and a checkpoint saved on the way, and says how long the event loop was held, and how long
// that of a process beside it was that does nothing, which is what the machine adds.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { wholeFlags } from './flags.js'
import { packageRoot, setUp } from './setup.js'
import { importSource } from './source.js'
import { say } from './step.js'

const { steps, batch, width, operands } = wholeFlags({
  steps: { is: 100, least: 2 },
  batch: { is: 256, least: 1 },
  width: { is: 256, least: 8 },
  operands: { is: [32], least: 2 },
})
process.chdir(packageRoot)
await setUp()
const { createRun, machineOf, train } = await importSource('train/index')
const { defineRecipe } = await importSource('recipes/index')
const { chooseExecutor } = await importSource('executor/index')

const executor = chooseExecutor({})
const recipe = defineRecipe({
  name: 'event-loop',
  task: { name: 'addition', operands },
  model: { plan: '1x12', dModel: width, nHeads: 8, dFf: 4 * width },
  steps,
  batch,
  optimizer: { name: 'adafactor', lr: 5e-3 },
  evaluate: { every: steps, samples: 8, loops: [1] },
  checkpoint: { every: Math.ceil(steps / 2) },
})
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'lathe-event-loop-'))
const { name, isa, precision, threads } = executor
const run = await createRun(recipe, machineOf(executor), { path: path.join(folder, 'run') })

const delay = monitorEventLoopDelay({ resolution: 1 })
const beside = fork(new URL('./bare-loop.js', import.meta.url))
const told = once(beside, 'message')
// The first step compiles, and the time after the last is not a step's.
function onStep({ step }) {
  if (step === 1) {
    delay.enable()
    beside.send('start')
  }
  if (step === steps) {
    delay.disable()
    beside.send('stop')
  }
}
const { seconds } = await train(run, { executor, onStep })
fs.rmSync(folder, { recursive: true })
const milliseconds = (nanoseconds) => `${(nanoseconds / 1e6).toFixed(1)} ms`
say(
  `${name} ${isa} ${precision}, ${threads} threads: ${steps} steps in ${seconds.toFixed(1)} s, load ${os.loadavg()[0].toFixed(1)}`,
)
const text = ({ max, usual }) => `at most ${milliseconds(max)}, 99 % of its ticks at most ${milliseconds(usual)}`
say(`event loop held for ${text({ max: delay.max, usual: delay.percentile(99) })}`)
const [bare] = await told
say(`beside it, in a process that does nothing, ${text(bare)}`)
