import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual, promisify } from 'node:util'
import type { Executor } from '../executor/index.ts'

/** What a run was given to compute with. */
export interface Machine {
  readonly threads: number
  readonly executor: string
  /** Instruction set of the kernels. */
  readonly isa: string
  readonly precision: string
}

/** What an executor gives a run. */
export const machineOf = ({ name, isa, precision, threads }: Executor): Machine => ({
  executor: name,
  isa,
  precision,
  threads,
})

/** `env.json`: what a run ran on. */
export interface Environment extends Machine {
  readonly lathe: string
  /** Of the checkout that Lathe ran from; null when it was installed as a package. */
  readonly commit: string | null
  /** Whether its code differed from the commit; null where git cannot say, absent in older runs. */
  readonly uncommitted?: boolean | null
  readonly node: string
  readonly platform: string
  readonly cpu: string
  readonly cores: number
  /** ISO 8601. */
  readonly created: string
  /** Sessions that went on, after so many updates, with other code or on another machine than the one before. */
  readonly resumed?: readonly (Environment & { readonly step: number })[]
}

/** Whether two sessions had the same code and machine. */
export function isSameEnvironment(a: Environment, b: Environment): boolean {
  const known = (session: Environment & { step?: number }) => ({ ...session, created: '', resumed: [], step: 0 })
  return isDeepStrictEqual(known(a), known(b))
}

const packageRoot = fileURLToPath(new URL('../..', import.meta.url))

/** Describes this machine and this copy of Lathe. */
export async function describeEnvironment(machine: Machine): Promise<Environment> {
  const { version } = JSON.parse(await readFile(join(packageRoot, 'package.json'), 'utf8'))
  const cores = cpus()
  const commit = await checkedOutCommit(packageRoot)
  return {
    lathe: version,
    commit,
    uncommitted: commit === null ? null : await hasUncommittedChanges(packageRoot),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    ...machine,
    created: new Date().toISOString(),
  }
}

/** The commit that a git checkout or worktree at `root` stands on, or null; a checkout further up is not its own. */
export async function checkedOutCommit(root: string): Promise<string | null> {
  const pointer = await textOf(join(root, '.git')) // a worktree has a file here
  const folder = pointer === null ? join(root, '.git') : resolve(root, pointer.replace(/^gitdir: /, ''))
  const head = await textOf(join(folder, 'HEAD'))
  if (head === null || !head.startsWith('ref: ')) return head
  const name = head.slice('ref: '.length)
  const shared = await textOf(join(folder, 'commondir'))
  const common = shared === null ? folder : resolve(folder, shared)
  const packed = (await textOf(join(common, 'packed-refs'))) ?? ''
  const line = packed.split('\n').find((entry) => entry.endsWith(` ${name}`))
  return (await textOf(join(common, name))) ?? line?.split(' ')[0] ?? null
}

// What decides what a run computes.
const codePaths = ['bin', 'native', 'package-lock.json', 'src']

/** Whether the tracked code of the checkout at `root` differs from its commit; null where git cannot say. */
export async function hasUncommittedChanges(root: string): Promise<boolean | null> {
  // Without optional locks: trainings that start together must not disturb each other, or a commit.
  const status = ['--no-optional-locks', 'status', '--porcelain', '--untracked-files=no', '--', ...codePaths]
  return promisify(execFile)('git', status, { cwd: root }).then(
    ({ stdout }) => stdout !== '',
    () => null,
  )
}

async function textOf(path: string): Promise<string | null> {
  return readFile(path, 'utf8').then(
    (text) => text.trim(),
    () => null,
  )
}
