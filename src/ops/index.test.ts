import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ops } from './index.ts'

describe('the op set', () => {
  it('is this one', () => {
    expect([...ops.keys()].sort()).toEqual(
      [
        ...['add', 'sub', 'mul', 'div', 'where', 'fill', 'sumTo', 'broadcastTo'],
        ...['neg', 'exp', 'log', 'sqrt', 'reciprocal', 'square', 'abs', 'relu', 'step', 'sigmoid', 'softplus', 'tanh'],
        ...['gelu', 'silu'],
        ...['matmul', 'attention', 'attentionGrad', 'ropeTable', 'rope', 'norm', 'normGrad', 'softmax'],
        ...['embed', 'embedGrad', 'linearCrossEntropy', 'linearCrossEntropyGrad'],
        ...['slice', 'pad', 'concat', 'shift', 'transpose', 'reshape', 'takeRow', 'putRow', 'append', 'stopGradient'],
      ].sort(),
    )
  })

  it('knows each op under its own name', () => {
    for (const [name, op] of ops) expect(op.name).toBe(name)
  })

  it('has a test beside every file', () => {
    const files = readdirSync(new URL('.', import.meta.url))
    const tested = files.filter((f) => f.endsWith('.test.ts')).map((f) => f.replace('.test', ''))
    expect(files.filter((f) => !f.endsWith('.test.ts') && !tested.includes(f))).toEqual([])
  })
})
