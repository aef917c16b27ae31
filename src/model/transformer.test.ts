import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { nativeExecutor, nativeVariants, referenceExecutor } from '../executor/index.ts'
import { StepRunner } from '../executor/step-runner.ts'
import { modelConfig } from './config.ts'
import { logitsPrograms, trainingPrograms } from './programs.ts'
import { readSafetensors } from './safetensors.ts'
import { toFloat32 } from './stored-tensor.ts'

const folder = new URL('./goldens/', import.meta.url)
const cases = readdirSync(folder).filter((f) => f.endsWith('.safetensors') && f !== 'optimizers.safetensors')

const executors = [referenceExecutor(), ...nativeVariants().map((isa) => nativeExecutor({ isa, precision: 'f32' }))]

/** ‖a − b‖ / ‖b‖. */
function relativeError(a: Float32Array, b: Float32Array): number {
  let [difference, norm] = [0, 0]
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2
    norm += b[i] ** 2
  }
  return Math.sqrt(difference / norm)
}

async function readCase(file: string) {
  const { tensors, metadata } = await readSafetensors(new URL(file, folder).pathname)
  const numbers = (name: string) => toFloat32(tensors.get(name)!, name)
  const ids = (name: string) => {
    const { data } = tensors.get(name)!
    return new Int32Array(data.slice().buffer)
  }
  const parameters = Object.fromEntries(
    [...tensors.keys()].filter((n) => /^(model\.|lm_head)/.test(n)).map((n) => [n, Float32Array.from(numbers(n))]),
  )
  const [B, T] = tensors.get('tokens')!.shape
  return { config: modelConfig(JSON.parse(metadata.config)), numbers, ids, parameters, B, T }
}

describe.each(cases)('the PyTorch model %s', (file) => {
  it.each(executors)('has the same logits, loss, norms and gradients on $name $isa', async (executor) => {
    const { config, numbers, ids, parameters, B, T } = await readCase(file)
    const logits = new StepRunner(executor, logitsPrograms(config, T))
    const outputs = await logits.run({ count: B, parameters, inputs: { tokens: ids('tokens') }, version: 0 })
    expect(relativeError(outputs.logits as Float32Array, numbers('logits'))).toBeLessThan(2e-6)

    const programs = trainingPrograms(config, T)
    const step = new StepRunner(executor, programs)
    const sums: Record<string, Float32Array> = {}
    for (const [name, values] of Object.entries(parameters)) sums[`grad:${name}`] = new Float32Array(values.length)
    for (const sum of programs.main.sums)
      if (!sum.name.startsWith('grad:')) sums[sum.name] = new Float32Array(sum.shape[0] ?? 1)
    const inputs = { tokens: ids('tokens'), targets: ids('targets'), lossWeights: numbers('weights') }
    await step.run({ count: B, parameters, inputs, version: 0 })
    await step.reduce(sums, parameters)
    expect(relativeError(sums.loss, numbers('loss'))).toBeLessThan(1e-6)
    const stateNorms = Object.keys(sums)
      .filter((n) => n.startsWith('stateNorm'))
      .sort()
      .flatMap((n) => [...sums[n]])
    expect(
      relativeError(
        Float32Array.from(stateNorms, (n) => n / B),
        numbers('stateNorms'),
      ),
    ).toBeLessThan(1e-6)
    for (const name of Object.keys(parameters))
      expect(relativeError(sums[`grad:${name}`], numbers(`grad.${name}`)), name).toBeLessThan(1e-5)
  })
})
