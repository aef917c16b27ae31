import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LatheError } from '../../settings/error.ts'
import { commutatorOrder, compose, namedGroup, readGroup, tableGroup } from './definition.ts'

describe('a named group', () => {
  it.each([
    ['S2', 2],
    ['S3', 6],
    ['S4', 24],
    ['S5', 120],
    ['A3', 3],
    ['A4', 12],
    ['A5', 60],
    ['Z2', 2],
    ['Z7', 7],
    ['Z120', 120],
    ['D1', 2],
    ['D2', 4],
    ['D5', 10],
    ['D60', 120],
  ])('%s is a group of %i elements, differently written', (name, order) => {
    const { table, elements, identity } = namedGroup(name)
    expect(tableGroup(name, table)).toMatchObject({ table, identity })
    expect(new Set(elements).size).toBe(order)
    expect(table.length).toBe(order)
  })

  it.each([
    ['S3', false],
    ['S4', false],
    ['A4', false],
    ['D4', false],
    ['A3', true],
    ['Z9', true],
    ['D2', true],
  ])('%s commutes: %s', (name, commutes) => {
    const { table } = namedGroup(name)
    expect(table.every((row, a) => row.every((x, b) => x === table[b][a]))).toBe(commutes)
  })

  it.each([
    ['S3', 3],
    ['S4', 12],
    ['A4', 4],
    ['A5', 60],
    ['D4', 2],
    ['D5', 5],
    ['Z6', 1],
  ])('%s has %i products of commutators', (name, order) => {
    expect(commutatorOrder(namedGroup(name))).toBe(order)
  })

  it('composes permutations from the right: 2134 after 1324 takes 1 to 2, 2 to 3 and 3 to 1', () => {
    const group = namedGroup('S4')
    const [a, b] = ['2134', '1324'].map((text) => group.elements.indexOf(text))
    expect(group.elements[compose(group, [a, b])]).toBe('2314')
    expect(group.elements[compose(group, [b, a])]).toBe('3124')
    expect(group.elements[compose(group, [])]).toBe('1234')
  })

  it('has even permutations in A4 and no others', () => {
    expect(namedGroup('A4').elements).toContain('2143')
    expect(namedGroup('A4').elements).not.toContain('2134')
  })

  it('mirrors in D5: s r s is r backwards, and s twice is nothing', () => {
    const group = namedGroup('D5')
    const of = (...texts: string[]) =>
      group.elements[
        compose(
          group,
          texts.map((text) => group.elements.indexOf(text)),
        )
      ]
    expect([of('sr0', 'r1', 'sr0'), of('sr3', 'sr3'), of('r3', 'r4')]).toEqual(['r4', 'r0', 'r2'])
  })

  it.each([
    ['S6', 'group S6 has order 720, not 2 to 120'],
    ['S1', 'group S1 has order 1, not'],
    ['A2', 'group A2 has order 1, not'],
    ['Z121', 'group Z121 has order 121, not'],
    ['D61', 'group D61 has order 122, not'],
    ['Z0', 'group Z0 has order 0, not'],
    ['Q8', 'no group is called "Q8": there are S2 to S5'],
    ['s4', 'no group is called "s4"'],
    ['S', 'no group is called "S"'],
    ['', 'no group is called ""'],
  ])('%j is refused', (name, message) => {
    expect(() => namedGroup(name)).toThrow(LatheError)
    expect(() => namedGroup(name)).toThrow(message)
  })
})

describe('a table file', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lathe-group-'))
  })
  afterAll(() => rm(folder, { recursive: true }))
  const read = async (text: string) => {
    const path = join(folder, 'table.json')
    await writeFile(path, text)
    return readGroup(path)
  }

  it('is read, wherever its identity stands', async () => {
    const group = await read('[[1,0],[0,1]]')
    expect(group).toMatchObject({ identity: 1, elements: ['0', '1'] })
    expect(compose(group, [0, 0, 0])).toBe(0)
  })

  it.each([
    ['{', 'is no JSON: write a table such as [[0,1],[1,0]]'],
    ['{}', 'is no table of 2 to 120 rows'],
    ['3', 'is no table of 2 to 120 rows'],
    ['[[0]]', 'is no table of 2 to 120 rows'],
    [JSON.stringify(new Array(121).fill([])), 'is no table of 2 to 120 rows'],
    ['[[0,1],[1]]', 'row 1 must hold 2 numbers'],
    ['[[0,1],7]', 'row 1 must hold 2 numbers'],
    ['[[0,1],[1,2]]', 'row 1, column 1 is 2: write a number from 0 to 1'],
    ['[[0,1],[1,-1]]', 'row 1, column 1 is -1: write'],
    ['[[0,1],[1,0.5]]', 'row 1, column 1 is 0.5: write'],
    ['[[0,1],["1",0]]', 'row 1, column 0 is "1": write'],
    ['[[0,1],[null,0]]', 'row 1, column 0 is null: write'],
    ['[[0,0],[1,1]]', 'no element is the identity'],
    ['[[0,1],[1,1]]', '1 has no inverse'],
    ['[[0,1,2],[1,0,0],[2,0,0]]', 'is not associative: (1·1)·2 is 2, but 1·(1·2) is 1'],
  ])('%s is refused in one line that names the file', async (text, message) => {
    const error: Error = await read(text).then(
      () => expect.fail('it was read'),
      (thrown) => thrown,
    )
    expect(error).toBeInstanceOf(LatheError)
    expect(error.message).toMatch(/table\.json.*/)
    expect(error.message).toContain(message)
    expect(error.message).not.toContain('\n')
  })

  it('that is not there is named', async () => {
    await expect(readGroup(join(folder, 'no.json'))).rejects.toThrow(/no\.json: cannot read it: /)
  })
})
