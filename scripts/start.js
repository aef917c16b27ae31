// `npm start`: set-up, then the quickstart. Arguments after `--` go to the quickstart.
import { setUp } from './setup.js'
import { importSource } from './source.js'

await setUp()
const { endWithReader } = await importSource('cli/main')
endWithReader()
const { quickstart } = await importSource('cli/quickstart')
process.exitCode = await quickstart(process.argv.slice(2))
