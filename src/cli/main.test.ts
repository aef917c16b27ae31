import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { program } from './main.ts'

const lathe = new URL('../../bin/lathe.js', import.meta.url).pathname
let folder: string
let run: string

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command line as a person does, in a folder of its own. */
function call(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((done) => {
    const options = { cwd: folder, env: { ...process.env, NO_COLOR: '1', ...env } }
    execFile(process.execPath, [lathe, ...args], options, (error, stdout, stderr) => {
      done({ code: error ? Number(error.code) : 0, stdout, stderr: stderr.replace(/^building .*\n/gm, '') })
    })
  })
}

const small = [
  ...['--set', 'task.n=8', '--set', 'task.p=1', '--set', 'model.dModel=16', '--set', 'steps=12', '--set', 'batch=8'],
  ...['--set', 'evaluate.samples=32', '--set', 'evaluate.loops=[1,2]', '--set', 'model.plan=1x2'],
]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-cli-'))
  run = join(folder, 'run')
  const { code, stderr } = await call(['train', 'phop-tiny', ...small, '--run', run])
  expect(stderr).toContain('12 steps in')
  expect(code).toBe(0)
})
afterAll(() => rm(folder, { recursive: true }))

it('help fits 80 columns', async () => {
  const lathe = await program()
  for (const command of [lathe, ...lathe.commands]) {
    let help = ''
    command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => 80 }).outputHelp()
    expect(help.split('\n').filter((line) => line.length > 80)).toEqual([])
  }
})

it('the verbs and their flags are these', async () => {
  const surface = (await program()).commands.map((verb) => {
    const args = verb.registeredArguments.map((argument) => argument.name())
    return [verb.name(), ...args, ...verb.options.map((option) => option.long)].join(' ')
  })
  expect(surface).toEqual([
    'train recipe --set --run --resume --settings --seed --threads --precision --executor --json',
    'eval run --loops --data --samples --set --step --seed --threads --precision --executor --json',
    'generate run --prompt --data --samples --loops --max-tokens --temperature --top-k --top-p --step' +
      ' --seed --threads --precision --executor --json',
    'reproduce table --scale --seeds --out --set --dry-run --threads --precision --executor --json',
    'theory name --group --n --p --alphabet --models --plan --of --lengths --instances --loops --save' +
      ' --seed --threads --precision --executor --json',
    'bench --models --seconds --check --peers --grid --scaling --profile --out --seed --threads --precision --executor --json',
    'show runs --json',
    'ls folder --json',
  ])
})

it.each(['train', 'eval', 'generate', 'theory', 'bench', 'show', 'ls'])('%s --help has examples', async (verb) => {
  const { code, stdout } = await call([verb, '--help'])
  expect(stdout).toContain('Examples:')
  expect(code).toBe(0)
})

describe('train', () => {
  it('leaves a run that explains itself', async () => {
    expect((await readdir(run)).sort()).toEqual([
      'checkpoints',
      'env.json',
      'metrics.jsonl',
      'recipe.json',
      'report.md',
      'timing.jsonl',
    ])
    expect((await readdir(join(run, 'checkpoints', 'step-12'))).sort()).toContain('model.safetensors')
  })

  it('ends with its result in JSON', async () => {
    const { stdout } = await call(['train', 'phop-tiny', ...small, '--run', join(folder, 'json'), '--json'])
    const result = JSON.parse(stdout.trim().split('\n').at(-1)!)
    const row = { plan: '1x2', effectiveDepth: 2, steps: 12, seed: 0, stopped: 'finished', chance: 0.25 }
    expect(result.rows).toMatchObject([row])
    expect(result.sweep.map((e: { loops: number }) => e.loops)).toEqual([1, 2])
  })

  it('the same seed gives the same curve, byte for byte, on one thread and on two', async () => {
    const curve = async (threads: string) => {
      const path = join(folder, `threads-${threads}`)
      const flags = (await hasNative()) ? ['--threads', threads] : []
      await call(['train', 'phop-tiny', ...small, '--run', path, ...flags])
      return readFile(join(path, 'metrics.jsonl'), 'utf8')
    }
    expect(await curve('1')).toBe(await curve('2'))
  })

  it('does not resume with other settings, and names them', async () => {
    const { code, stderr } = await call(['train', '--resume', run, '--set', 'optimizer.lr=0.5', '--set', 'batch=4'])
    expect(stderr).toBe(
      `lathe: ${run} was trained with another batch, optimizer.lr: resume it as it is, or start a new run without --resume\n`,
    )
    expect(code).toBe(1)
  })

  it('resumes with the executor and precision that it was begun with, named or not', async () => {
    const { executor, precision } = JSON.parse(await readFile(join(run, 'env.json'), 'utf8'))
    const flags = ['--executor', executor, '--precision', precision]
    expect((await call(['train', '--resume', run, ...flags])).code).toBe(0)
    const other = precision === 'f32' ? 'bf16' : 'f32'
    const { stderr } = await call(['train', '--resume', run, '--precision', other])
    expect(stderr).toContain('was trained with another precision:')
  })
})

