// One stock client joins a document and prints its text: the older y-websocket.
import WebSocket from 'ws'
import { WebsocketProvider } from 'y-websocket-2'
import * as Y from 'yjs'

const { url, document, token } = JSON.parse(process.argv[2])
const [workspace, name] = document.split('/')
const doc = new Y.Doc()
const provider = new WebsocketProvider(`${url}/yjs/${workspace}`, name, doc, {
  params: { token },
  WebSocketPolyfill: WebSocket,
  disableBc: true
})
await new Promise((resolve) => provider.once('sync', resolve))
process.stdout.write(JSON.stringify({ text: doc.getText('content').toString() }) + '\n')
process.exit(0)
