import { execFileSync, spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkedOutCommit, describeEnvironment, hasUncommittedChanges } from './environment.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-env-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function put(name: string, text: string) {
  await mkdir(dirname(join(folder, name)), { recursive: true })
  await writeFile(join(folder, name), text)
}

const commit = '0123456789abcdef0123456789abcdef01234567'

describe('checkedOutCommit', () => {
  it('follows a branch', async () => {
    await put('.git/HEAD', 'ref: refs/heads/main\n')
    expect(await checkedOutCommit(folder)).toBeNull() // no commit yet
    await put('.git/packed-refs', `# pack-refs\n${'f'.repeat(40)} refs/heads/other/main\n${commit} refs/heads/main\n`)
    expect(await checkedOutCommit(folder)).toBe(commit)
    await put('.git/refs/heads/main', `${'a'.repeat(40)}\n`)
    expect(await checkedOutCommit(folder)).toBe('a'.repeat(40))
  })

  it('takes a detached head as it is', async () => {
    await put('.git/HEAD', `${commit}\n`)
    expect(await checkedOutCommit(folder)).toBe(commit)
  })

  it('finds the branch of a worktree in the main checkout', async () => {
    await put('main/.git/refs/heads/topic', commit)
    await put('main/.git/worktrees/tree/HEAD', 'ref: refs/heads/topic\n')
    await put('main/.git/worktrees/tree/commondir', '../..\n')
    await put('tree/.git', `gitdir: ${join(folder, 'main/.git/worktrees/tree')}\n`)
    expect(await checkedOutCommit(join(folder, 'tree'))).toBe(commit)
  })

  it('is null outside a checkout and in a folder below one', async () => {
    expect(await checkedOutCommit(folder)).toBeNull()
    await put('.git/HEAD', commit)
    await mkdir(join(folder, 'node_modules/lathe'), { recursive: true })
    expect(await checkedOutCommit(join(folder, 'node_modules/lathe'))).toBeNull()
  })
})

describe('hasUncommittedChanges', () => {
  const hasGit = spawnSync('git', ['--version']).status === 0
  const git = (...command: string[]) => execFileSync('git', ['-C', folder, ...command], { stdio: 'ignore' })

  it.skipIf(!hasGit)('looks at tracked code, staged or not', async () => {
    git('init')
    await put('src/tracked.ts', 'as it was')
    await put('README.md', 'as it was')
    git('add', '.')
    git('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-m', 'first')
    expect(await hasUncommittedChanges(folder)).toBe(false)
    await put('src/untracked.ts', 'new')
    await put('README.md', 'changed')
    expect(await hasUncommittedChanges(folder)).toBe(false)
    await put('src/tracked.ts', 'changed')
    expect(await hasUncommittedChanges(folder)).toBe(true)
    git('add', '.')
    expect(await hasUncommittedChanges(folder)).toBe(true)
  })

  it('is null where git has nothing to say', async () => {
    expect(await hasUncommittedChanges(join(folder, 'missing'))).toBeNull()
    expect(await hasUncommittedChanges(folder)).toBeNull()
  })
})

describe('describeEnvironment', () => {
  it('says what a run ran on', async () => {
    const machine = { threads: 2, executor: 'native', isa: 'avx512', precision: 'f32' }
    const environment = await describeEnvironment(machine)
    expect(environment).toMatchObject({ ...machine, node: process.versions.node })
    expect(environment.lathe).toMatch(/^\d+\.\d+\.\d+/)
    expect(environment.platform).toBe(`${process.platform}-${process.arch}`)
    expect(environment.cores).toBeGreaterThan(0)
    expect(new Date(environment.created).toISOString()).toBe(environment.created)
  })
})
