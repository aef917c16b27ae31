import { defineRecipe, type Recipe } from './recipe.ts'

/**
 * Hop induction in the setting of Sanford, Hsu and Telgarsky (arXiv 2402.09268; repository chsanford/hop-induction-heads):
 * a GPT-2 of width 128, here with its LayerNorm, biases, learned positions and initial weights (but for the smaller ones
 * that end its residual branches), and with clipping at 1, which is ours.
 */
export function sanfordPaper(): Recipe {
  return defineRecipe({
    name: 'sanford',
    description: '0 to 16 hops in 98 letters, loss everywhere, as in arXiv 2402.09268',
    task: { name: 'sanford' },
    model: {
      plan: '6',
      dModel: 128,
      nHeads: 4,
      norm: 'layer',
      bias: true,
      positions: 'learned',
      tiedHead: true,
      initStd: 0.02,
    },
    steps: 100_000,
    batch: 32,
    optimizer: { name: 'adamw', lr: 1e-4 },
    schedule: { name: 'linear', warmup: 1000 },
    evaluate: { every: 2500, samples: 512 },
    checkpoint: { every: 2500, keep: 1 },
  })
}

/** The same in a twentieth of the updates, with Muon in place of AdamW; both are ours. */
export function sanfordLaptop(): Recipe {
  return defineRecipe({
    ...sanfordPaper(),
    name: 'sanford-laptop',
    steps: 5000,
    optimizer: { name: 'muon' },
    schedule: { name: 'linear', warmup: 500 },
    evaluate: { every: 500, samples: 512 },
    checkpoint: { every: 250, keep: 1 },
  })
}
