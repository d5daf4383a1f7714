// A stock client joins a document over a slow link. Prints one JSON line when it calls itself synced, with what it has
// then and how often it connected, and one when it has a text of the length that it is told on standard input.
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import WebSocket from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { createInterface } from 'node:readline'

const { url, document, token, dialect, patience } = JSON.parse(process.argv[2])
const say = (message) => process.stdout.write(JSON.stringify(message) + '\n')
const doc = new Y.Doc()
const text = doc.getText('content')
let connections = 0

if (dialect === 'hocuspocus') {
  const websocketProvider = new HocuspocusProviderWebsocket({
    url: `${url}/ws`,
    WebSocketPolyfill: WebSocket,
    messageReconnectTimeout: patience,
    delay: 100,
    minDelay: 100,
    onOpen: () => (connections += 1)
  })
  const provider = new HocuspocusProvider({ websocketProvider, name: document, document: doc, token })
  provider.on('synced', () => say({ synced: true, length: text.length, connections }))
  provider.attach()
} else {
  const [workspace, name] = document.split('/')
  const provider = new WebsocketProvider(`${url}/yjs/${workspace}`, name, doc, {
    params: { token },
    WebSocketPolyfill: WebSocket,
    disableBc: true
  })
  provider.on('status', ({ status }) => (connections += status === 'connected' ? 1 : 0))
  provider.on('sync', (synced) => synced && say({ synced, length: text.length, connections }))
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const look = () => {
    if (text.length < Number(line)) return void setTimeout(look, 20)
    say({ text: text.toString().slice(-200), length: text.length })
    process.exit(0)
  }
  look()
})
