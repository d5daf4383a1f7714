// What the server answers over y-websocket and the provider has no event for.
import * as decoding from 'lib0/decoding'
import { messageAuth, messageSync } from 'y-websocket'
import * as Y from 'yjs'

const STEP_1 = 0
const UPDATE = 2

/** `onRefused(reason)` is told why the server does not take what this client sent. */
export function watchRefusals(provider, onRefused) {
  before(provider, messageAuth, (decoder) => {
    if (decoding.readVarUint(decoder) === 0) onRefused(decoding.readVarString(decoder))
  })
}

/**
 * `onChange(saved)` is told whether everything typed here is on the server's disk. An update comes back to its author
 * when it is stored, so what has not come back is not saved yet.
 */
export function watchSaved(provider, onChange) {
  const { doc } = provider
  let waiting = []
  const wait = (parts) => onChange((waiting = parts).length === 0)
  doc.on('update', (update, origin) => {
    if (origin !== provider) wait([...waiting, extentOf(update)])
  })
  before(provider, messageSync, (decoder) => {
    const kind = decoding.readVarUint(decoder)
    const body = decoding.readVarUint8Array(decoder)
    if (kind === STEP_1) {
      // A new connection: the provider now sends what the server says it has not, as one update.
      const missing = Y.encodeStateAsUpdate(doc, body)
      wait(isEmpty(missing) ? [] : [extentOf(missing)])
    } else if (kind === UPDATE && waiting.length > 0) {
      const stored = extentOf(body)
      wait(waiting.filter((part) => !covers(stored, part)))
    }
  })
}

/** Lets `look` read a message of one type before the provider does. */
function before(provider, type, look) {
  const handle = provider.messageHandlers[type]
  provider.messageHandlers[type] = (encoder, decoder, ...rest) => {
    look(decoding.clone(decoder))
    handle(encoder, decoder, ...rest)
  }
}

const isEmpty = (update) => update.byteLength === 2

/** How far an update goes: where it ends for each client, and what it deletes. */
function extentOf(update) {
  return { ends: Y.parseUpdateMeta(update).to, deleted: Y.decodeUpdate(update).ds.clients }
}

function covers(whole, part) {
  for (const [client, end] of part.ends) if ((whole.ends.get(client) ?? 0) < end) return false
  for (const [client, ranges] of part.deleted) {
    const deleted = whole.deleted.get(client) ?? []
    const isDeleted = ({ clock, len }) => deleted.some((d) => d.clock <= clock && clock + len <= d.clock + d.len)
    if (!ranges.every(isDeleted)) return false
  }
  return true
}
