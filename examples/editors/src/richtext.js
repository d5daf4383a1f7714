// The left pane: TipTap over the Hocuspocus provider.
import { HocuspocusProvider } from '@hocuspocus/provider'
import { Editor } from '@tiptap/core'
import Collaboration from '@tiptap/extension-collaboration'
import CollaborationCaret from '@tiptap/extension-collaboration-caret'
import { Placeholder } from '@tiptap/extensions'
import StarterKit from '@tiptap/starter-kit'

const CLOSED_BY_SERVER = 1000 // the document only; the connection is not closed with this code

/** Opens a rich text in an element; `tell` is a status line's. */
export function openRichText(element, { server, token, color, name, tell }) {
  const provider = new HocuspocusProvider({ url: `${server}/ws`, name, token })
  const editor = new Editor({
    element,
    extensions: [
      StarterKit.configure({ undoRedo: false }), // Collaboration has its own, which undoes what you did, not the others
      Collaboration.configure({ document: provider.document }),
      CollaborationCaret.configure({ provider, user: { color } }), // the server puts the signed-in user's name there
      Placeholder.configure({ placeholder: 'Write something. # makes a heading, - a list.' })
    ]
  })
  provider.on('status', ({ status }) => tell({ connected: status === 'connected', synced: provider.synced }))
  provider.on('synced', () => tell({ synced: true, refused: null }))
  provider.on('unsyncedChanges', ({ number }) => tell({ saved: number === 0 }))
  provider.on('authenticationFailed', ({ reason }) => tell({ refused: reason }))
  provider.on('close', ({ event }) => tell({ synced: false, refused: event.code === CLOSED_BY_SERVER && event.reason }))
  provider.on('authenticated', ({ scope }) => {
    editor.setEditable(scope === 'read-write')
    tell({ readOnly: scope === 'readonly' })
  })
  const close = () => {
    editor.destroy()
    provider.destroy()
  }
  return { awareness: provider.awareness, close }
}
