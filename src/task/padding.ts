// Ours: few enough lengths that each is compiled once and soon, close enough that little is spent on padding.
const step = 16

/** Tokens that a sequence is padded to on the right: the next multiple of 16, or `longest` where that is less. */
export const paddedLength = (length: number, longest: number): number =>
  Math.min(longest, Math.ceil(length / step) * step)
