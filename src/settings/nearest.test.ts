import { describe, expect, it } from 'vitest'
import { nearest } from './nearest.ts'

describe('nearest', () => {
  const candidates = ['phop-quickstart', 'phop-16', 'phop-32', 'dModel', 'nHeads']

  it.each([
    ['phop-15', 'phop-16'],
    ['phop-quickstat', 'phop-quickstart'],
    ['PHOP-32', 'phop-32'],
    ['dmodel', 'dModel'],
    ['heads', 'nHeads'],
    ['ohop-quikcstart', 'phop-quickstart'],
  ])('of %s is %s', (name, expected) => {
    expect(nearest(name, candidates)).toBe(expected)
  })

  it.each(['', 'addition', 'x', 'learningRate'])('of %j is nothing', (name) => {
    expect(nearest(name, candidates)).toBeUndefined()
  })

  it('of one or two letters is no other word', () => {
    expect(nearest('q', ['n', 'p'])).toBeUndefined()
    expect(nearest('N', ['n', 'p'])).toBe('n')
    expect(nearest('qq', ['nn', 'pq'])).toBe('pq')
  })

  it('takes the first of equals, and nothing from nothing', () => {
    expect(nearest('ac', ['ab', 'ad'])).toBe('ab')
    expect(nearest('a', [])).toBeUndefined()
  })
})
