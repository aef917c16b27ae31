// Flags of a script that are whole numbers.
import { parseArgs } from 'node:util'
import { say } from './step.js'

/**
 * Reads `--name N` flags: `{ kills: { is: 500, least: 1 } }` gives `{ kills: 500 }` where none is given, and a list where
 * `is` is one. Anything else ends the process with one line.
 */
export function wholeFlags(flags, argv = process.argv.slice(2)) {
  try {
    const options = Object.keys(flags).map((name) => [name, { type: 'string' }])
    const { values } = parseArgs({ args: argv, options: Object.fromEntries(options) })
    return Object.fromEntries(Object.entries(flags).map(([name, flag]) => [name, numberOf(name, flag, values[name])]))
  } catch (error) {
    const known = Object.entries(flags).map(([name, { is }]) => `--${name} ${is}`)
    say(`${error.message.split('. ')[0]}; there are ${known.join(' ')}`)
    process.exit(1)
  }
}

function numberOf(name, { is, least = 0 }, text) {
  if (text === undefined) return is
  const numbers = text.split(',').map((part) => (/^\d+$/.test(part) ? Number(part) : Number.NaN))
  const fits = (n) => Number.isSafeInteger(n) && n >= least
  if (!numbers.every(fits) || (!Array.isArray(is) && numbers.length > 1))
    throw new Error(
      `--${name} ${text}: it takes ${Array.isArray(is) ? 'whole numbers' : 'a whole number'} from ${least} on`,
    )
  return Array.isArray(is) ? numbers : numbers[0]
}