const hasNative = async (): Promise<boolean> => (await import('../executor/index.ts')).nativeIsBuilt()

describe('train --settings', () => {
  it('says what every setting is and means, as changed, and trains nothing', async () => {
    const { code, stdout, stderr } = await call(['train', 'phop-tiny', '--set', 'task.p=1', '--settings'])
    expect(stdout).toMatch(/^phop-tiny: p-hop induction/)
    expect(stdout).toMatch(/^ {2}task\.p=1 +hops from the last letter/m)
    expect(stdout).toMatch(/^ {2}optimizer\.lr=0\.004 +peak learning rate$/m)
    expect([code, stderr]).toEqual([0, ''])
    expect(await readdir(folder)).not.toContain('runs')
  })

  it('in JSON', async () => {
    const { stdout } = await call(['train', 'phop-tiny', '--settings', '--json'])
    const { name, settings } = JSON.parse(stdout)
    expect(name).toBe('phop-tiny')
    expect(settings).toContainEqual({ path: 'batch', description: 'sequences per update', value: 8 })
  })
})

/** Runs `lathe train --help` with its output going to `stdout`: how it ended, and what it said. */
async function help(stdout: 'pipe' | number): Promise<[code: unknown, stderr: string]> {
  const child = spawn(process.execPath, [lathe, 'train', '--help'], { stdio: ['ignore', stdout, 'pipe'] })
  child.stdout?.destroy()
  let stderr = ''
  child.stderr!.setEncoding('utf8').on('data', (text) => (stderr += text))
  const code = await new Promise((done) => child.on('close', done))
  return [code, stderr.replace(/^building .*\n/gm, '')]
}

it('whoever stops reading hears no complaint', async () => {
  expect(await help('pipe')).toEqual([141, ''])
})

it.runIf(existsSync('/dev/full'))('a full disk under the output is told in one line', async () => {
  const disk = await open('/dev/full', 'w')
  expect(await help(disk.fd)).toEqual([1, 'lathe: cannot write the output: no room on the disk (ENOSPC)\n'])
  await disk.close()
})

