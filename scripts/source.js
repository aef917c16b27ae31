// Loads Lathe's own modules: TypeScript through tsx in a clone, dist/ in a published package, which has no src/.
// tsx stays on in both, for recipes that are .ts files.
import fs from 'node:fs'
import module from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { packageRoot } from './setup.js'

const isClone = fs.existsSync(path.join(packageRoot, 'src'))
const urlOf = (file) => pathToFileURL(path.join(packageRoot, isClone ? `src/${file}.ts` : `dist/${file}.js`)).href

/** Makes TypeScript and `lathe/…` importable. Call it after set-up. */
export async function registerSource() {
  module.register('./resolve.js', import.meta.url, { data: { roomUrl: urlOf('*/index') } })
  const tsx = await import('tsx/esm/api')
  tsx.register({ tsconfig: false })
}

/** Imports a module by its path below src/, without extension: `cli/main`. Call it after set-up. */
export async function importSource(name) {
  await registerSource()
  return import(urlOf(name))
}

/** The same where nothing of other people's is imported, as in a worker thread: dist/ needs no tsx then. */
export async function importOwn(name) {
  if (isClone) await registerSource()
  return import(urlOf(name))
}
