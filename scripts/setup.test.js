import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { checkNodeVersion, nativeIsCurrent, nativeObstacle, packagesAreCurrent, prepare } from './setup.js'
import { StepError } from './step.js'

// A made-up package whose npm, make and g++ are small scripts on a PATH of their own; each notes that it ran.
let root
let machine
let said

beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'lathe-setup-'))
  machine = { nodeVersion: '20.18.0', platform: 'linux', arch: 'x64', env: { PATH: path.join(root, 'tools') } }
  write('native/Makefile', '')
  write('native/kernels/gemm.cc', 'first')
  write('native/test/kernels_test.cc', 'first')
  write('node_modules/node-api-headers/index.js', 'exports.include_dir = __dirname + "/include"')
  write('package-lock.json', lockfile({ zod: { version: '4.0.0' }, windows: { version: '1.0.0', optional: true } }))
  write('installed.json', lockfile({ zod: { version: '4.0.0' } }))
  tool('g++', '')
  tool('npm', '/bin/mkdir -p node_modules && /bin/cp installed.json node_modules/.package-lock.json')
  tool('make', ': > native/build/lathe.node')
  said = ''
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => (said += text) !== '')
  vi.spyOn(process.stdout, 'write').mockImplementation(() => expect.fail('stdout is for results'))
})

afterEach(() => {
  vi.restoreAllMocks()
  fs.rmSync(root, { recursive: true })
})

function write(file, text) {
  fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
  fs.writeFileSync(path.join(root, file), text)
}

function tool(name, script) {
  write(`tools/${name}`, `#!/bin/sh\ncd ${root}\necho "${name} $*" >> calls\n${script}\n`)
  fs.chmodSync(path.join(root, 'tools', name), 0o755)
}

const lockfile = (packages) =>
  JSON.stringify({
    packages: Object.fromEntries(Object.entries(packages).map(([name, entry]) => [`node_modules/${name}`, entry])),
  })
const removeTool = (name) => fs.rmSync(path.join(root, 'tools', name))
const exists = (file) => fs.existsSync(path.join(root, file))
const calls = () => (exists('calls') ? fs.readFileSync(path.join(root, 'calls'), 'utf8').trim().split('\n') : [])
const toolsRun = () => calls().map((call) => call.split(' ')[0])
const failure = async () => {
  const error = await prepare(root, machine).catch((error) => error)
  expect(error).toBeInstanceOf(StepError)
  return error.message
}

describe('a fresh clone', () => {
  test('gets its packages, then its native executor, in two lines', async () => {
    await prepare(root, machine)
    expect(toolsRun()).toEqual(['npm', 'make'])
    expect(said).toMatch(/^installing packages… \d+ s\nbuilding the native executor… \d+ s\n$/)
    expect(packagesAreCurrent(root)).toBe(true)
    expect(nativeIsCurrent(root, machine)).toBe(true)
  })

  test('is asked for nothing more the second time, and nothing is run or said', async () => {
    await prepare(root, machine)
    said = ''
    await prepare(root, machine)
    expect(toolsRun()).toEqual(['npm', 'make'])
    expect(said).toBe('')
  })

  test('is set up once by two that start together', async () => {
    tool('make', '/bin/sleep 0.5 && : > native/build/lathe.node')
    await Promise.all([prepare(root, machine), prepare(root, machine)])
    expect(toolsRun()).toEqual(['npm', 'make'])
  })

  test('builds with as many jobs as there are cores, against the headers that npm brought', async () => {
    await prepare(root, machine)
    const headers = '../node_modules/node-api-headers/include'
    expect(calls()[1]).toBe(`make -C ${path.join(root, 'native')} -j ${os.cpus().length} NODE_API=${headers}`)
  })

  test('says that an arm64 machine gets the portable kernels', async () => {
    machine.arch = 'arm64'
    await prepare(root, machine)
    expect(said).toMatch('building the native executor (portable kernels: arm64)…')
  })
})

describe('Node', () => {
  test.each(['9.11.2', '14.21.3', '18.20.8', '20.17.0'])('%s is refused in one line', (version) => {
    expect(() => checkNodeVersion(version)).toThrow(
      `Lathe needs Node 20.18 or newer; this is ${version}. Get a newer one: https://nodejs.org`,
    )
  })

  test.each(['20.18.0', '20.20.2', '22.12.0', '100.0.0'])('%s will do', (version) => {
    expect(() => checkNodeVersion(version)).not.toThrow()
  })

  test('that is too old stops set-up before anything is run', async () => {
    machine.nodeVersion = '18.20.8'
    expect(await failure()).toMatch(/^Lathe needs Node 20.18 .*$/)
    expect(toolsRun()).toEqual([])
  })
})

