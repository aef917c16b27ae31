import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { main } from './main.ts'

let folder: string
let igsm: string
let phop: string

/** Runs the command line in this process. `writes` are the pieces of stdout as they came. */
async function call(...args: string[]) {
  const streams = { stdout: [] as string[], stderr: [] as string[] }
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => streams[name].push(String(text)) > 0),
  )
  const code = await main(args)
  for (const spy of spies) spy.mockRestore()
  const lines = streams.stdout.join('').trimEnd().split('\n')
  return { code, stdout: streams.stdout.join(''), stderr: streams.stderr.join(''), writes: streams.stdout, lines }
}

const json = async (...args: string[]) => (await call(...args, '--json')).lines.map((line) => JSON.parse(line))

const training = { batch: 16, optimizer: { name: 'adamw', lr: 0.003 }, evaluate: { every: 100, samples: 8 } }
const model = { plan: '1x2', dModel: 32, nHeads: 2 }
const sizes = { minNodes: 2, maxNodes: 4, distractors: 0, letters: 8, maxLength: 80 }
const recipes = {
  igsm: { ...training, name: 'small-igsm', task: { name: 'igsm', ...sizes }, model, steps: 100 },
  phop: { ...training, name: 'small-phop', task: { name: 'phop', n: 12, p: 1 }, model, steps: 5 },
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-generate-'))
  const train = async (name: keyof typeof recipes) => {
    const [recipe, run] = [join(folder, `${name}.json`), join(folder, name)]
    await writeFile(recipe, JSON.stringify(recipes[name]))
    const { code, stderr } = await call('train', recipe, '--run', run)
    expect([code, stderr]).toEqual([0, expect.stringContaining('steps in')])
    return run
  }
  igsm = await train('igsm')
  phop = await train('phop')
}, 120_000)
afterAll(() => rm(folder, { recursive: true }))

const problem = 'B#C := 2. C#D := B#C. C#D?'

