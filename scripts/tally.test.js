import { expect, test } from 'vitest'
import { tally } from './tally.js'

const passed = { status: 'passed' }
const failed = { status: 'failed' }

test('counts what passed and what failed', () => {
  const testResults = [{ status: 'failed', assertionResults: [passed, passed, failed] }]
  expect(tally({ numPassedTests: 2, numFailedTests: 1, testResults }, 1)).toBe('2 passed, 1 failed')
})

test('counts a file that breaks before its first test as one failure', () => {
  const testResults = [
    { status: 'failed', assertionResults: [] },
    { status: 'passed', assertionResults: [passed] },
  ]
  expect(tally({ numPassedTests: 1, numFailedTests: 0, testResults }, 1)).toBe('1 passed, 1 failed')
})

test('counts a run without a failing test as clean only when vitest does', () => {
  const report = {
    numPassedTests: 1,
    numFailedTests: 0,
    testResults: [{ status: 'passed', assertionResults: [passed] }],
  }
  expect(tally(report, 0)).toBe('1 passed, 0 failed')
  expect(tally(report, 1)).toBe('1 passed, 1 failed')
})
