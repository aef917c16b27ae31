/**
 * What to train and how: recipes are functions that return a typed recipe, made from one another.
 * @module
 */
export { additionLaptop, additionPaper } from './addition.ts'
export { applySettings } from './apply.ts'
export { igsmLaptop, igsmPaper, igsmTheory } from './igsm.ts'
export { loadRecipe, recipes } from './load.ts'
export { phopLaptop, phopPaper, phopQuickstart, phopTiny } from './phop.ts'
export { primitive } from './primitives.ts'
export type { Recipe, RecipeInput, RecipeSetting, ResolvedRecipe } from './recipe.ts'
export { defineRecipe, recipeSchema, recipeSettings, resolveRecipe } from './recipe.ts'
export { sanfordLaptop, sanfordPaper } from './sanford.ts'
