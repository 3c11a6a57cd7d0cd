// Measures a whole server: launch to completion of a run, chains and crowds of calls, and how soon a page begins to
// arrive; on SQLite, and on PostgreSQL where TEST_POSTGRES_URL names one (scripts/with-services). The disk is measured
// in the same run, since every durable step is one of its commits. Prints a Markdown table; needs nothing but Node.
//
//   RONDO_BINARY   the program (default: target/release/rondo)
//   LOAD_ROUNDS    how many times the small measures are taken (default: 200)

import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { Agent, createServer, request } from 'node:http'
import { cpus, tmpdir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const PROGRAM = process.env.RONDO_BINARY ?? join(process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target'), 'release', 'rondo')
const ROUNDS = Number(process.env.LOAD_ROUNDS ?? 200)
const CHAIN = 40
const CROWD = 64
const CROWD_CALLS = 10
const WARM_UP = 20
const agent = new Agent({ keepAlive: true, maxSockets: CROWD })

const milliseconds = (since) => Number(process.hrtime.bigint() - since) / 1e6

function percentile(values, share) {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}

const spread = (values) => `${percentile(values, 0.5).toFixed(1)} / ${percentile(values, 0.95).toFixed(1)} ms`

/** A definition of so many calls of the target, one after the other. */
function definition(name, calls) {
  const call = (index) => ({ [`call${index}`]: { call: 'http', with: { method: 'get', endpoint: '${ $workflow.input.url }' } } })
  return {
    document: { dsl: '1.0.3', namespace: 'load', name, version: '1.0.0', title: `${calls} calls` },
    input: {
      schema: {
        format: 'json',
        document: { type: 'object', required: ['url'], properties: { url: { type: 'string', format: 'uri' } } },
      },
    },
    do: Array.from({ length: calls }, (_, index) => call(index + 1)),
  }
}

/** One request; answers when the whole answer is there, and says when it began. */
function ask(url, { method = 'GET', headers = {}, body } = {}) {
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
async function measureDisk(folder) {
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

async function startServer(folder, definitions, databaseUrl) {
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
  const { stdout } = await run(PROGRAM, ['token', 'create', '--user', 'staff', '--data', data], { env: environment })
  const stop = async () => {
    server.kill('SIGTERM')
    await ended
  }
  return { url, token: stdout.trim(), stop }
}

/** A person's view of the server: launches, waits for the end and looks at pages. */
class Person {
  constructor({ url, token }) {
    this.url = url
    this.headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  }

  async launch(name, target) {
    const body = JSON.stringify({ input: { url: target } })
    const headers = { ...this.headers, prefer: 'wait=60' }
    const answer = await ask(`${this.url}/api/v1/workflows/load/${name}/runs`, { method: 'POST', headers, body })
    if (answer.status !== 201) throw new Error(`launching ${name}: ${answer.status} ${answer.text}`)
    const run = JSON.parse(answer.text)
    if (run.status !== 'completed') throw new Error(`R-${run.number} is ${run.status}`)
    return run
  }

  async throughTo(name, target) {
    const began = process.hrtime.bigint()
    await this.launch(name, target)
    return milliseconds(began)
  }

  async signIn() {
    const body = 'login=staff&password=rondo-demo-staff&next=%2F'
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const answer = await ask(`${this.url}/ui/sign-in`, { method: 'POST', headers, body })
    if (answer.status >= 400) throw new Error(`signing in: ${answer.status} ${answer.text}`)
    this.cookie = (answer.headers['set-cookie'] ?? []).map((cookie) => cookie.split(';')[0]).join('; ')
  }

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

async function measure(databaseUrl) {
  const folder = await mkdtemp(join(tmpdir(), 'rondo-load-'))
  const definitions = join(folder, 'workflows')
  await mkdir(definitions)
  for (const [name, calls] of [['one', 1], ['chain', CHAIN], ['crowd', CROWD_CALLS]]) {
    await writeFile(join(definitions, `${name}.json`), JSON.stringify(definition(name, calls)))
  }
  const target = createServer((_, answer) => answer.setHeader('content-type', 'application/json').end('{}'))
  await new Promise((resolve) => target.listen(0, '127.0.0.1', resolve))
  const targetUrl = `http://127.0.0.1:${target.address().port}/`
  const disk = await measureDisk(folder)
  const server = await startServer(folder, definitions, databaseUrl)
  try {
    const person = new Person(server)
    const singles = []
    for (let round = -WARM_UP; round < ROUNDS; round += 1) {
      const took = await person.throughTo('one', targetUrl)
      if (round >= 0) singles.push(took)
    }
    const chains = []
    for (let round = 0; round < 5; round += 1) chains.push(await person.throughTo('chain', targetUrl))
    const crowds = []
    for (let round = 0; round < 3; round += 1) {
      const began = process.hrtime.bigint()
      await Promise.all(Array.from({ length: CROWD }, () => person.throughTo('crowd', targetUrl)))
      crowds.push(milliseconds(began))
    }
    const last = await person.launch('chain', targetUrl)
    await person.signIn()
    const catalogue = await person.firstBytes('/catalogue')
    const page = await person.firstBytes(`/runs/${last.number}`)
    const chain = percentile(chains, 0.5)
    const crowd = percentile(crowds, 0.5)
    return {
      'Disk: 4 kB written and synced, p50 / p95': spread(disk.took),
      'Disk: such writes per second': `${disk.perSecond}`,
      'Run of one call, launch to completion, p50 / p95': spread(singles),
      [`Chain of ${CHAIN} calls, median of 5`]: `${chain.toFixed(0)} ms (${(chain / CHAIN).toFixed(1)} ms a call)`,
      [`${CROWD} runs of ${CROWD_CALLS} calls at once, median of 3`]: `${crowd.toFixed(0)} ms (${Math.round((CROWD * CROWD_CALLS * 1000) / crowd)} calls/s)`,
      'Catalogue, first byte, p50 / p95': spread(catalogue),
      [`Page of a run of ${CHAIN} tasks, first byte, p50 / p95`]: spread(page),
    }
  } finally {
    await server.stop()
    target.closeAllConnections()
    target.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function onPostgres(base) {
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

const columns = { SQLite: await measure() }
if (process.env.TEST_POSTGRES_URL) columns.PostgreSQL = await onPostgres(process.env.TEST_POSTGRES_URL)
const names = Object.keys(columns)
const [first] = Object.values(columns)
const machine = cpus()
console.log(`${machine.length} processors (${machine[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GB, ${new Date().toISOString().slice(0, 10)}\n`)
console.log(`| | ${names.join(' | ')} |`)
console.log(`| --- | ${names.map(() => '---:').join(' | ')} |`)
for (const row of Object.keys(first)) console.log(`| ${row} | ${names.map((name) => columns[name][row]).join(' | ')} |`)
agent.destroy()
