// Ours: one press or one `timeout` may signal twice, itself and by the group; a person who presses again takes longer.
const againMilliseconds = 500

/** A signal that the first Ctrl-C sends; another, half a second later or more, ends the process at once. */
export function interruptible(say: (line: string) => void): { signal: AbortSignal; release(): void } {
  const controller = new AbortController()
  let first = 0
  const stop = (): void => {
    if (!controller.signal.aborted) {
      first = performance.now()
      controller.abort()
      say('stopping after this update and saving; Ctrl-C again to drop what is not saved')
    } else if (performance.now() - first >= againMilliseconds) process.exit(130)
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  const release = (): void => {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
  return { signal: controller.signal, release }
}
