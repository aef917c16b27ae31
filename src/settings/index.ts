/**
 * What people set, and what they are told when it is wrong.
 * @module
 */
export { LatheError } from './error.ts'
export { nearest } from './nearest.ts'
export { listSettings, parseSettings, type Setting } from './settings.ts'
