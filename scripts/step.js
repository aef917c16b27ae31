// Runs one command as one short line on stderr; its output is shown only when it fails.
import { spawn } from 'node:child_process'

/** Something that stops set-up or a check and that its message explains in full. */
export class StepError extends Error {}

/** Writes one line for people. Stdout is kept for results. */
export function say(line) {
  process.stderr.write(`${line}\n`)
}

/**
 * Runs `command` and prints `label… 21 s`. Resolves to its output, stdout and stderr together.
 * Throws a StepError with the last `tail` lines of that output when the command fails or cannot be started.
 */
export async function step(label, command, args, { tail = 40, ...options } = {}) {
  const clock = startClock(label)
  const { code, output } = await collect(command, args, options)
  clock.stop()
  if (code === 0) return output
  const shown = output.trimEnd().split('\n').slice(-tail).join('\n')
  throw new StepError(`${shown}\n${label}: failed (${[command, ...args].join(' ')}: ${code})`)
}

function collect(command, args, options) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text))
    child.on('error', (error) => resolve({ code: error.code, output: error.message }))
    child.on('close', (code, signal) => resolve({ code: signal || code, output }))
  })
}

function startClock(label) {
  const start = Date.now()
  const seconds = () => Math.round((Date.now() - start) / 1000)
  const terminal = process.stderr.isTTY
  process.stderr.write(`${label}…`)
  const ticking = terminal && setInterval(() => process.stderr.write(`\r${label}… ${seconds()} s`), 1000)
  return {
    stop() {
      clearInterval(ticking)
      process.stderr.write(`${terminal ? `\r${label}…` : ''} ${seconds()} s\n`)
    },
  }
}
