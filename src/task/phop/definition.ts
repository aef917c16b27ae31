/**
 * The p-hop induction task from its definition (Reasoning with Latent Thoughts, arXiv 2502.17416, §2.2, after Sanford,
 * Hsu and Telgarsky, arXiv 2402.09268). For a sequence v of n letters, positions counted from 1:
 *
 * - find_1(v, i) = max({0} ∪ {j ≤ i : v_{j−1} = v_i}), just after the most recent earlier occurrence of v_i;
 * - find_p(v, i) = find_1(v, find_{p−1}(v, i)), and 0, which means undefined, stays 0;
 * - hop_p(v, i) = v at find_p(v, i). The task asks for hop_p(v, n).
 *
 * Example: in badcabcdab, hop_0 to hop_3 of the last letter are b, c, a, d; hop_4 is undefined.
 * @module
 */

/** find_1(v, i) for i = 0 … n, as [n + 1] positions; 0 where undefined. Letters are small whole numbers. */
export function findOnce(letters: ArrayLike<number>): Int32Array {
  const found = new Int32Array(letters.length + 1)
  const after: number[] = [] // the position after each letter's most recent occurrence
  for (let i = 1; i <= letters.length; i++) {
    if (i > 1) after[letters[i - 2]!] = i
    found[i] = after[letters[i - 1]!] ?? 0
  }
  return found
}

/** find_p(v, i) for i = 0 … n, as [n + 1] positions, in O(n log p) by doubling the length of the jump. */
export function findHops(letters: ArrayLike<number>, p: number): Int32Array {
  const jump = findOnce(letters)
  const found = new Int32Array(jump.length)
  for (let i = 1; i < found.length; i++) found[i] = i
  for (let rest = p; rest > 0; rest >>= 1) {
    if (rest & 1) for (let i = 1; i < found.length; i++) found[i] = jump[found[i]!]!
    // Downwards, because a jump never goes up: what is read is not yet doubled.
    for (let i = jump.length - 1; i > 0; i--) jump[i] = jump[jump[i]!]!
  }
  return found
}

/** hop_p(v, i) for i = 1 … n, as [n] letters; -1 where undefined. */
export function hops(letters: ArrayLike<number>, p: number): Int32Array {
  const found = findHops(letters, p)
  const answers = new Int32Array(letters.length)
  for (let i = 1; i < found.length; i++) answers[i - 1] = found[i] === 0 ? -1 : letters[found[i]! - 1]!
  return answers
}
