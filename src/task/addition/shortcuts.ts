/**
 * The probability of the most frequent sum of `count` numbers, each uniform in [0, 10^digits): of the middle one, because
 * such sums are symmetric and have one peak. It is worked out column by column, with the carries that lead to that sum.
 */
export function mostFrequentSum(count: number, digits: number): number {
  const columnSums = sumsOfDigits(count)
  let left = Math.floor((count * (10 ** digits - 1)) / 2)
  let carries = new Float64Array(count).with(0, 1) // probability of each carry, and of all columns so far
  for (let column = 0; column < digits; column++) {
    const digit = left % 10
    const next = new Float64Array(count)
    for (const [carry, probability] of carries.entries()) {
      for (let sum = (10 + digit - (carry % 10)) % 10; sum < columnSums.length; sum += 10)
        next[(carry + sum - digit) / 10] += probability * columnSums[sum]
    }
    carries = next
    left = (left - digit) / 10
  }
  return carries[left]
}

/** [9 count + 1] the probability of every sum of `count` uniform digits. */
function sumsOfDigits(count: number): Float64Array {
  let sums = Float64Array.of(1)
  for (let i = 1; i <= count; i++) {
    const next = new Float64Array(9 * i + 1)
    for (let sum = 0; sum < next.length; sum++)
      for (let digit = 0; digit <= 9; digit++) next[sum] += (sums[sum - digit] ?? 0) / 10
    sums = next
  }
  return sums
}
