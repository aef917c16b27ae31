import { defineRecipe, type Recipe } from './recipe.ts'

/**
 * Hop induction in the setting of Sanford, Hsu and Telgarsky (arXiv 2402.09268; repository chsanford/hop-induction-heads):
 * a GPT-2 of width 128, with its LayerNorm, biases, learned positions and initial weights, and torch's AdamW. Ours: no
 * dropout (theirs has the 0.1 of GPT-2), a head tied to the embedding (theirs takes 128 logits from the last hidden state
 * itself), no weight decay of gains and biases, no smaller weights at the ends of residual branches.
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
    optimizer: { name: 'adamw', lr: 1e-4, beta2: 0.999, weightDecay: 0.01 },
    schedule: { name: 'linear', warmup: 1000, final: 100_001 / 199_001 }, // of 200,001 updates; measured half-way
    clip: 0,
    evaluate: { every: 2500, samples: 512 },
    checkpoint: { every: 2500, keep: 1 },
  })
}

/** The same in a twentieth of the updates, with Muon in place of AdamW and clipping at 1; all three are ours. */
export function sanfordLaptop(): Recipe {
  return defineRecipe({
    ...sanfordPaper(),
    name: 'sanford-laptop',
    steps: 5000,
    optimizer: { name: 'muon' },
    schedule: { name: 'linear', warmup: 500 },
    clip: 1,
    evaluate: { every: 500, samples: 512 },
    checkpoint: { every: 250, keep: 1 },
  })
}
