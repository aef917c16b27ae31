// Runs a .ts file of yours in a clone, where `lathe/…` is this clone: node scripts/run.js FILE [arguments].
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { setUp } from './setup.js'
import { registerSource } from './source.js'

await setUp()
await registerSource()
const [file] = process.argv.splice(2, 1)
await import(pathToFileURL(path.resolve(file)).href)
