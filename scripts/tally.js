// Vitest's JSON report as one line.

/**
 * `812 passed, 3 failed`. A test file that breaks before its first test counts as one failure, and so does a run that
 * vitest ended with another exit code than 0 for no test's sake.
 */
export function tally({ numPassedTests, numFailedTests, testResults }, exitCode) {
  const isBroken = ({ status, assertionResults }) =>
    status === 'failed' && assertionResults.every((test) => test.status !== 'failed')
  const failed = numFailedTests + testResults.filter(isBroken).length
  return `${numPassedTests} passed, ${failed || (exitCode === 0 ? 0 : 1)} failed`
}
