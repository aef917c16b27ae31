import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { chooseExecutor } from '../executor/index.ts'
import { initialParameters, type ModelSettings } from '../model/index.ts'
import { defineRecipe } from '../recipes/index.ts'
import type { TaskSettings } from '../task/index.ts'
import { createTask } from '../task/index.ts'
import { saveAsRun } from '../theory/index.ts'
import { recipeModel } from '../train/index.ts'
import { main } from './main.ts'

const igsm = { name: 'igsm', minNodes: 4, maxNodes: 5, letters: 8, modulus: 5, maxLength: 96 }
const phop = { name: 'phop', n: 16, p: 1 }

let folder: string
/** Runs of a model with initial weights. */
const runs = { chains: '', tied: '', letters: '', rope: '', rms: '', gelu: '' }

async function makeRun(name: string, task: TaskSettings, change: Partial<ModelSettings>): Promise<string> {
  const kind = { norm: 'none', activation: 'relu', positions: 'learned' } as const
  const widths = { plan: '2', dModel: 8, nHeads: 2, ...kind, ...change }
  const config = recipeModel(defineRecipe({ name, task, model: widths, steps: 1 }), createTask(task))
  const path = join(folder, name)
  const model = { config, parameters: initialParameters(config, 0) }
  // the logits of 3 and 5 are equal, and often the largest
  const head = model.parameters.values['lm_head.weight']
  if (name === 'tied') head.set(head.map((x, at) => (at < 24 || at >= 32 ? x / 8 : x)).copyWithin(40, 24, 32))
  await saveAsRun(path, { name, title: name, model, task }, chooseExecutor({ precision: 'f32' }))
  return path
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-theory-'))
  runs.chains = await makeRun('chains', igsm, {})
  runs.tied = await makeRun('tied', igsm, {})
  runs.letters = await makeRun('letters', phop, {})
  runs.rope = await makeRun('rope', igsm, { positions: 'rope' })
  runs.rms = await makeRun('rms', igsm, { norm: 'rms' })
  runs.gelu = await makeRun('gelu', phop, { activation: 'gelu' })
})
afterAll(() => rm(folder, { recursive: true }))

afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
})

const call = (...argv: string[]) => lathe('theory', ...argv)

