// Git over HTTP and HTTPS: git's own `git http-backend`, a CGI program, behind a sign-in. Repositories are the folders below
// GIT_ROOT; they are read only. Below /old/ the same ones are served as by a server of before 2018, which knows only
// version 0 of the protocol.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'

const { GIT_ROOT, GIT_PORT, GIT_TLS_PORT, GIT_TLS, GIT_USER, GIT_PASSWORD, PATH } = process.env
const HOST = '127.0.0.1'
const OLD = '/old'
const AUTHORIZATION = `Basic ${Buffer.from(`${GIT_USER}:${GIT_PASSWORD}`).toString('base64')}`

// What the program is told of a request; nothing of the configuration of whoever runs this counts.
const environment = (request, url, old) => ({
  PATH,
  GIT_PROJECT_ROOT: GIT_ROOT,
  GIT_HTTP_EXPORT_ALL: '1',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  PATH_INFO: decodeURIComponent(url.pathname.slice(old ? OLD.length : 0)),
  QUERY_STRING: url.search.slice(1),
  REQUEST_METHOD: request.method,
  REMOTE_ADDR: request.socket.remoteAddress,
  CONTENT_TYPE: request.headers['content-type'] ?? '',
  ...(request.headers['content-length'] && { CONTENT_LENGTH: request.headers['content-length'] }),
  ...(request.headers['content-encoding'] && { HTTP_CONTENT_ENCODING: request.headers['content-encoding'] }),
  ...(!old && request.headers['git-protocol'] && { GIT_PROTOCOL: request.headers['git-protocol'] }),
})

// Hands on what the program writes: headers, among them `Status`, an empty line, the content.
const answer = (program, response) => {
  let head = Buffer.alloc(0)
  program.stdout.on('data', (chunk) => {
    if (response.headersSent) return void response.write(chunk)
    head = Buffer.concat([head, chunk])
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) return
    for (const line of head.subarray(0, end).toString('latin1').split('\r\n')) {
      const [, name, value] = /^([^:]+):\s*(.*)$/.exec(line) ?? []
      if (name?.toLowerCase() === 'status') response.statusCode = Number.parseInt(value)
      else if (name) response.setHeader(name, value)
    }
    response.flushHeaders()
    response.write(head.subarray(end + 4))
  })
  program.stdout.on('end', () => {
    if (!response.headersSent) response.statusCode = 500
    response.end()
  })
}

const serve = (request, response) => {
  if (request.headers.authorization !== AUTHORIZATION) {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="lab"' }).end('sign in')
    return
  }
  let env
  try {
    const url = new URL(request.url, `http://${HOST}`)
    env = environment(request, url, url.pathname.startsWith(`${OLD}/`))
  } catch {
    response.writeHead(400).end('no such address')
    return
  }
  const program = spawn('git', ['http-backend'], { env, stdio: ['pipe', 'pipe', 'inherit'] })
  program.on('error', (error) => response.destroy(error))
  // Either side may hang up before the other is done.
  program.stdin.on('error', () => {})
  response.on('close', () => program.kill())
  request.pipe(program.stdin)
  answer(program, response)
}

createServer(serve).listen(Number(GIT_PORT), HOST)
createSecureServer(
  { key: readFileSync(`${GIT_TLS}/key.pem`), cert: readFileSync(`${GIT_TLS}/cert.pem`) },
  serve,
).listen(Number(GIT_TLS_PORT), HOST)
