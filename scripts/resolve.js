// A module resolution hook that runs below tsx, so that a recipe of yours may lie anywhere: in it, `lathe/plan` is this
// very copy of Lathe, and its .ts file is an ES module whatever package.json lies next to it.

let roomUrl

/** `roomUrl` is the address of a room's index with `*` for the room's name. */
export function initialize(data) {
  roomUrl = data.roomUrl
}

export async function resolve(specifier, context, next) {
  const [, room] = specifier.match(/^lathe\/([a-z]+)$/) || []
  const resolved = await next(room ? roomUrl.replace('*', room) : specifier, context)
  return resolved.url.endsWith('.ts') ? { ...resolved, format: 'module' } : resolved
}
