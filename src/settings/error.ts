/** An error that a user can cause and mend. Its message is one line: what is wrong, where, and what would be right. */
export class LatheError extends Error {
  override name = 'LatheError'
}
