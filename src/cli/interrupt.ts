/** A signal that the first Ctrl-C sends; the second one ends the process at once. */
export function interruptible(): { signal: AbortSignal; release(): void } {
  const controller = new AbortController()
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(130)
    controller.abort()
    process.stderr.write('\nstopping after this update and saving; Ctrl-C again to drop what is not saved\n')
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  const release = (): void => {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
  return { signal: controller.signal, release }
}
