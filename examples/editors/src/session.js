// Where to connect, and as whom. Kept for this tab only, so that two tabs can be two people.
const FIELDS = ['server', 'token']

/** { server, token } from the address (`#server=…&token=…`, removed at once) or from before. */
export function recall() {
  const given = new URLSearchParams(location.hash.slice(1))
  const session = {}
  for (const field of FIELDS) session[field] = given.get(field) ?? sessionStorage.getItem(field) ?? ''
  if (given.has('token')) history.replaceState(null, '', location.pathname)
  session.server ||= `ws://${location.hostname || '127.0.0.1'}:8400`
  return session
}

export function remember(session) {
  for (const field of FIELDS) sessionStorage.setItem(field, session[field])
}

/** A server's address as the providers want it: ws or wss, no slash at the end. */
export function socketAddress(server) {
  const text = server.trim().replace(/\/+$/, '')
  return /^[a-z]+:\/\//i.test(text) ? text.replace(/^http/i, 'ws') : `ws://${text}`
}

/** Whom a token signs in. Only to show it: the server decides by the signature. */
export function nameIn(token) {
  try {
    const [, payload] = token.split('.')
    const bytes = Uint8Array.from(atob(payload.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0))
    return JSON.parse(new TextDecoder().decode(bytes)).sub ?? 'you'
  } catch {
    return 'you' // an API key says nothing of its user
  }
}

const COLORS = ['#2563eb', '#c2410c', '#7c3aed', '#15803d', '#be185d', '#0f766e']

/** The same colour for a name everywhere. */
export function colorOf(name) {
  let hash = 7
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) >>> 0
  return COLORS[hash % COLORS.length]
}
