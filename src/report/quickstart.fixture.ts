import type { QuickstartInput } from './quickstart-input.ts'

/** An input whose figures are made up, for tests. */
export function exampleInput(accuracy: { looped: number; isoFlop: number; isoParameter: number }): QuickstartInput {
  const row = { steps: 1500, chance: 0.25 }
  const points = (last: number) => [
    { step: 1, loss: 1.4, accuracy: 0.25 },
    { step: 1500, loss: 0.1, accuracy: last },
  ]
  return {
    rows: [
      {
        ...row,
        plan: '1',
        role: 'iso-parameter',
        parameters: 198_272,
        effectiveDepth: 1,
        trainingFlops: 1.3e12,
        seconds: 11.2,
        accuracy: accuracy.isoParameter,
      },
      {
        ...row,
        plan: '1x4',
        role: 'looped',
        parameters: 198_272,
        effectiveDepth: 4,
        trainingFlops: 5.1e12,
        seconds: 43,
        accuracy: accuracy.looped,
      },
      {
        ...row,
        plan: '4',
        role: 'iso-FLOP',
        parameters: 788_096,
        effectiveDepth: 4,
        trainingFlops: 5.1e12,
        seconds: 61,
        accuracy: accuracy.isoFlop,
      },
    ],
    sweep: [
      { loops: 1, accuracy: 0.262, loss: 1.9 },
      { loops: 2, accuracy: 0.334, loss: 1.6 },
      { loops: 4, accuracy: accuracy.looped, loss: 0.1 },
      { loops: 8, accuracy: 0.71, loss: 0.8 },
    ],
    trainedLoops: 4,
    curves: [
      { label: '1', points: points(accuracy.isoParameter) },
      { label: '1x4', points: points(accuracy.looped) },
      { label: '4', points: points(accuracy.isoFlop) },
    ],
    task: {
      description: 'What p-hop is.',
      exampleInput: 'badcabcdab',
      exampleTarget: 'c',
      explanation: 'Why it is c.',
    },
    seed: 7,
    evaluationSequences: 1024,
    next: [{ command: 'lathe eval runs/a --loops 1,2', does: 'Evaluate it:' }],
    environment: {
      cpu: 'A processor',
      executor: 'native',
      isa: 'amx',
      precision: 'bf16',
      threads: 2,
      date: '2026-01-02',
      command: 'npm start',
      versions: { lathe: '0.1.0', node: '20.20.2' },
    },
  }
}
