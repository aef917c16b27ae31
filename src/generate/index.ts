/**
 * Writing token by token with a model: greedy or sampled, with a cache for every (layer, loop).
 * @module
 */
export { type Generated, type GenerateOptions, Generator, generate } from './generator.ts'
export type { Sampling } from './sampling.ts'
