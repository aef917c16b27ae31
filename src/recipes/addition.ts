import { defineRecipe, type Recipe } from './recipe.ts'

/**
 * n-ary addition in the setting of Reasoning with Latent Thoughts (arXiv 2502.17416, §2.1 and A.1). The paper does not
 * state positions, warmup, norm and activation, clipping and weight decay: those are ours.
 */
export function additionPaper(): Recipe {
  return defineRecipe({
    name: 'addition',
    description: 'sums of 2 to 32 numbers of three digits, as in arXiv 2502.17416',
    task: { name: 'addition', operands: [2, 4, 8, 16, 32], digits: 3, order: 'most' },
    model: { plan: '1x12', dModel: 256, nHeads: 8, dFf: 1024, positions: 'rope' },
    steps: 200_000,
    batch: 1024,
    optimizer: { name: 'adafactor', lr: 5e-3 },
    evaluate: { every: 5000, samples: 4096, loops: [1] },
    checkpoint: { every: 5000 },
  })
}

/**
 * The same at a size for two cores: up to 8 numbers of two digits; sizes, optimizer and positions are ours. With rotary
 * positions and AdamW `1x6` adds 8 numbers with one seed of three; with learned ones, "=" always in one place, and Muon
 * with all three (results/lt-table1-addition-laptop.md).
 */
export function additionLaptop(): Recipe {
  return defineRecipe({
    ...additionPaper(),
    name: 'addition-laptop',
    description: "sums of 2, 4 or 8 numbers of two digits: the paper's table at a size for two cores",
    task: { name: 'addition', operands: [2, 4, 8], digits: 2, padTo: 8 },
    model: { plan: '1x6', dModel: 64, nHeads: 8, dHead: 16, dFf: 256, positions: 'learned' },
    steps: 12_000,
    batch: 64,
    optimizer: { name: 'muon' },
    evaluate: { every: 500, samples: 1024, loops: [1], target: 0.99 },
    checkpoint: { every: 500, keep: 1 },
  })
}
