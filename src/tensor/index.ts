/**
 * Shapes, element types, rounding, errors and seeded random streams.
 * @module
 */
export * from './bf16.ts'
export { RandomStream, threefry2x32 } from './random.ts'
export * from './type.ts'
