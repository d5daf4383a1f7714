// Many people at once through the stock clients, half of them of each dialect: each types numbered words into a shared
// text and sets and deletes keys of a shared map, through everything that happens to the server. On a line "stop" they
// stop typing; once nothing of theirs waits and the copies of each document are the same, each document is printed.
import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import WebSocket from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

const { url, documents, clients, token, seed, pause } = JSON.parse(process.argv[2])
const say = (message, then) => process.stdout.write(JSON.stringify(message) + '\n', then)
process.setMaxListeners(0) // each provider listens for its end
globalThis.WebSocket = WebSocket // the Hocuspocus provider takes the browser's

let state = seed >>> 0
function random() {
  // mulberry32: small, and the same everywhere for one seed
  state = (state + 0x6d2b79f5) >>> 0
  let t = Math.imul(state ^ (state >>> 15), state | 1)
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}

class Editor {
  constructor(number) {
    this.number = number
    this.name = documents[number % documents.length]
    this.doc = new Y.Doc()
    this.text = this.doc.getText('content')
    this.map = this.doc.getMap('keys')
    this.typed = 0
    // Words up to this one were answered "stored".
    this.stored = 0
    if (Math.floor(number / documents.length) % 2 === 0) this.connectHocuspocus()
    else this.connectYWebsocket()
  }

  connectHocuspocus() {
    this.socket = new HocuspocusProviderWebsocket({ url: `${url}/ws`, delay: 500, minDelay: 100, maxDelay: 2000 })
    this.provider = new HocuspocusProvider({
      websocketProvider: this.socket,
      name: this.name,
      document: this.doc,
      token
    })
    this.provider.attach()
    this.provider.on('unsyncedChanges', ({ number }) => {
      if (number === 0) this.stored = this.typed
    })
    this.waits = () => this.provider.unsyncedChanges > 0 || !this.provider.isSynced
  }

  connectYWebsocket() {
    const [workspace, document] = this.name.split('/')
    this.provider = new WebsocketProvider(`${url}/yjs/${workspace}`, document, this.doc, {
      params: { token },
      WebSocketPolyfill: WebSocket,
      disableBc: true,
      maxBackoffTime: 1500
    })
    this.waits = () => this.provider.ws?.readyState !== 1 || !this.provider.synced
  }

  type() {
    this.doc.transact(() => {
      const word = `<${this.number}:${this.typed}>`
      this.text.insert(random() < 0.5 ? 0 : this.text.length, word)
      const key = `k${Math.floor(random() * 8)}`
      if (random() < 0.3) this.map.delete(key)
      else this.map.set(key, this.typed)
    })
    this.typed += 1
    this.provider.awareness?.setLocalStateField('cursor', this.typed)
  }

  content() {
    return JSON.stringify([this.text.toString(), Object.entries(this.map.toJSON()).sort()])
  }
}

const editors = Array.from({ length: clients }, (_, number) => new Editor(number))
let typing = true
for (const editor of editors) {
  const next = () => {
    if (!typing) return
    editor.type()
    setTimeout(next, pause * (0.5 + random()))
  }
  setTimeout(next, pause * random())
}

function agreement() {
  const copies = new Map()
  for (const editor of editors) {
    const contents = copies.get(editor.name) ?? new Set()
    copies.set(editor.name, contents.add(editor.content()))
  }
  return copies
}

async function settle() {
  const waiting = () => editors.filter((editor) => editor.waits()).map((editor) => editor.number)
  const apart = () => [...agreement()].filter(([, contents]) => contents.size > 1).map(([name]) => name)
  let told = Date.now()
  while (waiting().length > 0 || apart().length > 0) {
    if (Date.now() - told > 5000) {
      say({ waiting: waiting(), apart: apart() })
      told = Date.now()
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

say({ started: editors.length })
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'count') say({ typed: editors.reduce((sum, editor) => sum + editor.typed, 0) })
  if (line === 'stop') {
    typing = false
    await settle()
    say({
      settled: true,
      documents: Object.fromEntries(documents.map((name) => [name, editors.find((e) => e.name === name).text.toString()])),
      typed: Object.fromEntries(editors.map((editor) => [editor.number, editor.typed])),
      stored: Object.fromEntries(editors.filter((editor) => editor.socket).map((editor) => [editor.number, editor.stored])),
      hash: createHash('sha256').update(editors.map((editor) => editor.content()).join()).digest('hex')
    }, () => process.exit(0))
  }
}
