/**
 * From a traced graph to Programs: differentiate, simplify, lower.
 * @module
 */
export { gradientName } from './differentiate.ts'
export { lower } from './lower.ts'
export { type Binding, type Block, type Instruction, type Program, printProgram, programFlops } from './program.ts'
export { compileForward, compileTraining, type TrainingPrograms } from './training.ts'
