/** What gradients of this norm are multiplied by so that it is at most `clip`; 1 where `clip` is 0, which means off. */
export function clipScale(norm: number, clip: number): number {
  return clip > 0 && norm > clip ? clip / norm : 1
}
