// Two people type a recorded session through the stock clients: the first with y-websocket, the second with the
// Hocuspocus provider. Prints one JSON line for each step of progress and one at the end.
import { HocuspocusProvider } from '@hocuspocus/provider'
import WebSocket from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { authorship, CLIENT_IDS, readTrace, updatesOf } from './trace.mjs'

const { url, document, tokens, trace: path, limit } = JSON.parse(process.argv[2])
const say = (message) => process.stdout.write(JSON.stringify(message) + '\n')

globalThis.WebSocket = WebSocket // the Hocuspocus provider takes the browser's
const trace = readTrace(path)
if (limit) trace.txns = trace.txns.slice(0, limit)
const steps = updatesOf(trace)
// The typing is made elsewhere, so these documents have client ids of their own and only carry it.
const docs = [new Y.Doc(), new Y.Doc()]
const [workspace, name] = document.split('/')
const first = new WebsocketProvider(`${url}/yjs/${workspace}`, name, docs[0], {
  params: { token: tokens[0] },
  WebSocketPolyfill: WebSocket,
  disableBc: true
})
const second = new HocuspocusProvider({ url: `${url}/ws`, name: document, document: docs[1], token: tokens[1] })
await Promise.all([
  new Promise((resolve) => first.once('sync', resolve)),
  new Promise((resolve) => second.on('synced', resolve))
])

// The clock that each agent's document has reached after each step.
const clocks = steps.map(({ agent, update }) => {
  const struct = Y.decodeUpdate(update).structs.at(-1)
  return { agent, end: struct ? struct.id.clock + struct.length : null }
})
let end = [0, 0]
clocks.forEach((clock) => (clock.end = end[clock.agent] = clock.end ?? end[clock.agent]))

async function seen(doc, { agent, end }) {
  const has = () => Y.getState(doc.store, CLIENT_IDS[agent]) >= end
  while (!has()) await new Promise((resolve) => doc.once('update', resolve))
}

let done = 0
async function type(agent) {
  let sinceBreath = 0
  let needed = -1
  for (const [index, step] of steps.entries()) {
    if (step.agent !== agent) continue
    if (step.needs > needed) {
      for (let at = needed + 1; at <= step.needs; at++) if (steps[at].agent !== agent) await seen(docs[agent], clocks[at])
      needed = step.needs
    }
    Y.applyUpdate(docs[agent], step.update, 'typing')
    done += 1
    if (done % 250 === 0) say({ progress: done / steps.length })
    if (++sinceBreath % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
}

await Promise.all([type(0), type(1)])
say({ progress: 1 })
const expected = limit ? null : trace.endContent
const texts = docs.map((doc) => doc.getText('content'))
const same = () => texts[0].toString() === texts[1].toString() && (expected === null || texts[0].toString() === expected)
while (!same() || second.unsyncedChanges > 0 || first.ws?.readyState !== 1 || !first.synced) {
  await new Promise((resolve) => setTimeout(resolve, 20))
}
say({ done: true, text: texts[0].toString(), authorship: authorship(texts[0]), clients: CLIENT_IDS })
process.stdin.on('end', () => process.exit(0)).resume()
