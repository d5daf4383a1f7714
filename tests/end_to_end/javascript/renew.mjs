// Stock clients whose tokens end after seconds: those that can give a new one stay connected, the others do not.
// `tokens` has one for each second from now on. Prints what each client went through, after `seconds`.
import { HocuspocusProvider } from '@hocuspocus/provider'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import WebSocket from 'ws'
import { messageAuth, WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

const { url, document, tokens, seconds } = JSON.parse(process.argv[2])
const TOKEN = 1

globalThis.WebSocket = WebSocket // the Hocuspocus provider takes the browser's
const started = performance.now()
const newToken = () => tokens[Math.floor((performance.now() - started) / 1000)]
const [workspace, name] = document.split('/')
const lives = {}

function follow(client, doc) {
  const life = (lives[client] = { asked: 0, connected: 0, lost: 0, doc })
  return life
}

function hocuspocus(client, token) {
  const life = follow(client, new Y.Doc())
  const provider = new HocuspocusProvider({
    url: `${url}/ws`,
    name: document,
    document: life.doc,
    token: () => {
      life.asked += 1
      return token()
    },
    onAuthenticated: () => (life.connected += 1),
    onClose: () => (life.lost += 1)
  })
  return new Promise((resolve) => provider.on('synced', resolve))
}

function yWebsocket(client, renews) {
  const life = follow(client, new Y.Doc())
  const provider = new WebsocketProvider(`${url}/yjs/${workspace}`, name, life.doc, {
    params: { token: tokens[0] },
    WebSocketPolyfill: WebSocket,
    disableBc: true
  })
  provider.on('status', ({ status }) => (life.connected += status === 'connected'))
  provider.on('connection-close', () => (life.lost += 1))
  const stock = provider.messageHandlers[messageAuth]
  provider.messageHandlers = [...provider.messageHandlers]
  provider.messageHandlers[messageAuth] = (encoder, decoder, ...rest) => {
    if (!renews || decoding.peekVarUint(decoder) !== TOKEN) return stock(encoder, decoder, ...rest)
    life.asked += 1
    encoding.writeVarUint(encoder, messageAuth)
    encoding.writeVarUint(encoder, TOKEN)
    encoding.writeVarString(encoder, newToken())
  }
  return new Promise((resolve) => provider.once('sync', resolve))
}

await Promise.all([
  hocuspocus('renewing', newToken),
  hocuspocus('static', () => tokens[0]),
  yWebsocket('renewing y-websocket', true),
  yWebsocket('static y-websocket', false)
])
await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
const renewing = [lives.renewing.doc, lives['renewing y-websocket'].doc].map((doc) => doc.getText('content'))
renewing.forEach((text) => text.insert(0, 'x'))
const deadline = performance.now() + 5000
while (renewing.some((text) => text.length < 2) && performance.now() < deadline) {
  await new Promise((resolve) => setTimeout(resolve, 10))
}
for (const life of Object.values(lives)) {
  life.text = life.doc.getText('content').toString()
  delete life.doc
}
process.stdout.write(JSON.stringify(lives) + '\n')
process.exit(0)