describe('packages', () => {
  test('are installed again when package-lock.json asks for another version', async () => {
    await prepare(root, machine)
    write('package-lock.json', lockfile({ zod: { version: '4.0.1' } }))
    write('installed.json', lockfile({ zod: { version: '4.0.1' } }))
    await prepare(root, machine)
    expect(toolsRun()).toEqual(['npm', 'make', 'npm'])
  })

  test('are installed again when an install was cut short, which leaves no note of npm', async () => {
    await prepare(root, machine)
    fs.rmSync(path.join(root, 'node_modules/.package-lock.json'))
    await prepare(root, machine)
    expect(toolsRun()).toEqual(['npm', 'make', 'npm'])
  })

  test('that npm put there by other means are left alone', async () => {
    write('node_modules/.package-lock.json', lockfile({ zod: { version: '4.0.0' }, extra: { version: '1.0.0' } }))
    await prepare(root, machine)
    expect(toolsRun()).toEqual(['make'])
  })

  test('come with a published package, which has no package-lock.json', async () => {
    fs.rmSync(path.join(root, 'package-lock.json'))
    await prepare(root, machine)
    expect(toolsRun()).toEqual(['make'])
  })

  test('that cannot be installed stop set-up and show why', async () => {
    tool('npm', 'echo "npm error network is unreachable" >&2; exit 7')
    expect(await failure()).toMatch(/^npm error network is unreachable\ninstalling packages: failed \(npm ci .*: 7\)$/)
    expect(toolsRun()).toEqual(['npm'])
  })

  test('cannot be installed without npm', async () => {
    removeTool('npm')
    expect(await failure()).toMatch(/installing packages: failed \(npm ci .*: ENOENT\)$/)
  })
})

describe('without a compiler', () => {
  test('one line says so and how to get it, and set-up goes on', async () => {
    removeTool('g++')
    tool('apt-get', '')
    await prepare(root, machine)
    const [line, next] = said.split('\n')
    expect(line).toBe(
      'g++ not found, so the slower reference executor will run; to get the native one: sudo apt-get install g++ make',
    )
    expect(next).toMatch(/^installing packages… \d+ s$/)
    expect(toolsRun()).toEqual(['npm'])
  })

  test('an addon that is older than its sources is removed, so that it is not loaded', async () => {
    await prepare(root, machine)
    removeTool('make')
    write('native/kernels/gemm.cc', 'second')
    await prepare(root, machine)
    expect(said).toMatch('make not found')
    expect(exists('native/build/lathe.node')).toBe(false)
  })

  test('an addon that is up to date is kept, and nothing is said', async () => {
    await prepare(root, machine)
    removeTool('g++')
    said = ''
    await prepare(root, machine)
    expect(said).toBe('')
    expect(exists('native/build/lathe.node')).toBe(true)
  })

  test.each([
    ['dnf', 'linux', 'sudo dnf install gcc-c++ make'],
    ['apt-get', 'linux', 'sudo apt-get install g++ make'],
    ['nothing', 'linux', 'install g++ and make with your package manager'],
    ['nothing', 'darwin', 'xcode-select --install'],
  ])('the remedy fits a machine with %s on %s', (installer, platform, remedy) => {
    for (const name of ['g++', 'make']) removeTool(name)
    tool(installer, '')
    const line = nativeObstacle({ ...machine, platform })
    expect(line).toMatch(/^g\+\+ and make not found/)
    expect(line).toMatch(remedy)
  })

  test('the compiler named by CXX is the one looked for', () => {
    expect(nativeObstacle(machine)).toBeUndefined()
    expect(nativeObstacle({ ...machine, env: { ...machine.env, CXX: 'clang++' } })).toMatch(/^clang\+\+ not found/)
  })

  test.each([
    ['win32', 'x64'],
    ['linux', 'riscv64'],
    ['freebsd', 'x64'],
  ])('%s %s is told that the reference executor runs there', (platform, arch) => {
    expect(nativeObstacle({ ...machine, platform, arch })).toMatch(
      `no native executor for ${platform} ${arch} (Linux and macOS have one); the slower reference executor will run`,
    )
  })
})

describe('the native build', () => {
  const broken =
    'for i in 1 2 3 4 5 6 7 8 9; do echo "a$i"; echo "b$i"; echo "c$i"; echo "d$i"; echo "e$i"; done; exit 2'

  test('that fails stops set-up and shows the end of what the compiler said', async () => {
    tool('make', broken)
    const message = await failure()
    expect(message).not.toMatch('a1\n')
    expect(message).toMatch(/a2\n.*e9\nbuilding the native executor: failed \(make -C .*: 2\)$/s)
    expect(exists('native/build/setup.lock')).toBe(false)
  })

  test('that failed is tried again', async () => {
    tool('make', broken)
    await failure()
    tool('make', ': > native/build/lathe.node')
    await prepare(root, machine)
    expect(toolsRun()).toEqual(['npm', 'make', 'make'])
  })

  test('is repeated when a source changed, but not when only its tests did', async () => {
    await prepare(root, machine)
    write('native/test/kernels_test.cc', 'second')
    await prepare(root, machine)
    expect(toolsRun()).toEqual(['npm', 'make'])
    write('native/kernels/gemm.cc', 'second')
    await prepare(root, machine)
    expect(toolsRun()).toEqual(['npm', 'make', 'make'])
  })

  test('is repeated when a source changed while make ran', async () => {
    tool('make', ': > native/build/lathe.node; echo second > native/kernels/gemm.cc')
    await prepare(root, machine)
    expect(nativeIsCurrent(root, machine)).toBe(false)
  })
})
