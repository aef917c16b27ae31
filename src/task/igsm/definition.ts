/**
 * i-GSM from its definition (Reasoning with Latent Thoughts, arXiv 2502.17416, §2.3 and A.1; a symbolic form of iGSM,
 * Ye et al., arXiv 2407.20311): parameters X#Y, each defined by an expression over others, all modulo 7, and one of
 * them asked for.
 *
 * A leading factor multiplies ALL that follows it: 2 * a + b means 2 · (a + b), as the worked example of the paper's
 * Table 2 needs.
 * @module
 */
import { UndefinedAnswerError } from '../task.ts'

/** A name or a number, added or taken away. */
export interface Term {
  readonly sign: 1 | -1
  readonly operand: string | number
}

/** `name := factor * term ± term …`; no factor counts as 1. There is at least one term. */
export interface Definition {
  readonly name: string
  readonly factor?: number
  readonly terms: readonly Term[]
}

export interface Problem {
  /** In the order in which they are written. No name is defined twice. */
  readonly definitions: readonly Definition[]
  readonly query: string
}

export interface Step {
  readonly definition: Definition
  readonly value: number
}

/**
 * The steps from the constants to the query, only those that it needs. The next step is always the first definition in
 * the order of the problem whose operands are all known: the paper states no rule, and this one gives its Table 2.
 * Throws an UndefinedAnswerError when any definition uses an undefined name or depends on itself.
 */
export function solve({ definitions, query }: Problem, modulus: number): Step[] {
  checkNames(definitions, query)
  const values = new Map<string, number>()
  const steps: Step[] = []
  const open = [...definitions]
  while (open.length > 0) {
    const at = open.findIndex(({ terms }) => terms.every(({ operand }) => !isName(operand) || values.has(operand)))
    if (at === -1) throw new UndefinedAnswerError(`${cycleIn(open)}: give one of them a value that needs no other`)
    const [definition] = open.splice(at, 1) as [Definition]
    const value = evaluate(definition, values, modulus)
    values.set(definition.name, value)
    steps.push({ definition, value })
  }
  const needed = new Set([query])
  for (const { definition } of steps.toReversed()) {
    if (needed.has(definition.name))
      for (const { operand } of definition.terms) if (isName(operand)) needed.add(operand)
  }
  return steps.filter(({ definition }) => needed.has(definition.name))
}

const isName = (operand: Term['operand']) => typeof operand === 'string'

function evaluate({ factor = 1, terms }: Definition, values: ReadonlyMap<string, number>, modulus: number): number {
  let sum = 0
  for (const { sign, operand } of terms) sum += sign * (typeof operand === 'number' ? operand : values.get(operand)!)
  return (((factor * sum) % modulus) + modulus) % modulus
}

function namesIn({ terms }: Definition): string[] {
  return terms.map(({ operand }) => operand).filter(isName)
}

function checkNames(definitions: readonly Definition[], query: string): void {
  const defined = new Set(definitions.map(({ name }) => name))
  const wanted = (name: string) => `add a definition ${name} := …`
  if (!defined.has(query)) throw new UndefinedAnswerError(`${query} is asked for, but not defined: ${wanted(query)}`)
  for (const definition of definitions) {
    const missing = namesIn(definition).find((name) => !defined.has(name))
    if (missing === undefined) continue
    throw new UndefinedAnswerError(`${definition.name} uses ${missing}, which is not defined: ${wanted(missing)}`)
  }
}

/** Names a cycle among definitions none of which can be evaluated. */
function cycleIn(open: readonly Definition[]): string {
  const unknown = new Map(open.map((definition) => [definition.name, definition]))
  const path = [open[0]!.name]
  while (path.indexOf(path.at(-1)!) === path.length - 1) {
    path.push(namesIn(unknown.get(path.at(-1)!)!).find((name) => unknown.has(name))!)
  }
  const cycle = path.slice(path.indexOf(path.at(-1)!))
  return `${cycle[0]} depends on itself: ${cycle.join(' needs ')}`
}

/**
 * The steps without names and numbers: names count by their first appearance, numbers not at all, and `X + Y` is `Y + X`.
 * Ye et al. split training from test by such a solution template.
 */
export function template(steps: readonly Step[]): number[] {
  const order = new Map(steps.map(({ definition }, i) => [definition.name, i + 1]))
  const words: number[] = []
  for (const { definition } of steps) {
    words.push(definition.factor === undefined ? 0 : 1, definition.terms.length)
    const terms = definition.terms.map(({ sign, operand }) => (isName(operand) ? sign * order.get(operand)! : 0))
    const isSum = definition.terms.every(({ sign }) => sign === 1)
    words.push(...(isSum ? terms.sort((a, b) => b - a) : terms))
  }
  return words
}
