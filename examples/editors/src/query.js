// The right pane: CodeMirror over y-websocket.
import { sql } from '@codemirror/lang-sql'
import { syntaxHighlighting } from '@codemirror/language'
import { Compartment } from '@codemirror/state'
import { EditorView, keymap, placeholder } from '@codemirror/view'
import { classHighlighter } from '@lezer/highlight'
import { basicSetup } from 'codemirror'
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { watchRefusals, watchSaved } from './answers.js'

/** Opens a text in an element; `tell` is a status line's. */
export function openQuery(element, { server, token, color, name, tell }) {
  const doc = new Y.Doc()
  const text = doc.getText('content')
  const provider = new WebsocketProvider(`${server}/yjs`, name, doc, {
    protocols: [`bearer.${token}`], // `params: { token }` does it too, but addresses end up in the logs of proxies
    disableBc: true // tabs of one browser go through the server like everybody else
  })
  provider.awareness.setLocalStateField('user', { color }) // the server puts the signed-in user's name there
  const editable = new Compartment()
  const view = new EditorView({
    parent: element,
    extensions: [
      keymap.of(yUndoManagerKeymap),
      basicSetup,
      sql(),
      syntaxHighlighting(classHighlighter),
      EditorView.lineWrapping,
      placeholder('select …'),
      editable.of([]),
      yCollab(text, provider.awareness)
    ]
  })
  provider.on('status', ({ status }) => tell({ connected: status === 'connected' }))
  provider.on('sync', (synced) => tell({ synced }))
  provider.on('closed', ({ reason }) => tell({ refused: reason }))
  watchSaved(provider, (saved) => tell({ saved }))
  watchRefusals(provider, (reason) => {
    tell({ refused: reason })
    view.dispatch({ effects: editable.reconfigure(EditorView.editable.of(false)) })
  })
  const close = () => {
    view.destroy()
    provider.destroy()
    provider.awareness.destroy()
    doc.destroy()
  }
  return { awareness: provider.awareness, close }
}
