// Measures a fleet: a hundred runners of one server over the loopback, each a process with an enrolment, a session, a lease and
// a journal of its own. What they cost while there is nothing to do, how soon a process begins that a run is ready for, and
// how many a minute there can be; on SQLite, and on PostgreSQL where TEST_POSTGRES_URL names one. Needs nothing but Node.
//
//   RONDO_BINARY    the program (default: target/release/rondo)
//   FLEET_RUNNERS   how many runners (default: 100)
//   FLEET_RATE      how many tasks a minute they are given at first (default: 1,200)
//   FLEET_SECONDS   how long each of the three is measured (default: 60)

import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PROGRAM, Person, ask, measureDisk, milliseconds, report, spread, startServer } from './rig/index.mjs'

const RUNNERS = Number(process.env.FLEET_RUNNERS ?? 100)
const RATE = Number(process.env.FLEET_RATE ?? 1_200)
const SECONDS = Number(process.env.FLEET_SECONDS ?? 60)
/** Runs under way where there are as many as can be. */
const CROWD = 64
/** Of the system, in a second of a processor. */
const TICKS = 100
const PAGE = 4_096

const pause = (time) => new Promise((resolve) => setTimeout(resolve, time))
const number = (value) => value.toLocaleString('en', { maximumFractionDigits: 0 })

/** Its process says when it began. */
const definition = {
  document: { dsl: '1.0.3', namespace: 'fleet', name: 'far', version: '1.0.0', title: 'Far' },
  do: [{ tell: { run: { shell: { command: 'date +%s%N' } }, metadata: { rondo: { runner: { labels: ['far'] } } } } }],
}

/** Seconds of a processor that processes have used so far. */
async function used(ids) {
  let ticks = 0
  for (const id of ids) {
    const fields = (await readFile(`/proc/${id}/stat`, 'utf8')).split(') ').pop().split(' ')
    ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks / TICKS
}

/** Resident memory in MiB. */
const memory = async (id) => (Number((await readFile(`/proc/${id}/statm`, 'utf8')).split(' ')[1]) * PAGE) / 2 ** 20

/** Requests of runners that a server has answered. */
async function answered(server) {
  const { text } = await ask(`${server.url}/metrics`)
  const lines = text.split('\n').filter((line) => line.startsWith('rondo_http_requests_total{') && line.includes('"/api/v1/runner/'))
  return lines.reduce((sum, line) => sum + Number(line.split(' ').pop()), 0)
}

/** What something takes of the server: its result, the seconds, and how much of one processor, in words. */
async function watched(server, some) {
  const [before, began] = [await used([server.id]), process.hrtime.bigint()]
  const result = await some()
  const seconds = milliseconds(began) / 1_000
  return { result, seconds, share: percent((await used([server.id])) - before, seconds) }
}

const percent = (part, whole) => `${((part / whole) * 100).toFixed(1)} %`

/** Runners at work, each with its folder. */
class Fleet {
  static async start(server, admin, folder) {
    const fleet = new Fleet()
    fleet.processes = []
    for (let index = 1; index <= RUNNERS; index += 1) {
      const name = `far-${index}`
      const { token } = await admin.post('/runners', { name, labels: ['far'], namespaces: ['fleet'] })
      const environment = { ...process.env, RONDO_RUNNER_TOKEN: token, RONDO_LOG_LEVEL: 'warn' }
      const options = ['runner', '--server', server.url, '--data', join(folder, name)]
      fleet.processes.push(spawn(PROGRAM, options, { env: environment, stdio: ['ignore', 'ignore', 'inherit'] }))
    }
    fleet.ids = fleet.processes.map((process) => process.pid)
    return fleet
  }

  async stop() {
    const running = this.processes.filter((process) => process.exitCode === null)
    const ended = running.map((process) => new Promise((resolve) => process.once('exit', resolve)))
    for (const process of running) process.kill('SIGTERM')
    await Promise.all(ended)
  }
}

async function launch(person) {
  const began = process.hrtime.bigint()
  const run = await person.post('/workflows/fleet/far/runs', { input: {} }, { prefer: 'wait=60' })
  if (run.status !== 'completed') throw new Error(`R-${run.number} is ${run.status}`)
  return { id: run.id, took: milliseconds(began) }
}

/** Runs that come at their times, whatever became of those before. */
async function steady(person) {
  const began = process.hrtime.bigint()
  const runs = []
  for (let index = 0; index < (RATE * SECONDS) / 60; index += 1) {
    await pause(Math.max(0, (index * 60_000) / RATE - milliseconds(began)))
    runs.push(launch(person))
  }
  return Promise.all(runs)
}

/** As many runs as there can be. */
async function crowded(person) {
  const began = process.hrtime.bigint()
  let count = 0
  const worker = async () => {
    while (milliseconds(began) < SECONDS * 1_000) {
      await launch(person)
      count += 1
    }
  }
  await Promise.all(Array.from({ length: CROWD }, worker))
  return count
}

async function measure(databaseUrl) {
  const folder = await mkdtemp(join(tmpdir(), 'rondo-fleet-'))
  const definitions = join(folder, 'workflows')
  await mkdir(definitions)
  await writeFile(join(definitions, 'far.json'), JSON.stringify(definition))
  const disk = await measureDisk(folder)
  const server = await startServer(folder, definitions, databaseUrl)
  let fleet
  try {
    const [admin, staff] = [await Person.of(server, 'admin'), await Person.of(server, 'staff')]
    await admin.put('/process-permissions/fleet', {})
    fleet = await Fleet.start(server, admin, folder)
    const atWork = async () => (await admin.get('/runners')).items.every((runner) => runner.online)
    while (!(await atWork())) await pause(200)

    const [asked, own] = [await answered(server), await used(fleet.ids)]
    const idle = await watched(server, () => pause(SECONDS * 1_000))
    const [requests, runners] = [(await answered(server)) - asked, (await used(fleet.ids)) - own]
    const held = `${number(await memory(server.id))} / ${number(await memory(fleet.ids[0]))} MiB`

    const given = await watched(server, () => steady(staff))
    const waits = []
    for (const { id } of given.result) {
      const begun = Number((await staff.get(`/runs/${id}`)).output) / 1e6
      const [task] = (await staff.get(`/runs/${id}/tasks`)).items
      waits.push(begun - Date.parse(task.startedAt))
    }
    const crowd = await watched(server, () => crowded(staff))
    return {
      'Disk: 4 kB written and synced, p50 / p95': spread(disk.took),
      [`${RUNNERS} runners idle: requests a second`]: (requests / idle.seconds).toFixed(1),
      [`${RUNNERS} runners idle: the server, of one processor`]: idle.share,
      [`${RUNNERS} runners idle: all of them, of one processor`]: percent(runners, idle.seconds),
      'Memory of the server / of a runner': held,
      [`${number(RATE)} tasks a minute given: ended a minute`]: number((given.result.length * 60) / given.seconds),
      'From ready to begun, p50 / p95': spread(waits),
      'From launch to completion, p50 / p95': spread(given.result.map((run) => run.took)),
      'The server meanwhile, of one processor': given.share,
      [`${CROWD} at once: tasks a minute`]: number((crowd.result * 60) / crowd.seconds),
      'The server meanwhile, of one processor ': crowd.share,
    }
  } finally {
    await fleet?.stop()
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

await report(measure)