describe('eval', () => {
  it('measures at any number of loops', async () => {
    const { stdout } = await call(['eval', run, '--loops', '1,3', '--samples', '16', '--seed', '5', '--json'])
    const { rows, trainedPlan, seed, sampleSeed } = JSON.parse(stdout)
    expect([trainedPlan, seed, sampleSeed]).toEqual(['1x2', 0, 5])
    expect(rows).toMatchObject([
      { plan: '1', loops: 1, effectiveDepth: 1, samples: 16, steps: 12, run },
      { plan: '1x3', loops: 3, effectiveDepth: 3, samples: 16, steps: 12, run },
    ])
  })

  it('measures another task than was trained', async () => {
    const set = ['--set', 'task.p=1', '--set', 'task.n=6']
    const { stdout } = await call(['eval', run, ...set, '--loops', '1', '--samples', '16', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ rows: [{ samples: 16 }], set: ['task.p=1', 'task.n=6'] })
  })

  it.each([
    ['task.n=17', 'task phop has 4 token ids and 17 tokens a sequence, but the model takes at most'],
    ['task.m=8', 'there is no setting m'],
    ['n=8', 'eval changes the task alone: write "n=8" as task.key=value, such as task.p=4'],
  ])('refuses --set %s', async (set, message) => {
    const { code, stdout, stderr } = await call(['eval', run, '--set', set])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(message)
  })

  it('scores your own examples and names what it cannot score', async () => {
    const data = join(folder, 'mine.jsonl')
    await writeFile(data, '{"input": "badcabcdab".slice}\n')
    expect((await call(['eval', run, '--data', data])).stderr).toContain(`lathe: ${data}:1: no JSON`)
    await writeFile(data, '{"input": "badcabab", "target": "c"}\n{"input": "abcd"}\n')
    const { code, stdout } = await call(['eval', run, '--data', data, '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ data, skipped: [{ line: 2 }], rows: [{ samples: 1 }, {}, {}] })
    expect(code).toBe(0)
  })
})

it('bench --check compares gradients with the reference', async () => {
  const { code, stdout } = await call(['bench', '--check', '--models', 'Q', '--precision', 'f32', '--json'])
  expect(JSON.parse(stdout).check).toMatchObject({ Q: { bar: 1e-5, ok: true } })
  expect(code).toBe(0)
})

it('reproduce --dry-run counts the same FLOPs on whatever executor and threads the settings choose', async () => {
  const tiny = ['--set', 'model.dModel=8', '--set', 'model.nHeads=1', '--set', 'model.dFf=8']
  const dry = (setting: string) => call(['reproduce', 'lt-table1-addition', '--dry-run', '--set', setting, ...tiny])
  const [reference, two] = await Promise.all([dry('executor=reference'), dry('threads=2')])
  expect(reference.stderr).toContain('laptop scale: reference')
  expect(two.stderr).toMatch(/(f32|bf16), 2 threads/)
  const flops = ({ stdout }: Ended) =>
    [...stdout.matchAll(/^addition-laptop +(\S+) .*?(\d+ GFLOP)/gm)].map(([, ...x]) => x)
  expect(flops(two)).toHaveLength(7)
  expect(flops(reference)).toEqual(flops(two))
})

describe('show and ls', () => {
  it('list runs', async () => {
    const { stdout } = await call(['ls', folder])
    expect(stdout).toContain('1x2')
    const shown = JSON.parse((await call(['show', run, '--json'])).stdout)
    expect(shown.runs).toMatchObject([{ name: run, plan: '1x2', steps: 12, effectiveDepth: 2 }])
  })

  it('names a run whose settings are refused by now, and lists the rest', async () => {
    const aged = join(folder, 'aged')
    await cp(run, join(aged, 'good'), { recursive: true })
    await cp(run, join(aged, 'bad'), { recursive: true })
    const recipe = join(aged, 'bad', 'recipe.json')
    await writeFile(recipe, (await readFile(recipe, 'utf8')).replace('"p": 1', '"p": 9'))
    const { code, stdout, stderr } = await call(['ls', aged])
    expect(stderr).toMatch(/^\S*bad: task phop: n = 8 is too short for p = 9[^\n]*\n$/)
    expect([code, stdout.includes('good'), stdout.includes('bad')]).toEqual([0, true, false])
    await rm(aged, { recursive: true })
  })

  it('names a folder that does not exist', async () => {
    const { code, stderr } = await call(['ls', 'nowhere'])
    expect([code, stderr]).toEqual([1, 'lathe: there is no folder nowhere\n'])
  })
})

describe('what a user can mend is one line on stderr', () => {
  it.each([
    [['train', 'phop-tinny'], 'no recipe is called "phop-tinny": did you mean phop-tiny?'],
    [['train', 'phop-tiny', '--set', 'model.plan=4x'], 'has no loop count after the x'],
    [['train', 'phop-tiny', '--set', 'model.plan=0x3'], 'has 0 layers'],
    [['train', 'phop-tiny', '--set', 'model.plan=1x-2'], 'plan "1x-2"'],
    [
      ['train', 'phop-tiny', '--set', 'model.nHeads=3'],
      'dModel 32 is not divisible by model.nHeads 3: set model.dHead',
    ],
    [['train', 'phop-tiny', '--set', 'task.pp=3'], 'there is no setting pp: did you mean p?'],
    [['train', 'phop-tiny', '--seed', '-1'], 'write a whole number from 0 on'],
    [
      ['train', 'igsm-laptop', '--set', 'task.maxNodes=4'],
      'task igsm: none of 1000 draws belongs to its validation split',
    ],
    [['train', '--resume', '/nowhere'], '/nowhere is no run: there is no such folder'],
    [['eval', '.'], '. is no run: it has no recipe.json'],
    [
      ['eval', '.', '--data', 'x', '--samples', '3'],
      "option '--data <file>' cannot be used with option '--samples <n>'",
    ],
    [['evla', '.'], "unknown command 'evla' (Did you mean eval?)"],
    [['dance'], "unknown command 'dance': there are train, eval, generate, reproduce, theory, bench, show, ls"],
    [['bench', '--models', 'S,Z'], 'bench has no model "Z"'],
    [['bench', '--grid', '--peers'], "option '--grid' cannot be used with option '--peers [list]'"],
    [['bench', '--profile', '--executor', 'reference'], 'only the native executor knows what each kernel takes'],
    [['bench', '--check', '--peers'], 'there are no peers: run '],
  ])('lathe %j', async (args, message) => {
    const { code, stderr, stdout } = await call(args, { LATHE_PEERS: '' })
    expect(stderr).toContain(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(await readdir(folder)).not.toContain('runs')
  })

  it('another task whose token ids mean other things', async () => {
    const { code, stderr } = await call(['eval', run, '--set', 'task.name=addition'])
    expect(stderr).toBe('lathe: task.name=addition: token ids mean other things there than in training\n')
    expect(code).toBe(1)
  })

  it('an instruction set that does not exist', async () => {
    const { code, stderr } = await call(['train', 'phop-tiny'], { LATHE_ISA: 'avx9' })
    expect(stderr).toMatch(/^lathe: LATHE_ISA avx9 /)
    expect(code).toBe(1)
  })

  it('a loss that is no number: the step is named and nothing is saved', async () => {
    const path = join(folder, 'nan')
    const bad = ['--set', 'optimizer.lr=1e30', '--set', 'clip=0', '--run', path]
    const { code, stderr } = await call(['train', 'phop-tiny', ...small, ...bad])
    expect(stderr).toMatch(/lathe: step \d+: the (loss|gradient norm) is (NaN|Infinity): training stopped/)
    expect(code).toBe(1)
    expect(await readdir(path)).not.toContain('checkpoints')
  })
})