async function lathe(...argv: string[]) {
  const [out, err]: string[][] = [[], []]
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => out.push(String(text)) > 0)
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => err.push(String(text)) > 0)
  const rc = await main(argv)
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
    expect(out).toContain('2 loops: 81 of 81 instances exact (100.0 %); smallest gap of a softmax 128.0\nnats')
    expect(out).toMatch(/given .*\nloop 1 .*└.*\nloop 2 .*└/)
    expect(rc).toBe(0)
  })

  it('runs other loops than the theorem asks for', async () => {
    const flags = ['--p', '8', '--n', '32', '--instances', '20', '--loops', '4']
    const { rc, out } = await call('phop', ...flags, '--json')
    expect(JSON.parse(out)).toMatchObject({ instances: 20, exact: 0, loops: 4 })
    expect(rc).toBe(0)
    expect((await call('phop', ...flags)).out.match(/^loop \d/gm)).toEqual(['loop 1', 'loop 2', 'loop 3', 'loop 4'])
  })

  it('fails where instances do, such as in bf16 with too frequent a letter', async () => {
    const flags = ['--p', '3', '--n', '256', '--alphabet', '2', '--instances', '40', '--precision', 'bf16', '--json']
    const { rc, out } = await call('phop', ...flags)
    expect(JSON.parse(out).exact).toBeLessThan(40)
    expect(rc).toBe(1)
  })

  it('simulate-depth makes models of every kind, or of one plan', async () => {
    const every = await call('simulate-depth', '--instances', '5', '--json')
    expect(JSON.parse(every.out)).toMatchObject({ models: 22, instances: 110, exact: 110, loops: 8, exactOneShort: 0 })
    const { rc, out } = await call('simulate-depth', '--plan', '1,2x2', '--models', '2', '--instances', '3')
    expect(out).toMatch(/dModel +13 +13\n/)
    expect(out).toContain('6 of 6 instances exact (100.0 %)')
    expect(out.trimEnd().split('\n').slice(-4)).toEqual([
      'loop       1  2  3  4  5',
      'layer 1    ■  ·  ·  ·  ·',
      'layer 2    ·  ■  ·  ■  ·',
      'layer 3    ·  ·  ■  ·  ■',
    ])
    expect(rc).toBe(0)
  })

  it.each(['letters', 'chains', 'rope'] as const)('simulate-depth --of a run: %s', async (name) => {
    const { rc, out } = await call('simulate-depth', '--of', runs[name], '--instances', '6', '--json')
    expect(JSON.parse(out)).toMatchObject({ models: 1, instances: 6, exact: 6, loops: 2, plan: '1x2' })
    expect(rc).toBe(0)
  })

  it('simulate-cot replays a run on its commonest problems, and draws the slots', async () => {
    const flags = ['--of', runs.chains, '--instances', '40', '--lengths', '2']
    const { rc, out } = await call('simulate-cot', ...flags, '--json')
    const found = JSON.parse(out)
    expect(found).toMatchObject({ drawn: 40, exactOneShort: 0, unresolved: [], sizes: { loops: {}, layers: {} } })
    expect(found.exact).toBe(found.instances)
    expect(found.parts).toHaveLength(2)
    expect(found.parts[0].instances).toBeGreaterThanOrEqual(found.parts[1].instances)
    expect(rc).toBe(0)
    const shown = await call('simulate-cot', ...flags)
    expect(shown.out).toContain(`${found.instances} of 40 held-out problems`)
    const [, , ...loops] = shown.out.slice(shown.out.indexOf('given ')).trimEnd().split('\n')
    expect(loops).toHaveLength(found.loops - 1)
    for (const [i, line] of loops.entries()) expect(line.match(/ ·/g) ?? []).toHaveLength(found.loops - i - 2)
  })

  it('names the problems in which two logits are equal, and fails', async () => {
    const flags = ['simulate-cot', '--of', runs.tied, '--instances', '20', '--lengths', '1']
    const { rc, out } = await call(...flags, '--json')
    const { unresolved, instances, exact, smallestGap } = JSON.parse(out)
    expect(smallestGap).toBe(0)
    expect(exact).toBeLessThan(instances)
    expect(exact + unresolved.length).toBeGreaterThanOrEqual(instances)
    expect(rc).toBe(1)
    const text = (await call(...flags)).out.replaceAll(/\s+/g, ' ')
    expect(text).toContain(`${unresolved.length} problems have one below the resolution 1.5e-5 | ${unresolved[0]}`)
  })

  it('says the same for the same seed', async () => {
    const flags = ['simulate-cot', '--of', runs.chains, '--instances', '9', '--lengths', '1', '--json']
    expect((await call(...flags)).out).toBe((await call(...flags)).out)
  })
})

