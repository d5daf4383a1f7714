import { openQuery } from './query.js'
import { openRichText } from './richtext.js'
import { colorOf, nameIn, recall, remember, socketAddress } from './session.js'
import { statusLine } from './status.js'

const PANES = [
  { id: 'richtext', open: openRichText, name: 'default/welcome' },
  { id: 'query', open: openQuery, name: 'default/query' }
]

const form = document.querySelector('#session')
const people = document.querySelector('#people')
let opened = []

function connect({ server, token }) {
  for (const pane of opened) pane.close()
  const me = nameIn(token)
  const shared = { server: socketAddress(server), token: token.trim(), color: colorOf(me) }
  opened = PANES.map(({ id, open, name }) => {
    const pane = document.getElementById(id)
    const element = pane.querySelector('.editor')
    element.replaceChildren()
    return open(element, { ...shared, name, tell: statusLine(pane.querySelector('.status')) })
  })
  const refresh = () => showPeople(me, opened)
  for (const { awareness } of opened) awareness.on('change', refresh)
  refresh()
}

/** You first, then everybody else who has one of the documents open. */
function showPeople(me, panes) {
  const others = new Map()
  for (const { awareness } of panes) {
    for (const [client, { user }] of awareness.getStates()) {
      if (client !== awareness.clientID && user?.name) others.set(user.name, user.color)
    }
  }
  others.delete(me)
  people.replaceChildren(person(me, colorOf(me), true), ...[...others].sort().map(([name, color]) => person(name, color)))
}

function person(name, color, isMe = false) {
  const item = document.createElement('li')
  item.style.setProperty('--color', color)
  item.textContent = name
  item.classList.toggle('me', isMe)
  return item
}

form.addEventListener('submit', (event) => {
  event.preventDefault()
  const session = Object.fromEntries(new FormData(form))
  remember(session)
  connect(session)
})

const session = recall()
form.server.value = session.server
form.token.value = session.token
if (session.token) form.requestSubmit()
