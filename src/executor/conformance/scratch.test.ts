import { it } from 'vitest'
import { cases } from './cases.ts'
import { referenceExecutor } from '../reference/index.ts'
import { runProgram } from './step.ts'
it('x', async () => {
  console.log(cases.length)
  const t0 = performance.now()
  const slow: [number, string][] = []
  for (const c of cases) {
    const t = performance.now()
    const { outputs, sums } = await runProgram(referenceExecutor(), c.program, c.run())
    for (const [n, a] of Object.entries({ ...outputs, ...sums })) {
      if (![...a].every(Number.isFinite)) console.log(c.name, n, 'not finite')
      if ([...a].every((x) => x === 0)) console.log(c.name, n, 'zero')
    }
    slow.push([performance.now() - t, c.name])
  }
  console.log(performance.now() - t0, slow.sort((a, b) => b[0] - a[0]).slice(0, 12))
}, 100000)
