import type { RandomStream } from '../../tensor/random.ts'

/**
 * A random sequence of `n` letters whose last letter has at least `p` hops; needs n ≥ 2p + 1 and an alphabet of 2.
 *
 * The paper guarantees p hops but does not say how they are placed (arXiv 2502.17416, A.1); this law is ours. From the
 * right: the letter c_0; then for every hop i a gap and the pair c_i, c_{i−1} read leftwards, where c_i ≠ c_{i−1} is
 * uniform and the gap's letters are uniform over those that are not c_{i−1}; then a free prefix. How the n − 2p − 1
 * letters of gaps and prefix are shared out is uniform over all ways. The answer is c_p. The first letter of the
 * sequence is the answer with probability (1 − p / (n − p − 1)) / alphabet only, so keep n ≥ 4p.
 */
export function generate(random: RandomStream, n: number, p: number, alphabet: number): Int32Array {
  const letters = new Int32Array(n)
  const other = (letter: number) => (letter + 1 + random.integer(alphabet - 1)) % alphabet
  let at = n
  let target = random.integer(alphabet)
  letters[--at] = target
  let hopsLeft = p
  while (at > 0) {
    // Each pair counts as one cell: the hops are a uniform choice among the cells that are left.
    const cells = at - hopsLeft
    if (random.integer(cells) < hopsLeft) {
      const next = other(target)
      letters[--at] = next
      letters[--at] = target
      target = next
      hopsLeft--
    } else {
      letters[--at] = hopsLeft > 0 ? other(target) : random.integer(alphabet)
    }
  }
  return letters
}
