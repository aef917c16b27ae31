import { afterEach, expect, it, vi } from 'vitest'
import { interruptible } from './interrupt.ts'

afterEach(() => vi.restoreAllMocks())

it.each(['SIGINT', 'SIGTERM'] as const)(
  '%s stops once, however often it comes at once, and ends it when it comes again',
  (name) => {
    const exit = vi.spyOn(process, 'exit').mockImplementation((() => {}) as never)
    const now = vi.spyOn(performance, 'now').mockReturnValue(1000)
    const said: string[] = []
    const { signal, release } = interruptible((line) => said.push(line))
    process.emit(name)
    process.emit(name) // as `timeout` does, to the process and to its group
    expect([signal.aborted, said.length]).toEqual([true, 1])
    expect(exit).not.toHaveBeenCalled()
    now.mockReturnValue(2000)
    process.emit(name)
    expect(exit).toHaveBeenCalledWith(130)
    release()
    expect(process.listenerCount(name)).toBe(0)
  },
)
