/**
 * The data thread itself: draws the batches that it is asked for, one after another.
 * @module
 */
import { parentPort } from 'node:worker_threads'
import { LatheError } from '../settings/error.ts'
import { createTask, type Task } from '../task/index.ts'
import { drawBatch } from './batches.ts'
import type { BatchReply, BatchRequest } from './data-thread.ts'

/** By their settings: a training asks for thousands of batches of one task. */
const tasks = new Map<string, Task>()

function taskOf(settings: BatchRequest['task']): Task {
  const key = JSON.stringify(settings)
  const task = tasks.get(key) ?? createTask(settings)
  tasks.set(key, task)
  return task
}

function reply({ task, settings, step }: BatchRequest): BatchReply {
  try {
    return { parts: drawBatch(taskOf(task), step, settings) }
  } catch (error) {
    if (error instanceof LatheError) return { refused: error.message }
    throw error // an error of ours: it ends the thread, and whoever waits is told
  }
}

parentPort!.on('message', (request: BatchRequest) => {
  const answer = reply(request)
  const parts = 'parts' in answer ? answer.parts : []
  const buffers = parts.flatMap(({ inputs }) => Object.values(inputs).map(({ buffer }) => buffer as ArrayBuffer))
  parentPort!.postMessage(answer, buffers)
})
