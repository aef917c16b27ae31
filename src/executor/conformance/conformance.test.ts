import { describe, expect, it } from 'vitest'
import type { Instruction } from '../../compile/index.ts'
import { ops } from '../../ops/index.ts'
import type { Executor, Numbers, Precision } from '../executor.ts'
import { referenceExecutor } from '../reference/index.ts'
import type { Case } from './case.ts'
import { cases } from './cases.ts'
import { deviation } from './data.ts'
import { candidates } from './executors.ts'
import { runProgram } from './step.ts'

type Named = Record<string, Numbers>

// Of three sequences two are in one group, so that short ones are worked off side by side.
const groups = 2

/** Outputs, sums and states after one run. */
async function results(executor: Executor, { program, run }: Case): Promise<Named> {
  const given = run()
  const { outputs, sums } = await runProgram(executor, program, given, groups)
  return { ...outputs, ...sums, ...given.states }
}

const known: Record<Precision, Map<Case, Promise<Named>>> = { f32: new Map(), bf16: new Map() }

/** The reference's results, computed once for all candidates. */
function expected(precision: Precision, one: Case): Promise<Named> {
  const result = known[precision].get(one) ?? results(referenceExecutor({ precision }), one)
  known[precision].set(one, result)
  return result
}

/** Names of the results that are further off than the precision allows. */
function wrong(got: Named, wanted: Named, precision: Precision, { terms }: Case): string[] {
  const tolerance = precision === 'f32' ? 1e-6 * Math.sqrt(terms) : 2e-3
  return Object.keys(wanted)
    .filter((name) => name !== 'loss') // Σ random weights · value, which may cancel; sums of one sign have cases of their own
    .filter((name) => !(deviation(got[name], wanted[name]) <= tolerance))
    .map((name) => `${name} by ${deviation(got[name], wanted[name])}`)
}

describe.each(candidates)('$name agrees with the reference on', ({ precision, make }) => {
  const executor = make()
  it.each(cases)('$name', async (one) => {
    expect(wrong(await results(executor, one), await expected(precision, one), precision, one)).toEqual([])
  })
})

describe('the cases', () => {
  it('have names of their own', () => {
    const names = cases.map((c) => c.name)
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
  })

  it('hold every op', () => {
    const used = new Set<string>()
    const visit = (instructions: readonly Instruction[]): void => {
      for (const { op, block } of instructions) {
        used.add(op)
        if (block) visit(block.instructions)
      }
    }
    for (const { program } of cases) visit(program.instructions)
    expect([...ops.keys(), 'repeat', 'accumulate'].filter((name) => !used.has(name))).toEqual([])
  })

  it('give finite numbers, the same each time', async () => {
    for (const one of cases.filter((_, i) => i % 7 === 0)) {
      const [first, second] = [await expected('f32', one), await results(referenceExecutor(), one)]
      expect(second, one.name).toEqual(first)
      for (const [name, values] of Object.entries(first))
        expect([...values].every(Number.isFinite), `${one.name} ${name}`).toBe(true)
    }
  })

  it('would tell bf16 from f32 wherever there is a product', async () => {
    const matrices = cases.filter((c) => c.name.startsWith('matmul') || c.name.startsWith('cross-entropy'))
    expect(matrices.length).toBeGreaterThan(10)
    for (const one of matrices)
      expect(wrong(await expected('bf16', one), await expected('f32', one), 'f32', one), one.name).not.toEqual([])
  })
})
