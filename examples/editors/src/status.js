/** Returns `tell(change)`: what a pane learnt from its provider. The line says what that means for who types. */
export function statusLine(element) {
  const state = { connected: null, synced: false, saved: false, readOnly: false, refused: null }
  const tell = (change) => {
    const [tone, text] = describe(Object.assign(state, change))
    element.dataset.tone = tone
    element.textContent = text
  }
  tell({})
  return tell
}

function describe({ connected, synced, saved, readOnly, refused }) {
  if (refused) return ['bad', refused]
  if (connected === false) return ['waiting', 'Offline, keeps what you type']
  if (!synced) return ['waiting', 'Connecting…']
  if (readOnly) return ['good', 'Connected, read only']
  return saved ? ['good', 'Connected, saved'] : ['waiting', 'Connected, saving…']
}
