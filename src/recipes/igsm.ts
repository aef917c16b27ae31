import { defineRecipe, type Recipe } from './recipe.ts'

/**
 * i-GSM in the setting of Reasoning with Latent Thoughts (arXiv 2502.17416, §2.3 and A.1). The paper does not state the
 * sizes of its problems, the warmup, norm and activation, clipping and weight decay: those are ours, and so is fresh data
 * in place of 4M problems.
 */
export function igsmPaper(): Recipe {
  return defineRecipe({
    name: 'igsm',
    description: 'i-GSM as in arXiv 2502.17416, at sizes of problems that are ours',
    task: { name: 'igsm', minNodes: 8, maxNodes: 14, operands: 3, steps: 'full', maxLength: 384 },
    model: { plan: '1x8', dModel: 128, nHeads: 8, dFf: 512, positions: 'rope' },
    steps: 200_000,
    batch: 256,
    optimizer: { name: 'adafactor', lr: 1e-3 },
    evaluate: { every: 5000, samples: 4096, loops: [1] },
    checkpoint: { every: 5000 },
  })
}

/**
 * The same at a size for two cores: problems of 4 to 7 definitions, each over one name, one of them not needed, in at most
 * 128 tokens; sizes and optimizer are ours. Eight heads as in the paper, and as wide, though the model is half as wide: a
 * looped layer has to do with its own heads what eight layers share. Sums of two names take such a model far longer to
 * learn (results/LOG.md).
 */
export function igsmLaptop(): Recipe {
  return defineRecipe({
    ...igsmPaper(),
    name: 'igsm-laptop',
    description: 'i-GSM of 4 to 7 definitions of one name: the paper at a size for two cores',
    task: {
      name: 'igsm',
      minNodes: 4,
      maxNodes: 7,
      operands: 1,
      distractors: 0.15,
      letters: 8,
      names: 'whole',
      steps: 'full',
    },
    model: { plan: '1x8', dModel: 64, nHeads: 8, dHead: 16, dFf: 256, positions: 'rope' },
    steps: 12_000,
    batch: 32,
    optimizer: { name: 'adamw', lr: 3e-3 },
    evaluate: { every: 500, samples: 512, loops: [1], target: 0.98 },
    checkpoint: { every: 500, keep: 1 },
  })
}

/**
 * A small model of the kind that the theorems of arXiv 2502.17416, §5 are about (ReLU, no norm, learned positions), on
 * small problems: `lathe theory simulate-cot` turns its chains into loops. All sizes are ours.
 */
export function igsmTheory(): Recipe {
  return defineRecipe({
    ...igsmLaptop(),
    name: 'igsm-theory',
    description: 'i-GSM of 4 or 5 definitions by a model without norms, whose chain of thought loops can simulate',
    task: { name: 'igsm', minNodes: 4, maxNodes: 5, letters: 8, modulus: 5, maxLength: 96 },
    model: {
      plan: '4',
      dModel: 64,
      nHeads: 4,
      dFf: 256,
      norm: 'none',
      activation: 'relu',
      positions: 'learned',
      bias: true,
    },
    steps: 6000,
    optimizer: { name: 'adamw', lr: 1e-3 },
    evaluate: { every: 500, samples: 512 },
  })
}
