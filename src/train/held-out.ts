import { drawSamples, type Evaluation, Evaluator } from '../eval/index.ts'
import type { Executor } from '../executor/executor.ts'
import type { ParameterStore } from '../model/parameters.ts'
import type { Recipe } from '../recipes/index.ts'
import type { Sample } from '../task/index.ts'
import type { Setup } from './setup.ts'

/** The evaluations of a run: always on the same held-out samples, at every number of loops of its recipe. */
export class HeldOut {
  private readonly evaluators: readonly Evaluator[]
  private samples?: readonly Sample[]

  constructor(
    executor: Executor,
    private readonly recipe: Recipe,
    private readonly setup: Setup,
  ) {
    const { config, task, loops } = setup
    this.evaluators = loops.map((looping) => new Evaluator(executor, config, task, looping))
  }

  async evaluate(parameters: ParameterStore): Promise<Evaluation[]> {
    const { seed, evaluate } = this.recipe
    this.samples ??= await drawSamples(this.setup.task, { samples: evaluate.samples, split: 'validation', seed })
    const evaluations: Evaluation[] = []
    for (const evaluator of this.evaluators) evaluations.push(await evaluator.evaluate(parameters, this.samples))
    return evaluations
  }
}
