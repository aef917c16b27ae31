import { lower } from '../compile/index.ts'
import type { Executable, Executor, Job } from '../executor/executor.ts'
import { input, output, trace } from '../graph/graph.ts'
import { sum, unary } from '../ops/index.ts'
import type { Arrays, Shape } from './optimizer.ts'

/** The L2 norm of many tensors taken as one vector. */
export class GlobalNorm {
  private readonly executables = new Map<string, Executable>()

  constructor(
    private readonly executor: Executor,
    shapes: Readonly<Record<string, Shape>>,
  ) {
    const compiled = new Map<string, Executable>()
    for (const [name, shape] of Object.entries(shapes)) {
      const key = shape.join()
      const program = () =>
        lower(trace(`square sum [${key}]`, () => output('squareSum', sum(unary('square', input('x', shape))))))
      const executable = compiled.get(key) ?? executor.compile(program(), { groups: 1 })
      compiled.set(key, executable)
      this.executables.set(name, executable)
    }
  }

  /** Not finite when any value is not. Summed over tensors in double precision, in the order of the shapes. */
  async of(tensors: Arrays): Promise<number> {
    const jobs = Array.from(this.executables, ([name, executable]): Job => {
      return { executable, run: { count: 1, inputs: { x: tensors[name] } } }
    })
    const results = await this.executor.runAll(jobs)
    return Math.sqrt(results.reduce((total, { squareSum }) => total + squareSum[0], 0))
  }
}

/** What gradients of this norm are multiplied by so that it is at most `clip`; 1 where `clip` is 0, which means off. */
export function clipScale(norm: number, clip: number): number {
  return clip > 0 && norm > clip ? clip / norm : 1
}
