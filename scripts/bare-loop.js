// Beside scripts/event-loop.js: how long the event loop of a process that does nothing is held, in nanoseconds.
import { monitorEventLoopDelay } from 'node:perf_hooks'

const delay = monitorEventLoopDelay({ resolution: 1 })
process.on('message', (what) => {
  if (what === 'start') return delay.enable()
  delay.disable()
  process.send({ max: delay.max, usual: delay.percentile(99) }, () => process.disconnect())
})
