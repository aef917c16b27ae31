#!/usr/bin/env node
import { setUp } from '../scripts/setup.js'
import { importSource } from '../scripts/source.js'

await setUp()
const { endWithReader, main } = await importSource('cli/main')
endWithReader()
process.exitCode = await main(process.argv.slice(2))
