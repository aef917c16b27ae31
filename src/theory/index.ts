/**
 * Models that are written down, not trained, and whether they do what the theorems say.
 * @module
 */
export { type Check, checkConstruction, type Size, smallestGap } from './check.ts'
export { type CotCheck, checkSimulateCot, greedyChains, latentTokens } from './check-cot.ts'
export { checkSimulateDepth, type DepthCheck, originals } from './check-depth.ts'
export { type Construction, lettersOf, type Problem } from './construction.ts'
export {
  type Demonstration,
  demonstrateCot,
  demonstrateDepth,
  demonstrateDepthOf,
  demonstrateGroup,
  demonstrateHops,
  type Part,
} from './demonstrations.ts'
export { groupComposition } from './group-composition.ts'
export { type PHopSettings, pHop } from './phop.ts'
export { groupPicture, hopPicture } from './picture.ts'
export { type Built, saveAsRun } from './save-run.ts'
export { type ChainShape, resolution, simulateCot } from './simulate-cot.ts'
export { simulateDepth } from './simulate-depth.ts'
