/**
 * Shapes, element types, rounding, errors and seeded random streams.
 * @module
 */
export * from './bf16.ts'
export * from './error.ts'
export * from './type.ts'
