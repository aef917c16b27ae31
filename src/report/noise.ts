/** What is called no difference in accuracy, which is ours: under a point, or within two standard errors. As a fraction. */
export const noiseOf = ({ accuracy, samples }: { readonly accuracy: number; readonly samples: number }): number =>
  Math.max(0.01, 2 * Math.sqrt((accuracy * (1 - accuracy)) / samples))