describe('lathe theory --save', () => {
  it.each([
    ['group', ['--group', 'Z5', '--n', '4'], 2],
    ['phop', ['--p', '2', '--n', '12'], 3],
  ])('%s %j writes a run that eval and generate take', async (name, flags, loops) => {
    const path = join(folder, 'saved', name)
    await call(name, ...flags, '--instances', '5', '--save', path)
    const { out } = await lathe('eval', path, '--samples', '40', '--loops', `${loops - 1},${loops}`, '--json')
    const [early, whole] = JSON.parse(out).rows
    expect([early.loops, whole.loops, whole.accuracy]).toEqual([loops - 1, loops, 1])
    expect(early.accuracy).toBeLessThan(0.9)
    const generated = await lathe('generate', path, '--samples', '4')
    expect(generated.out).toContain('4 of 4 right (100.0 %)')
    expect((await lathe('show', path)).rc).toBe(0)
  })

  it('takes the table of a group along', async () => {
    const [table, path] = [join(folder, 'table.json'), join(folder, 'saved', 'table')]
    await writeFile(table, '[[1,0,2],[0,1,2],[2,2,0]]')
    expect((await call('group', '--group', table, '--n', '2')).err).toContain('2 has no inverse')
    await writeFile(table, '[[1,2,0],[2,0,1],[0,1,2]]')
    await call('group', '--group', table, '--n', '4', '--save', path)
    await rm(table)
    const { out } = await lathe('eval', path, '--samples', '5', '--loops', '2', '--json')
    expect(JSON.parse(out).rows).toMatchObject([{ accuracy: 1 }])
  })

  it.each(['simulate-depth', 'simulate-cot'])('%s --of a run writes one that eval and generate take', async (name) => {
    const path = join(folder, 'saved', name)
    await call(name, '--of', runs.chains, '--instances', '20', '--save', path)
    expect((await lathe('eval', path, '--samples', '4', '--json')).rc).toBe(0)
    const { out } = await lathe('generate', path, '--samples', '2')
    expect(out).toContain('of 2 right')
  })
})

describe('what is wrong', () => {
  it.each([
    [['groups'], "'groups' is invalid"],
    [['group', '--group', 'S9'], 'group S9 has order 362880'],
    [['group', '--group', 'none.json'], 'none.json: cannot read it'],
    [['group', '--n', '65'], 'n is a whole number from 2 to 64'],
    [['phop', '--n', '0'], 'write a whole number from 2 on'],
    [['phop', '--alphabet', '40'], 'p-hop: alphabet is 40'],
    [['group', '--group', 'Z2', '--n', '2', '--save', '/dev/null/x'], '/dev/null/x: cannot make a folder there'],
    [['group', '--p', '3'], '--p is not of group: it takes --group, --n, --loops'],
    [['simulate-depth', '--loops', '3'], '--loops is not of simulate-depth: it takes --models, --plan, --of'],
    [['phop', '--p', '8', '--n', '12', '--instances', '2', '--save', '/tmp/never'], 'n = 12 is too short for p = 8'],
    [['simulate-depth', '--plan', '2y'], 'plan "2y": segment 1'],
    [['simulate-depth', '--models', '0'], 'write a whole number from 1 on'],
    [['simulate-depth', '--save', '/tmp/never'], 'random weights solve nothing that a run could be of: add --of RUN'],
    [['simulate-depth', '--of', '/nowhere'], '/nowhere is no run: there is no such folder'],
    [['simulate-depth', '--of', 'x', '--plan', '2x3'], '--models and --plan are of random models, and --of names one'],
    [['simulate-cot'], 'whose chain of thought? lathe train igsm-theory, then add --of RUN'],
  ])('%j is told in one line', async (argv, message) => {
    const { rc, err } = await call(...argv)
    expect(err).toContain(message)
    expect(err.trim().split('\n')).toHaveLength(1)
    expect(rc).toBe(1)
  })

  it.each([
    ['simulate-depth', 'rms', 'norm is "rms": the theorem has no norms: train with "none"'],
    ['simulate-depth', 'gelu', 'activation is "gelu": the theorem is of ReLU: train with "relu"'],
    ['simulate-cot', 'rms', 'norm is "rms"'],
    ['simulate-cot', 'rope', 'positions are "rope": the looped model needs its table'],
    ['simulate-cot', 'letters', 'is of task phop, which writes no answers: train igsm-theory'],
  ] as const)('%s --of a run of the wrong kind: %s', async (name, run, message) => {
    const { rc, err } = await call(name, '--of', runs[run], '--instances', '4')
    expect(err).toContain(message)
    expect(err.trim().split('\n')).toHaveLength(1)
    expect(rc).toBe(1)
  })
})
