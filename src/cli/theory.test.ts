import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { loadModel } from '../model/index.ts'
import { main } from './main.ts'

afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
})

async function call(...argv: string[]) {
  const [out, err]: string[][] = [[], []]
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => out.push(String(text)) > 0)
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => err.push(String(text)) > 0)
  const rc = await main(['theory', ...argv])
  return { rc, out: out.join(''), err: err.join('') }
}

describe('lathe theory', () => {
  it.each([
    ['group', ['--group', 'Z3', '--n', '5'], { instances: 243, exact: 243, loops: 3, plan: '1x3' }],
    ['phop', ['--p', '3', '--n', '20', '--instances', '50'], { instances: 50, exact: 50, loops: 3, plan: '1x3' }],
    ['phop', ['--p', '1', '--n', '9', '--instances', '9', '--precision', 'bf16'], { instances: 9, exact: 9, loops: 2 }],
  ])('%s %j --json ends with what was found', async (name, flags, found) => {
    const { rc, out } = await call(name, ...flags, '--json')
    expect(JSON.parse(out.trim())).toMatchObject({ construction: name, ...found, sizes: { loops: {} } })
    expect(rc).toBe(0)
  })

  it('prints sizes, the count and the tree', async () => {
    const { rc, out } = await call('group', '--group', 'Z3', '--n', '4')
    expect(out).toMatch(/dFf +21 +21\n/)
    expect(out).toContain('2 loops: 81 of 81 instances exact (100.0 %); smallest gap of a softmax 128.0 nats')
    expect(out).toMatch(/given .*\nloop 1 .*└.*\nloop 2 .*└/)
    expect(rc).toBe(0)
  })

  it('runs other loops than the theorem asks for', async () => {
    const { rc, out } = await call('phop', '--p', '8', '--n', '32', '--instances', '20', '--loops', '4', '--json')
    expect(JSON.parse(out)).toMatchObject({ instances: 20, exact: 0, loops: 4 })
    expect(rc).toBe(0)
  })

  it('fails where instances do, such as in bf16 with too frequent a letter', async () => {
    const flags = ['--p', '3', '--n', '256', '--alphabet', '2', '--instances', '40', '--precision', 'bf16', '--json']
    const { rc, out } = await call('phop', ...flags)
    expect(JSON.parse(out).exact).toBeLessThan(40)
    expect(rc).toBe(1)
  })

  it('saves what it built', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lathe-theory-'))
    await call('group', '--group', 'S3', '--n', '2', '--save', join(folder, 'a', 'b'))
    expect((await readdir(join(folder, 'a', 'b'))).sort()).toEqual(['config.json', 'model.safetensors'])
    expect((await loadModel(join(folder, 'a', 'b'))).config.plan).toBe('1x1')
    await rm(folder, { recursive: true })
  })

  it.each([
    [['groups'], "'groups' is invalid"],
    [['group', '--group', 'S9'], 'group S9 has order 362880'],
    [['group', '--group', 'none.json'], 'none.json: cannot read it'],
    [['group', '--n', '65'], 'n is a whole number from 2 to 64'],
    [['phop', '--n', '0'], 'write a whole number from 2 on'],
    [['phop', '--alphabet', '40'], 'p-hop: alphabet is 40'],
    [['group', '--group', 'Z2', '--n', '2', '--save', '/dev/null/x'], '/dev/null/x: cannot make the folder'],
  ])('%j is told in one line', async (argv, message) => {
    const { rc, err } = await call(...argv)
    expect(err).toContain(message)
    expect(err.trim().split('\n')).toHaveLength(1)
    expect(rc).toBe(1)
  })
})
