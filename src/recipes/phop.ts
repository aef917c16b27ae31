import { defineRecipe, type Recipe } from './recipe.ts'

/** One layer looped four times learns 3 hops in 32 letters in about a thousand updates; one layer alone does not. */
export function phopQuickstart(): Recipe {
  return defineRecipe({
    name: 'phop-quickstart',
    description: 'p-hop induction, 3 hops in 32 letters: what looping one layer four times buys',
    task: { name: 'phop', n: 32, p: 3, loss: 'every' },
    model: { plan: '1x4', dModel: 128, nHeads: 4, dFf: 512, positions: 'rope' },
    steps: 1200,
    batch: 32,
    optimizer: { name: 'adamw', lr: 2e-3 },
    evaluate: { every: 300, samples: 512, loops: [1, 2, 4, 8] },
  })
}

/**
 * The same question in a size for machines without the native executor. Sizes are ours: small batches, because they
 * learn most from a sequence, and sequences are what is dear there.
 */
export function phopTiny(): Recipe {
  return defineRecipe({
    ...phopQuickstart(),
    name: 'phop-tiny',
    description: 'p-hop induction, 2 hops in 16 letters: small enough for the reference executor',
    task: { name: 'phop', n: 16, p: 2, loss: 'every' },
    model: { plan: '1x3', dModel: 32, nHeads: 4, dFf: 64, positions: 'rope' },
    steps: 2000,
    batch: 8,
    optimizer: { name: 'adamw', lr: 4e-3 },
    evaluate: { every: 1000, samples: 256, loops: [1, 3, 6] },
  })
}

/**
 * The setting of Reasoning with Latent Thoughts (arXiv 2502.17416, §2.2 and A.1). The paper does not state where the
 * loss is taken (here at the last position), the length of the warmup, norm and activation, clipping and weight decay:
 * those are ours, and so is fresh data in place of 4M sequences seen 12.8 times.
 * Its rows are the plans 6, 1, 1x6, 2, 2x3, 3 and 3x2.
 */
export function phopPaper(p: 16 | 32): Recipe {
  return defineRecipe({
    name: `phop-${p}`,
    description: `p-hop induction, ${p} hops in 256 letters, as in arXiv 2502.17416 (loss position not stated there)`,
    task: { name: 'phop', n: 256, p, loss: 'last' },
    model: { plan: '1x6', dModel: 128, nHeads: 8, dFf: 512, positions: 'rope' },
    steps: 200_000,
    batch: 256,
    optimizer: { name: 'adafactor', lr: 1e-3 },
    schedule: { name: 'cosine' },
    evaluate: { every: 5000, samples: 4096 },
    checkpoint: { every: 5000 },
  })
}

/** The same at a size for two cores; sizes, optimizer and loss position are ours. Its rows are those of `phopPaper`. */
export function phopLaptop(p: 4 | 8): Recipe {
  return defineRecipe({
    name: `phop-laptop-${p}`,
    description: `p-hop induction, ${p} hops in 64 letters: the paper's table at a size for two cores`,
    task: { name: 'phop', n: 64, p, loss: 'every' },
    model: { plan: '1x6', dModel: 64, nHeads: 4, dFf: 256, positions: 'rope' },
    steps: 5000,
    batch: 32,
    optimizer: { name: 'muon' },
    evaluate: { every: 250, samples: 512, loops: [1], target: 0.99 },
    checkpoint: { every: 500, keep: 1 },
  })
}
