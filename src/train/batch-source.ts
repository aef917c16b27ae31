import type { Recipe } from '../recipes/index.ts'
import type { MicroBatch } from './batches.ts'
import { DataThread } from './data-thread.ts'

// One for the process: it takes longer to start than a short training takes.
const thread = new DataThread()

// Ours: one batch being drawn while another lies ready.
const ahead = 2

/**
 * The batches of a training, in order, drawn ahead in a worker thread: those that `drawBatch` gives.
 *
 * @example
 * const source = new BatchSource(recipe, 0)
 * await source.next() // the batch of the first update
 */
export class BatchSource {
  private readonly drawn: Promise<MicroBatch[]>[] = []

  /** `step` updates are done; batches are drawn up to `steps` of them. */
  constructor(
    private readonly recipe: Pick<Recipe, 'task' | 'steps' | 'seed' | 'batch' | 'accumulation'>,
    private step: number,
  ) {
    this.drawAhead()
  }

  /** Throws a LatheError when the task cannot fill the batch, and a RangeError after the last. */
  async next(): Promise<MicroBatch[]> {
    const batch = this.drawn.shift()
    if (!batch) throw new RangeError(`a training of ${this.recipe.steps} steps has no further batch`)
    this.drawAhead()
    return batch
  }

  private drawAhead(): void {
    const { task, steps, seed, batch, accumulation } = this.recipe
    while (this.drawn.length < ahead && this.step < steps) {
      const next = thread.draw({ task, settings: { seed, batch, accumulation }, step: this.step++ })
      next.catch(() => {}) // told by next(), once it is that batch's turn
      this.drawn.push(next)
    }
  }
}
