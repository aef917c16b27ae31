import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { withLock } from './lock.js'

let folder
let lock

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'lathe-lock-'))
  lock = path.join(folder, 'deep/lock')
})

afterEach(() => fs.rmSync(folder, { recursive: true }))

function leaveLock(owner, ageInSeconds) {
  fs.mkdirSync(lock, { recursive: true })
  if (owner) fs.writeFileSync(path.join(lock, 'owner'), owner)
  const time = Date.now() / 1000 - ageInSeconds
  fs.utimesSync(lock, time, time)
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Whether the lock can be had within a second. It is removed afterwards, so that whoever waits ends too. */
async function isFree() {
  const taken = withLock(lock, async () => true)
  const free = await Promise.race([taken, pause(1000).then(() => false)])
  fs.rmSync(lock, { recursive: true, force: true })
  await taken
  return free
}

const deadProcess = () => spawnSync(process.execPath, ['-e', '']).pid

test('only one holds it at a time, and everybody gets a turn', async () => {
  let holders = 0
  const order = []
  const work = async (name) => {
    expect(++holders).toBe(1)
    await pause(50)
    holders--
    order.push(name)
  }
  await Promise.all(['a', 'b', 'c'].map((name) => withLock(lock, () => work(name))))
  expect(order.sort()).toEqual(['a', 'b', 'c'])
  expect(fs.existsSync(lock)).toBe(false)
})

test('it is given back when the work throws', async () => {
  await expect(withLock(lock, () => Promise.reject(new Error('no room')))).rejects.toThrow('no room')
  expect(fs.existsSync(lock)).toBe(false)
})

test('it returns what the work returns', async () => {
  expect(await withLock(lock, async () => 3)).toBe(3)
})

test('what a dead process left is cleared away', async () => {
  leaveLock(`${deadProcess()} ${os.hostname()}`, 1)
  expect(await isFree()).toBe(true)
})

test('a living process is waited for, however old its lock', async () => {
  leaveLock(`${process.pid} ${os.hostname()}`, 7200)
  expect(await isFree()).toBe(false)
})

test('an unsigned lock is given a moment to be signed', async () => {
  leaveLock(undefined, 1)
  expect(await isFree()).toBe(false)
  leaveLock(undefined, 60)
  expect(await isFree()).toBe(true)
})

test('a lock of another machine on a shared disk is waited for half an hour', async () => {
  leaveLock('1 elsewhere', 60)
  expect(await isFree()).toBe(false)
  leaveLock('1 elsewhere', 3600)
  expect(await isFree()).toBe(true)
})

test('a clearing that was cut short does not block the next', async () => {
  leaveLock(`${deadProcess()} ${os.hostname()}`, 1)
  fs.mkdirSync(`${lock}.clearing`)
  fs.utimesSync(`${lock}.clearing`, Date.now() / 1000 - 60, Date.now() / 1000 - 60)
  expect(await isFree()).toBe(true)
})

test('a folder that cannot be written is an error, not an endless wait', async () => {
  fs.writeFileSync(path.join(folder, 'deep'), '')
  await expect(withLock(lock, async () => true)).rejects.toThrow(/EEXIST|ENOTDIR/)
})
