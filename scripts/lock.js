// One set-up at a time in one checkout: a folder that only one process can create.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { say } from './step.js'

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Runs `work` while holding the folder `lock`. Waits for a living holder; clears away what a dead one left. */
export async function withLock(lock, work) {
  fs.mkdirSync(path.dirname(lock), { recursive: true })
  for (let tries = 0; !take(lock); tries++) {
    clearStale(lock)
    if (tries === 5) say(`waiting for another set-up of this folder (if there is none, remove ${lock})`)
    await pause(200)
  }
  try {
    return await work()
  } finally {
    fs.rmSync(lock, { recursive: true, force: true })
  }
}

function take(lock) {
  if (!makeFolder(lock)) return false
  fs.writeFileSync(path.join(lock, 'owner'), `${process.pid} ${os.hostname()}`)
  return true
}

function makeFolder(folder) {
  try {
    fs.mkdirSync(folder)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

// A second folder guards the removal: else a slow waiter could remove the lock that a quick one has just taken anew.
function clearStale(lock) {
  const guard = `${lock}.clearing`
  if (makeFolder(guard)) {
    if (isStale(lock)) fs.rmSync(lock, { recursive: true, force: true })
    fs.rmSync(guard, { recursive: true, force: true })
  } else if (age(guard) > 10_000) fs.rmSync(guard, { recursive: true, force: true })
}

function isStale(lock) {
  const [pid, host] = readOwner(lock)
  if (!pid) return age(lock) > 10_000 // its holder died before it could sign
  if (host !== os.hostname()) return age(lock) > 30 * 60_000 // a shared disk: that process cannot be asked
  try {
    process.kill(Number(pid), 0)
    return false
  } catch (error) {
    return error.code === 'ESRCH'
  }
}

function readOwner(lock) {
  try {
    return fs.readFileSync(path.join(lock, 'owner'), 'utf8').split(' ')
  } catch {
    return []
  }
}

function age(folder) {
  try {
    return Date.now() - fs.statSync(folder).mtimeMs
  } catch {
    return 0
  }
}