describe('generate, of a task whose answers are written', () => {
  it('writes the answer to a prompt as it comes', async () => {
    const { code, stdout, writes } = await call('generate', igsm, '--prompt', problem)
    const [answer, result] = await json('generate', igsm, '--prompt', problem)
    expect(code).toBe(0)
    expect(stdout).toBe(`${answer.generated}${answer.ended === 'length' ? ' …' : ''}\n`)
    expect(writes.length).toBeGreaterThan(5)
    expect(answer).toMatchObject({ input: problem, target: 'B#C = 2. C#D = 2.' })
    expect(answer.logProbability).toBeLessThan(0)
    expect(result).toMatchObject({ samples: 1, plan: '1x2', loops: 2, step: 100, run: igsm, skipped: [] })
  })

  it('answers held-out problems with the accuracy that eval finds', async () => {
    const answers = await json('generate', igsm, '--samples', '40')
    const { right, answerAccuracy } = answers.pop()
    const { rows } = (await json('eval', igsm, '--samples', '40', '--loops', '2'))[0]
    expect(rows[0].answerAccuracy).toBe(answerAccuracy)
    expect(answers).toHaveLength(40)
    expect(answers.filter((one: { right: boolean }) => one.right)).toHaveLength(right)
    expect(right).toBeGreaterThan(0)
    for (const one of answers)
      if (one.ended === 'end') expect(one.right).toBe(one.generated.slice(-2) === one.target.slice(-2))
      else expect(one.right).toBe(false)
    expect((await call('eval', igsm, '--samples', '40', '--loops', '2')).stdout).toMatch(/accuracy {2}answers/)
  })

  it('prints input, answer, target and verdict of each problem of a file, then the score', async () => {
    const data = join(folder, 'problems.jsonl')
    await writeFile(data, `{"input": "${problem}"}\n{"input": "A#B?"}\n{"input": "${problem}", "target": "5"}\n`)
    const { lines } = await call('generate', igsm, '--data', data)
    const { generated, ended } = (await json('generate', igsm, '--prompt', problem))[0]
    const shown = `${problem} → ${generated}${ended === 'length' ? ' …' : ''}`
    expect(lines[0]).toMatch(/problems\.jsonl:2: not answered: A#B is asked for, but not defined/)
    expect(lines[1].startsWith(`wrong  ${shown}`) || lines[1] === `right  ${shown}`).toBe(true)
    expect(lines[2]).toMatch(/^(right|wrong) {2}B#C/)
    expect(lines.at(-1)).toMatch(/^[012] of 2 right \(\d+\.0 %\)$/)
  })

  it('draws several answers, the same from the same seed', async () => {
    const draw = async (seed: string) => {
      const flags = ['--samples', '4', '--temperature', '1', '--top-p', '0.95', '--seed', seed]
      return (await call('generate', igsm, '--prompt', problem, ...flags)).lines
    }
    const lines = await draw('1')
    expect(lines).toHaveLength(4)
    expect(new Set(lines).size).toBeGreaterThan(1)
    expect(await draw('1')).toEqual(lines)
    expect(await draw('2')).not.toEqual(lines)
  })

  it('loops otherwise, and stops where it is told', async () => {
    const [answer, result] = await json('generate', igsm, '--prompt', problem, '--loops', '1:3', '--max-tokens', '3')
    expect(result).toMatchObject({ plan: '1x3', loops: 3 })
    expect(answer.ended).toBe('length')
    expect((await call('generate', igsm, '--prompt', problem, '--max-tokens', '3')).stdout).toMatch(/ …\n$/)
  })
})

describe('generate, of a task that a position answers', () => {
  it('gives the prediction', async () => {
    const { stdout } = await call('generate', phop, '--prompt', 'badcabcdab')
    expect(stdout).toMatch(/^[abcd]\n$/)
    const [answer] = await json('generate', phop, '--prompt', 'badcabcdab')
    expect(answer).toEqual({
      input: 'badcabcdab',
      target: 'c',
      generated: stdout.trim(),
      right: stdout === 'c\n',
    })
  })

  it('answers held-out problems as eval does', async () => {
    const { answerAccuracy, samples } = (await json('generate', phop)).at(-1)
    expect(samples).toBe(8)
    const { rows } = (await json('eval', phop, '--samples', '8', '--loops', '2'))[0]
    expect(rows[0].accuracy).toBe(answerAccuracy)
    expect(rows[0]).not.toHaveProperty('answerAccuracy')
  })
})

describe('what a user can mend is one line on stderr', () => {
  it.each([
    [['--prompt', problem, '--loops', '1,2'], '--loops 1,2: write one count, such as 8; lathe eval takes several'],
    [['--loops', '2:3'], 'plan 1x2 has no segment 2: name one from 1 to 1'],
    [['--prompt', 'B#Z?'], 'input has "Z": write letters'],
    [['--top-k', '3'], 'sampling: topK and topP need a temperature above 0'],
    [['--temperature', '1', '--top-p', '2'], 'sampling: topP must be a number above 0, at most 1, got 2'],
    [['--temperature', '-1'], 'sampling: temperature must be a number from 0, got -1'],
    [['--temperature', 'hot'], 'write a number such as 0.8'],
    [['--max-tokens', '0'], 'write a whole number from 1 on'],
    [['--data', '/nowhere.jsonl'], '/nowhere.jsonl: cannot read it'],
    [['--data', 'x', '--samples', '3'], "option '--data <file>' cannot be used with option '--samples <n>'"],
    [['--data', 'x', '--prompt', 'y'], "option '--prompt <text>' cannot be used with option '--data <file>'"],
    [['--step', '7'], 'step'],
  ])('%j', async (args, message) => {
    const { code, stderr, stdout } = await call('generate', igsm, ...args, '--json')
    expect(stderr).toContain(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  })

  it('sampling where nothing is written', async () => {
    expect((await call('generate', phop, '--temperature', '1', '--json')).stderr).toBe(
      'lathe: task phop is answered by what stands at its positions, and nothing is written: ' +
        'leave out maxTokens, temperature, topK and topP\n',
    )
  })
})
