// A recorded editing session as Yjs updates: each transaction is made on a document that holds exactly what its author
// had seen, so that concurrent edits are concurrent again.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import * as Y from 'yjs'

export const CLIENT_IDS = [1001, 1002]

export function readTrace(path) {
  return JSON.parse(gunzipSync(readFileSync(path)).toString('utf8'))
}

// Positions in the trace count code points, those of Yjs UTF-16 units.
function unitsUpTo(text, codePoints) {
  let at = 0
  for (let n = 0; n < codePoints; n++) at += text.codePointAt(at) > 0xffff ? 2 : 1
  return at
}

function applyPatch(text, [position, deleted, inserted], isPlain) {
  const plain = isPlain ? null : text.toString()
  const start = isPlain ? position : unitsUpTo(plain, position)
  const end = isPlain ? position + deleted : unitsUpTo(plain, position + deleted)
  if (end > start) text.delete(start, end - start)
  if (inserted) text.insert(start, inserted)
}

const isPlain = (string) => !/[\ud800-\udfff]/.test(string)

/** [{agent, update, needs: index of the other agent's last transaction seen, or -1}] in causal order. */
export function updatesOf(trace, root = 'content') {
  const docs = CLIENT_IDS.map((id) => Object.assign(new Y.Doc(), { clientID: id }))
  const seen = [-1, -1] // of the other agent's transactions, as indices into the trace
  const steps = []
  let latest = null
  const plain = trace.txns.every(({ patches }) => patches.every((patch) => isPlain(patch[2])))
  docs.forEach((doc) => doc.on('update', (update) => (latest = update)))
  trace.txns.forEach(({ agent, parents, patches }) => {
    const doc = docs[agent]
    const others = parents.filter((parent) => steps[parent].agent !== agent)
    for (const parent of others) {
      for (let at = seen[agent] + 1; at <= parent; at++) {
        if (steps[at].agent !== agent) Y.applyUpdate(doc, steps[at].update)
      }
      seen[agent] = Math.max(seen[agent], parent)
    }
    const text = doc.getText(root)
    doc.transact(() => patches.forEach((patch) => applyPatch(text, patch, plain)))
    steps.push({ agent, update: latest, needs: seen[agent] })
  })
  return steps
}

/** Which client wrote each visible UTF-16 unit of a text, as [[client, length], ...]. */
export function authorship(text) {
  const runs = []
  for (let item = text._start; item !== null; item = item.right) {
    if (item.deleted || !item.countable) continue
    const last = runs.at(-1)
    if (last && last[0] === item.id.client) last[1] += item.length
    else runs.push([item.id.client, item.length])
  }
  return runs
}
