import { copyInto } from '../graph/copy.ts'
import { type Body, type Node, placeholder, type Tensor } from '../graph/graph.ts'
import { LatheError } from '../settings/error.ts'

/**
 * The work of a loop's body once more, in the scope at hand: on `index` and new placeholders for its carry and slices.
 * It is marked `recomputed`, and without what adds to sums: that has been added already.
 *
 * Throws a LatheError where the body appends to a state: later iterations have changed it since.
 */
export function recompute(body: Body, index: Tensor): Body {
  const given = {
    index,
    carry: body.carry.map((t) => placeholder(t)),
    scanned: body.scanned.map((t) => placeholder(t)),
  }
  return copyInto(given, body, { without: onlyOnce, mark: { recomputed: true } })
}

function onlyOnce({ op }: Node): boolean {
  if (op === 'append')
    throw new LatheError('a loop that appends to a state cannot be computed again: leave saveEvery out')
  return op === 'accumulate'
}
