/**
 * The transformer of a loop plan, its weights, and the files that they live in.
 * @module
 */
export {
  fromHuggingFace,
  type ModelConfig,
  type ModelSettings,
  modelConfig,
  modelShape,
  toHuggingFace,
} from './config.ts'
export { loadModel, type Model, saveModel } from './model-folder.ts'
export { initialParameters, type ParameterStore, parameterCount } from './parameters.ts'
export { evaluationPrograms, logitsPrograms, trainingPrograms } from './programs.ts'
export { readSafetensors, writeSafetensors } from './safetensors.ts'
export { fromFloat32, type StoredTensor, toFloat32 } from './stored-tensor.ts'
export { normTap, transformer } from './transformer.ts'
