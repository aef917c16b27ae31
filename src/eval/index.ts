/**
 * Measuring a model: on held-out samples or your own examples, as it was trained or looped otherwise.
 * @module
 */
export { type Answer, type AnswerOptions, answerSamples } from './answers.ts'
export { drawSamples, type EvaluationOptions, evaluate, evaluateSamples, loopSweep } from './evaluate.ts'
export { type Evaluation, Evaluator } from './evaluator.ts'
export { type Examples, evaluateExamples, readExamples, type SkippedLine } from './examples.ts'
export { evaluateWritten, isWritten, type WritingTask, type WrittenEvaluation, writeAnswers } from './written.ts'
