import { open, readFile } from 'node:fs/promises'
import { ioReason, isGone } from '../files/durable-file.ts'
import { LatheError } from '../settings/error.ts'

/** A line of `metrics.jsonl` or `timing.jsonl`: what was seen at a step. Numbers are finite. */
export interface LogRecord {
  readonly step: number
  readonly [name: string]: unknown
}

/**
 * Adds a record to a log. A line that cannot be written in full is taken back.
 * Throws a LatheError that names the path, also for a number that JSON would not keep.
 */
export async function appendRecord(path: string, record: LogRecord): Promise<void> {
  const line = `${JSON.stringify(record, (name, value) => {
    if (typeof value !== 'number' || Number.isFinite(value)) return value
    throw new LatheError(`${path}: ${name} of step ${record.step} is ${value}, which is no number to record`)
  })}\n`
  try {
    const handle = await open(path, 'a')
    try {
      const { size } = await handle.stat()
      await handle.writeFile(line).catch(async (error) => {
        await handle.truncate(size).catch(() => {}) // the first error is the one to tell
        throw error
      })
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw new LatheError(`${path}: cannot write step ${record.step}: ${ioReason(error)}`, { cause: error })
  }
}

/** The records of a log in order; a torn last line is left out, a log that is not there is empty. */
export async function readLog(path: string): Promise<LogRecord[]> {
  return (await parseLog(path)).lines.map(({ record }) => record)
}

/**
 * Makes a log what it was when `step` was done: later records and a torn last line are removed.
 * Throws a LatheError for a line that is no record and is not the last, or that goes back in steps.
 */
export async function truncateLog(path: string, step: number): Promise<{ dropped: number; mended: boolean }> {
  const { lines, bytes } = await parseLog(path)
  const kept = lines.filter(({ record }) => record.step <= step)
  const end = kept.at(-1)?.end ?? 0
  const dropped = lines.length - kept.length
  const mended = bytes !== (lines.at(-1)?.end ?? 0)
  if (bytes === end) return { dropped, mended }
  const handle = await open(path, 'r+').catch((error) => {
    throw new LatheError(`${path}: cannot cut it back to step ${step}: ${ioReason(error)}`, { cause: error })
  })
  try {
    await handle.truncate(Math.min(end, bytes))
    if (end > bytes) await handle.write('\n', bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
  return { dropped, mended }
}

interface Line {
  readonly record: LogRecord
  /** The byte after its newline; one more than the file has when only the newline is torn off. */
  readonly end: number
}

async function parseLog(path: string): Promise<{ lines: Line[]; bytes: number }> {
  const content = await readFile(path).catch((error) => {
    if (isGone(error)) return Buffer.alloc(0)
    throw new LatheError(`${path}: cannot read it: ${ioReason(error)}`)
  })
  const lines: Line[] = []
  for (let start = 0; start < content.byteLength; ) {
    const newline = content.indexOf('\n', start)
    const end = newline < 0 ? content.byteLength + 1 : newline + 1
    const record = parseRecord(content.toString('utf8', start, end - 1))
    if (record === undefined && end >= content.byteLength) break // torn
    const where = `${path}:${lines.length + 1}`
    if (record === undefined) throw new LatheError(`${where} is no record of a step: remove the line to go on`)
    const last = lines.at(-1)?.record.step ?? 0
    if (record.step < last) throw new LatheError(`${where}: step ${record.step} stands after step ${last}`)
    lines.push({ record, end })
    start = end
  }
  return { lines, bytes: content.byteLength }
}

function parseRecord(line: string): LogRecord | undefined {
  try {
    const value = JSON.parse(line)
    return Number.isInteger(value?.step) ? value : undefined
  } catch {
    return undefined
  }
}
