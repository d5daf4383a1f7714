// Serves the folder `public` on this machine: node serve.mjs [port]
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PORT = Number(process.argv[2] ?? 8480)
const FOLDER = fileURLToPath(new URL('public', import.meta.url))
const TYPES = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml' }

const server = createServer(async ({ url }, response) => {
  const { pathname } = new URL(url, 'http://localhost') // also takes `..` away
  const file = pathname === '/' ? '/index.html' : pathname
  try {
    const content = await readFile(join(FOLDER, file))
    response.writeHead(200, { 'content-type': `${TYPES[extname(file)] ?? 'application/octet-stream'}; charset=utf-8` })
    response.end(content)
  } catch {
    response.writeHead(404).end('not found')
  }
})
server.listen(PORT, '127.0.0.1', () => console.log(`Open http://127.0.0.1:${server.address().port}`))
server.on('error', ({ message }) => {
  console.error(message)
  process.exitCode = 1
})
