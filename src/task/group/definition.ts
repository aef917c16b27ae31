import { readFile } from 'node:fs/promises'
import { ioReason } from '../../files/durable-file.ts'
import { LatheError } from '../../settings/error.ts'

/** `table[a][b]` is a ∘ b. */
export type Table = readonly (readonly number[])[]

/** A finite group. Elements are 0 … order − 1. */
export interface Group {
  readonly name: string
  /** What settings call it: a name that `namedGroup` knows, or the table. */
  readonly setting: string | Table
  /** How each element is written. */
  readonly elements: readonly string[]
  readonly table: Table
  readonly identity: number
}

export const maxOrder = 120

const families: Readonly<Record<string, (n: number) => Group>> = {
  S: (n) => permutations(`S${n}`, n, () => true),
  A: (n) => permutations(`A${n}`, n, isEven),
  Z: (n) => fromProduct(`Z${n}`, range(n), (a, b) => (a + b) % n, String),
  // r^k with s in front is 2k + 1; r s = s r⁻¹.
  D: (n) => {
    const product = (a: number, b: number) => {
      const [turnA, turnB] = [a >> 1, b >> 1]
      return 2 * ((b & 1 ? n - turnA + turnB : turnA + turnB) % n) + ((a ^ b) & 1)
    }
    return fromProduct(`D${n}`, range(2 * n), product, (x) => `${x & 1 ? 's' : ''}r${x >> 1}`)
  },
}

const orders: Readonly<Record<string, (n: number) => number>> = {
  S: factorial,
  A: (n) => Math.max(1, factorial(n) / 2),
  Z: (n) => n,
  D: (n) => 2 * n,
}

const named = 'S2 to S5, A3 to A5, Z2 to Z120 and D1 to D60'

/**
 * The group called `name`: S4 (permutations, written by what 1, 2, … become; a ∘ b is b, then a), A4 (the even ones),
 * Z6 (numbers under addition), D5 (turns rk and mirrored turns srk). Throws a LatheError for any other name.
 */
export function namedGroup(name: string): Group {
  const [, family, digits] = /^([SAZD])(\d+)$/.exec(name) ?? []
  if (family === undefined) throw new LatheError(`no group is called ${JSON.stringify(name)}: there are ${named}`)
  const order = orders[family](Number(digits))
  if (order < 2 || order > maxOrder)
    throw new LatheError(`group ${name} has order ${order}, not 2 to ${maxOrder}: there are ${named}`)
  return families[family](Number(digits))
}

/** The group of a name, or of a file that ends in .json: rows of a table such as [[0,1],[1,0]]. */
export async function readGroup(nameOrFile: string): Promise<Group> {
  if (!nameOrFile.endsWith('.json')) return namedGroup(nameOrFile)
  const text = await readFile(nameOrFile, 'utf8').catch((error) => {
    throw new LatheError(`${nameOrFile}: cannot read it: ${ioReason(error)}`)
  })
  return tableGroup(nameOrFile, parseTable(nameOrFile, text))
}

function parseTable(where: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new LatheError(`${where} is no JSON: write a table such as [[0,1],[1,0]]`)
  }
}

/** The group of a table whose row a holds a ∘ b for every b. Throws a LatheError that says what makes it no group. */
export function tableGroup(where: string, table: unknown): Group {
  const rows = checkedTable(where, table)
  const all = range(rows.length)
  const identity = all.findIndex((e) => all.every((x) => rows[e][x] === x && rows[x][e] === x))
  if (identity === -1)
    throw new LatheError(`${where}: no element is the identity: one row and its column must be 0, 1, …`)
  const lonely = all.find((x) => !all.some((y) => rows[x][y] === identity && rows[y][x] === identity))
  if (lonely !== undefined)
    throw new LatheError(`${where}: ${lonely} has no inverse: no product with it is ${identity}`)
  for (const a of all)
    for (const b of all)
      for (const c of all)
        if (rows[rows[a][b]][c] !== rows[a][rows[b][c]])
          throw new LatheError(
            `${where} is not associative: (${a}·${b})·${c} is ${rows[rows[a][b]][c]}, but ${a}·(${b}·${c}) is ${rows[a][rows[b][c]]}`,
          )
  return { name: where, setting: rows, elements: all.map(String), table: rows, identity }
}

function checkedTable(where: string, table: unknown): number[][] {
  const size = Array.isArray(table) ? table.length : 0
  if (!Array.isArray(table) || size < 2 || size > maxOrder)
    throw new LatheError(`${where} is no table of 2 to ${maxOrder} rows: write one such as [[0,1],[1,0]]`)
  for (const [a, row] of table.entries()) {
    if (!Array.isArray(row) || row.length !== size)
      throw new LatheError(`${where}: row ${a} must hold ${size} numbers, as many as there are rows`)
    const b = row.findIndex((x) => !Number.isInteger(x) || x < 0 || x >= size)
    if (b !== -1)
      throw new LatheError(
        `${where}: row ${a}, column ${b} is ${JSON.stringify(row[b])}: write a number from 0 to ${size - 1}`,
      )
  }
  return table
}

/** The product of a sequence, from the left. */
export const compose = ({ table, identity }: Group, elements: Iterable<number>): number =>
  Array.from(elements).reduce((product, x) => table[product][x], identity)

/** How many elements are products of commutators a⁻¹∘b⁻¹∘a∘b: 1 where order does not matter. */
export function commutatorOrder({ table, identity }: Group): number {
  const all = range(table.length)
  const inverse = all.map((x) => table[x].indexOf(identity))
  const commutators = new Set(all.flatMap((a) => all.map((b) => table[table[inverse[a]][inverse[b]]][table[a][b]])))
  const found = new Set([identity])
  for (const x of found) for (const c of commutators) found.add(table[x][c]) // a Set goes on with what is added
  return found.size
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i)

function factorial(n: number): number {
  let product = 1
  for (let i = 2; i <= n && Number.isFinite(product); i++) product *= i
  return product
}

function fromProduct(
  name: string,
  elements: readonly number[],
  product: (a: number, b: number) => number,
  write: (x: number) => string,
): Group {
  const table = elements.map((a) => elements.map((b) => product(a, b)))
  return { name, setting: name, elements: elements.map(write), table, identity: 0 }
}

/** Permutations of 0 … n − 1 in lexical order, the identity first; (a ∘ b)(x) = a(b(x)). */
function permutations(name: string, n: number, keep: (permutation: readonly number[]) => boolean): Group {
  const all = arrangements(range(n)).filter(keep)
  const index = new Map(all.map((permutation, i) => [permutation.join(), i]))
  const product = (a: number, b: number) => index.get(all[b].map((x) => all[a][x]).join())!
  return fromProduct(name, range(all.length), product, (x) => all[x].map((to) => to + 1).join(''))
}

const arrangements = (items: readonly number[]): number[][] =>
  items.length === 0
    ? [[]]
    : items.flatMap((first) => arrangements(items.filter((item) => item !== first)).map((rest) => [first, ...rest]))

const isEven = (permutation: readonly number[]): boolean =>
  permutation.flatMap((x, i) => permutation.slice(i).filter((later) => later < x)).length % 2 === 0
