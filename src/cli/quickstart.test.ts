import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const run = promisify(execFile)
const script = (path: string) => new URL(`../../${path}`, import.meta.url).pathname

it('npm start names commands that work as they stand', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lathe-start-'))
  const options = { cwd: folder, env: { ...process.env, NO_COLOR: '1' } }
  const flags = ['--steps', '1', '--seed', '5', '--threads', '1', '--out', 'my runs']
  const { stdout } = await run(process.execPath, [script('scripts/start.js'), ...flags], options)
  expect(stdout).toContain('The report, with figures: my runs/quickstart-s5.html')
  const report = (await readFile(join(folder, 'my runs', 'quickstart-s5.html'), 'utf8')).replaceAll('&#39;', "'")
  for (const flag of ['--steps 1', '--seed 5', '--threads 1', "--out 'my runs'"])
    expect(/npm start -- ([^<]*)/.exec(report)![1]).toContain(flag)
  expect(report).toMatch(
    /npx lathe train (phop-\w+) --set model.plan=2x2 --set steps=1 --seed 5 --threads 1 --run 'my runs\/\1-2x2-s5'</,
  )
  const show = /npx lathe (show [^<]*)/.exec(report)![1]
  const shown = await run('sh', ['-c', `"${process.execPath}" "${script('bin/lathe.js')}" ${show}`], options)
  expect(shown.stdout.match(/my runs\/phop-/g)!.length).toBeGreaterThanOrEqual(3)
  await rm(folder, { recursive: true })
})
