import type { FileSystem } from '../files/durable-file.ts'
import { LatheError } from '../settings/error.ts'
import { type Checkpoint, type NamedTensor, saveCheckpoint } from './checkpoint.ts'
import type { Run } from './run-folder.ts'

/** Saves a run's checkpoints while its training goes on: one at a time, each from a copy of the state. */
export class Saver {
  /** Of the newest checkpoint that is whole on the disk. */
  savedStep?: number
  /** The best score of a checkpoint that is, or was, whole on the disk. */
  best: Checkpoint['state']['best'] = null
  private underWay: Promise<void> = Promise.resolve()
  private failure?: Error
  /** Kept from save to save: new memory would take longer to get than to fill. */
  private readonly copies = new Map<string, Float32Array>()

  constructor(
    private readonly run: Run,
    private readonly options: { readonly onNote?: (note: string) => void; readonly fs?: FileSystem },
  ) {}

  /** Waits for the save before. Throws what it failed with, where the recipe does not say to continue. */
  async ready(): Promise<void> {
    await this.underWay
    this.check()
  }

  /**
   * Begins a save, once it is `ready`; when it returns, the state may change. The records of the step must be in the
   * logs.
   */
  async begin(checkpoint: Checkpoint): Promise<void> {
    await this.ready()
    const parameters = this.copyOf('parameter', checkpoint.parameters)
    const optimizer = this.copyOf('optimizer', checkpoint.optimizer)
    this.underWay = this.save({ ...checkpoint, parameters, optimizer }).catch((error) => {
      this.failure = error
    })
  }

  /** Throws what a save failed with, if one did since this was asked; a note where the recipe says to continue. */
  check(): void {
    const { failure, run, options } = this
    if (run.recipe.checkpoint.failure === 'continue' && failure instanceof LatheError) {
      this.failure = undefined
      options.onNote?.(`${failure.message}; training continues`)
    } else this.expectSaved()
  }

  /** Waits until the save under way is done. Throws what it failed with: no other save will make up for it. */
  async finish(): Promise<void> {
    await this.underWay
    this.expectSaved()
  }

  private expectSaved(): void {
    const { failure } = this
    this.failure = undefined
    if (failure) throw failure
  }

  private async save(checkpoint: Checkpoint): Promise<void> {
    const { run, options } = this
    const { keep } = run.recipe.checkpoint
    const { warnings } = await saveCheckpoint(run, checkpoint, { keep, fs: options.fs })
    this.savedStep = checkpoint.step
    this.best = checkpoint.state.best
    for (const warning of warnings) options.onNote?.(warning)
  }

  private copyOf(kind: string, tensors: ReadonlyMap<string, NamedTensor>): Map<string, NamedTensor> {
    const copied = Array.from(tensors, ([name, { shape, data }]): [string, NamedTensor] => {
      const copy = this.copies.get(`${kind}:${name}`) ?? new Float32Array(data.length)
      this.copies.set(`${kind}:${name}`, copy)
      copy.set(data)
      return [name, { shape, data: copy }]
    })
    return new Map(copied)
  }
}
