/**
 * Symbolic tensors and the graph of one sequence: there is no batch axis anywhere.
 * @module
 */

export * from './copy.ts'
export * from './graph.ts'
