// What the programs of this folder have in common: a server of its own for each, somebody who uses it, and the table.

import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import { Agent, createServer, request } from 'node:http'
import { cpus, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const ROOT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))
/** The program that is measured. */
export const PROGRAM = process.env.RONDO_BINARY ?? join(process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target'), 'release', 'rondo')
/** How often the small measures are taken. */
export const ROUNDS = Number(process.env.LOAD_ROUNDS ?? 200)
/** Rounds before those that count. */
export const WARM_UP = 20
const agent = new Agent({ keepAlive: true, maxSockets: 64 })

/** Milliseconds since a time of `process.hrtime.bigint()`. */
export const milliseconds = (since) => Number(process.hrtime.bigint() - since) / 1e6

/** The value that so large a share of the values does not exceed. */
export function percentile(values, share) {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}

/** Median and 95th percentile, in words. */
export const spread = (values) => `${percentile(values, 0.5).toFixed(1)} / ${percentile(values, 0.95).toFixed(1)} ms`

/** One request; answers when the whole answer is there, and says when it began. */
export function ask(url, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const began = process.hrtime.bigint()
    const sent = request(url, { method, headers, agent }, (answer) => {
      const firstByte = milliseconds(began)
      const pieces = []
      answer.on('data', (piece) => pieces.push(piece))
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, firstByte, text: Buffer.concat(pieces).toString() }))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** Small appended writes with fdatasync, one after the other, for two seconds. */
export async function measureDisk(folder) {
  const file = await open(join(folder, 'disk'), 'a')
  const took = []
  const began = process.hrtime.bigint()
  while (milliseconds(began) < 2_000) {
    const start = process.hrtime.bigint()
    await file.write(Buffer.alloc(4096, took.length))
    await file.datasync()
    took.push(milliseconds(start))
  }
  await file.close()
  return { perSecond: Math.round(took.length / 2), took }
}

async function freePort() {
  const listener = createServer()
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const { port } = listener.address()
  await new Promise((resolve) => listener.close(resolve))
  return port
}

/** The demonstration with these definitions, once it is ready; `tokenOf` makes a token for one of its people, `id` is its process. */
export async function startServer(folder, definitions, databaseUrl) {
  const environment = { ...process.env, RONDO_WORKFLOWS: definitions, RONDO_LOG_LEVEL: 'warn' }
  delete environment.DATABASE_URL
  if (databaseUrl) environment.DATABASE_URL = databaseUrl
  const data = join(folder, 'data')
  const url = `http://127.0.0.1:${await freePort()}`
  const server = spawn(PROGRAM, ['serve', '--demo', '--listen', url.slice('http://'.length), '--data', data], {
    env: environment,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = new Promise((resolve) => server.once('exit', resolve))
  const ready = () => ask(`${url}/readyz`).then((answer) => answer.status === 200, () => false)
  while (!(await ready())) {
    if (server.exitCode !== null) throw new Error('the server ended before it was ready')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const tokenOf = async (login) =>
    (await run(PROGRAM, ['token', 'create', '--user', login, '--data', data], { env: environment })).stdout.trim()
  const stop = async () => {
    server.kill('SIGTERM')
    await ended
  }
  return { url, id: server.pid, tokenOf, stop }
}

/** A person's view of the server: calls its interface and looks at pages. */
export class Person {
  static async of(server, login) {
    const person = new Person()
    Object.assign(person, { url: server.url, login })
    person.headers = { authorization: `Bearer ${await server.tokenOf(login)}`, 'content-type': 'application/json' }
    await person.signIn()
    return person
  }

  /** Posts to the interface; what it answers. */
  async post(path, value, headers = {}) {
    const body = JSON.stringify(value)
    const answer = await ask(`${this.url}/api/v1${path}`, { method: 'POST', headers: { ...this.headers, ...headers }, body })
    if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${answer.text}`)
    return JSON.parse(answer.text)
  }

  /** Puts something where it belongs. */
  async put(path, value) {
    const answer = await ask(`${this.url}/api/v1${path}`, { method: 'PUT', headers: this.headers, body: JSON.stringify(value) })
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${answer.text}`)
  }

  async get(path) {
    const answer = await ask(`${this.url}/api/v1${path}`, { headers: this.headers })
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`)
    return JSON.parse(answer.text)
  }

  async signIn() {
    const body = `login=${this.login}&password=rondo-demo-${this.login}&next=%2F`
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const answer = await ask(`${this.url}/ui/sign-in`, { method: 'POST', headers, body })
    if (answer.status >= 400) throw new Error(`signing in: ${answer.status} ${answer.text}`)
    this.cookie = (answer.headers['set-cookie'] ?? []).map((cookie) => cookie.split(';')[0]).join('; ')
  }

  /** How soon a page begins to arrive, round after round. */
  async firstBytes(path) {
    const took = []
    for (let round = -WARM_UP; round < ROUNDS; round += 1) {
      const answer = await ask(`${this.url}${path}`, { headers: { cookie: this.cookie, accept: 'text/html' } })
      if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`)
      if (round >= 0) took.push(answer.firstByte)
    }
    return took
  }
}

async function onPostgres(base, measure) {
  const name = `load_${randomBytes(6).toString('hex')}`
  await run('psql', [base, '-qc', `create database ${name}`])
  const url = new URL(base)
  url.pathname = `/${name}`
  try {
    return await measure(url.href)
  } finally {
    await run('psql', [base, '-qc', `drop database if exists ${name} with (force)`])
  }
}

/** Measures on SQLite, and on PostgreSQL where there is one, and prints a Markdown table. */
export async function report(measure) {
  const columns = { SQLite: await measure() }
  if (process.env.TEST_POSTGRES_URL) columns.PostgreSQL = await onPostgres(process.env.TEST_POSTGRES_URL, measure)
  const names = Object.keys(columns)
  const [first] = Object.values(columns)
  const machine = cpus()
  console.log(`${machine.length} processors (${machine[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GB, ${new Date().toISOString().slice(0, 10)}\n`)
  console.log(`| | ${names.join(' | ')} |`)
  console.log(`| --- | ${names.map(() => '---:').join(' | ')} |`)
  for (const row of Object.keys(first)) console.log(`| ${row} | ${names.map((name) => columns[name][row]).join(' | ')} |`)
  agent.destroy()
}
