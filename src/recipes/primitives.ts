import { defineRecipe, type Recipe } from './recipe.ts'

const kinds = {
  copy: { kind: 'copy' },
  'assign-0': { kind: 'assign', depth: 0 },
  'assign-1': { kind: 'assign', depth: 1 },
  'assign-2': { kind: 'assign', depth: 2 },
  psm: { kind: 'psm' },
} as const

export const primitiveNames = Object.keys(kinds) as (keyof typeof kinds)[]

/** One of the reasoning primitives of MIDAS (arXiv 2409.19044), learned from nothing by a small model; all sizes are ours. */
export function primitive(name: keyof typeof kinds): Recipe {
  return defineRecipe({
    name: `primitives-${name}`,
    description: `a reasoning primitive: ${name}`,
    task: { name: 'primitives', ...kinds[name] },
    model: { plan: '1x4', dModel: 128, nHeads: 8, dFf: 512, positions: 'rope' },
    steps: 4000,
    batch: 64,
    optimizer: { name: 'adamw', lr: 1e-3 },
    evaluate: { every: 500, samples: 512, loops: [1], target: 0.995 },
    checkpoint: { every: 500, keep: 1 },
  })
}
