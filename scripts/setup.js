// Makes a checkout ready to run: npm packages, then the native executor. Everything it says goes to stderr.
// It runs before node_modules exists, and on a Node too old for Lathe far enough to say so: hence plain JavaScript.
import crypto from 'node:crypto'
import fs from 'node:fs'
import module from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from './lock.js'
import { StepError, say, step } from './step.js'

export const packageRoot = path.dirname(path.dirname(fileURLToPath(import.meta.url)))

export const thisMachine = {
  nodeVersion: process.versions.node,
  platform: process.platform,
  arch: process.arch,
  env: process.env,
}

/** Does what is missing, which is nothing on most days; ends the process with a message when it cannot. */
export async function setUp() {
  try {
    await prepare(packageRoot)
  } catch (error) {
    if (!(error instanceof StepError)) throw error
    say(error.message)
    process.exit(1)
  }
}

/** Set-up of the package at `root`. Throws a StepError when it must not go on. */
export async function prepare(root, machine = thisMachine) {
  checkNodeVersion(machine.nodeVersion)
  const obstacle = nativeIsCurrent(root, machine) ? undefined : nativeObstacle(machine)
  if (obstacle) {
    say(obstacle)
    fs.rmSync(addonPath(root), { force: true }) // one that is older than its sources must not be loaded
  }
  const nativeIsDone = () => obstacle !== undefined || nativeIsCurrent(root, machine)
  if (packagesAreCurrent(root) && nativeIsDone()) return
  await withLock(path.join(root, 'native/build/setup.lock'), async () => {
    if (!packagesAreCurrent(root)) await installPackages(root, machine)
    if (!nativeIsDone()) await buildNative(root, machine)
  })
}

/** Throws a one-line StepError below Node 20.18, the oldest on which the tests run. */
export function checkNodeVersion(version) {
  const [major, minor] = version.split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 18)) return
  throw new StepError(`Lathe needs Node 20.18 or newer; this is ${version}. Get a newer one: https://nodejs.org`)
}

/** npm notes what it has installed; that must hold every package of package-lock.json, but those of other platforms. */
export function packagesAreCurrent(root) {
  const wanted = readPackages(path.join(root, 'package-lock.json'))
  const installed = readPackages(path.join(root, 'node_modules/.package-lock.json'))
  const isThere = ([folder, { version, optional }]) =>
    folder === '' || optional || installed[folder]?.version === version
  return Object.entries(wanted).every(isThere)
}

// A published package has no package-lock.json: npm has brought its packages already.
function readPackages(lockfile) {
  return fs.existsSync(lockfile) ? JSON.parse(fs.readFileSync(lockfile, 'utf8')).packages : {}
}

async function installPackages(root, { env }) {
  const npm = path.basename(env.npm_execpath || '') === 'npm-cli.js' ? [process.execPath, env.npm_execpath] : ['npm']
  const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=warn']
  const shell = npm[0] === 'npm' && process.platform === 'win32' // npm is npm.cmd there
  await step('installing packages', npm[0], [...npm.slice(1), ...args], { cwd: root, env, shell })
}

/** One line on why the native executor cannot be built here, or undefined when it can. */
export function nativeObstacle({ platform, arch, env }) {
  const isSupported = ['linux', 'darwin'].includes(platform) && ['x64', 'arm64'].includes(arch)
  if (!isSupported) {
    return `no native executor for ${platform} ${arch} (Linux and macOS have one); the slower reference executor will run`
  }
  const missing = [compiler(env), 'make'].filter((tool) => !isOnPath(tool, env))
  if (missing.length === 0) return undefined
  return `${missing.join(' and ')} not found, so the slower reference executor will run; to get the native one: ${remedy(platform, env)}`
}

const compiler = (env) => env.CXX || 'g++'

function remedy(platform, env) {
  if (platform === 'darwin') return 'xcode-select --install'
  if (isOnPath('apt-get', env)) return 'sudo apt-get install g++ make'
  if (isOnPath('dnf', env)) return 'sudo dnf install gcc-c++ make'
  return 'install g++ and make with your package manager'
}

function isOnPath(tool, env) {
  return (env.PATH || '').split(path.delimiter).some((folder) => fs.existsSync(path.resolve(folder, tool)))
}

/** Whether native/build/lathe.node was built here from the sources as they are now. */
export function nativeIsCurrent(root, machine) {
  const stamp = stampPath(root)
  return (
    fs.existsSync(addonPath(root)) &&
    fs.existsSync(stamp) &&
    fs.readFileSync(stamp, 'utf8') === nativeFingerprint(root, machine)
  )
}

async function buildNative(root, machine) {
  const fingerprint = nativeFingerprint(root, machine) // before make reads them: an edit meanwhile builds again
  const folder = path.join(root, 'native')
  const headers = module.createRequire(path.join(root, 'package.json'))('node-api-headers').include_dir
  const args = ['-C', folder, '-j', String(os.cpus().length), `NODE_API=${path.relative(folder, headers)}`]
  const kernels = machine.arch === 'x64' ? '' : ` (portable kernels: ${machine.arch})`
  await step(`building the native executor${kernels}`, 'make', args, { env: machine.env })
  fs.writeFileSync(stampPath(root), fingerprint)
}

function nativeFingerprint(root, { platform, arch }) {
  const hash = crypto.createHash('sha256').update(`${platform} ${arch}\n`)
  const folder = path.join(root, 'native')
  for (const file of nativeSources(folder)) hash.update(path.relative(folder, file)).update(fs.readFileSync(file))
  return hash.digest('hex')
}

function nativeSources(folder) {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const found = path.join(folder, entry.name)
    if (entry.isDirectory()) return ['build', 'test'].includes(entry.name) ? [] : nativeSources(found)
    return /\.(cc|h)$|^Makefile$/.test(entry.name) ? [found] : []
  })
}

const addonPath = (root) => path.join(root, 'native/build/lathe.node')
const stampPath = (root) => path.join(root, 'native/build/setup.stamp')
