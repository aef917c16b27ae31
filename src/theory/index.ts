/**
 * Models that are written down, not trained, and whether they do what the theorems say.
 * @module
 */
export { type Check, checkConstruction, smallestGap } from './check.ts'
export { checkSimulateCot, greedyChains, latentTokens } from './check-cot.ts'
export { checkSimulateDepth, type Size } from './check-depth.ts'
export { type Construction, type Problem, samplesOf, taskOf } from './construction.ts'
export { type Group, namedGroup, readGroup, tableGroup } from './group.ts'
export { groupComposition } from './group-composition.ts'
export { type PHopSettings, pHop } from './phop.ts'
export { groupPicture, hopPicture } from './picture.ts'
export { type ChainShape, simulateCot } from './simulate-cot.ts'
export { behindDummy, simulateDepth } from './simulate-depth.ts'
