/**
 * What to train and how: recipes are functions that return a typed recipe, made from one another.
 * @module
 */
export { applySettings } from './apply.ts'
export { loadRecipe, recipes } from './load.ts'
export { phopPaper, phopQuickstart, phopTiny } from './phop.ts'
export type { Recipe, RecipeInput, ResolvedRecipe } from './recipe.ts'
export { defineRecipe, recipeSchema, recipeSettings, resolveRecipe } from './recipe.ts'
