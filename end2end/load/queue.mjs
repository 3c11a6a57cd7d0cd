// Measures the pages of people who have much to read: a queue of 10,000 pending decisions, and 500 published definitions.
// How soon each page begins to arrive, on SQLite, and on PostgreSQL where TEST_POSTGRES_URL names one. Needs nothing but Node.
//
//   RONDO_BINARY     the program (default: target/release/rondo)
//   LOAD_ROUNDS      how many times each page is fetched (default: 200)
//   QUEUE_DECISIONS  how many decisions wait (default: 10,000)

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Person, measureDisk, report, spread, startServer } from './rig/index.mjs'

const run = promisify(execFile)
const DECISIONS = Number(process.env.QUEUE_DECISIONS ?? 10_000)
const DEFINITIONS = 500
const AT_ONCE = 32

/** One of many requests that somebody has to approve. */
function definition(index) {
  return {
    document: {
      dsl: '1.0.3',
      namespace: 'queue',
      name: `access-${index}`,
      version: '1.0.0',
      title: `Access to system ${index}`,
      summary: `Asks the owner of system ${index}, then gives access for the days that were asked for.`,
    },
    input: {
      schema: {
        format: 'json',
        document: { type: 'object', required: ['days'], properties: { days: { type: 'integer', minimum: 1, title: 'Days' } } },
      },
    },
    do: [
      { ask: { call: 'approval', with: { title: 'Give access', approvers: { managerOf: 'requester' }, quorum: 1 } } },
      { give: { set: { given: true } } },
    ],
  }
}

/** Does something so many times, some of them at once. */
async function times(count, some) {
  let next = 0
  const worker = async () => {
    while (next < count) {
      const index = next
      next += 1
      await some(index)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

/** A page of what waits for somebody. */
const queue = (person, cursor = '') => person.get(`/approvals?state=pending&mine=true&limit=200&cursor=${cursor}`)

/** How much waits for somebody. */
async function waiting(person) {
  let count = 0
  let cursor = ''
  do {
    const page = await queue(person, cursor)
    count += page.items.length
    cursor = page.next
  } while (cursor)
  return count
}

async function measure(databaseUrl) {
  const folder = await mkdtemp(join(tmpdir(), 'rondo-queue-'))
  const definitions = join(folder, 'workflows')
  await mkdir(definitions)
  for (let index = 0; index < DEFINITIONS; index += 1) {
    await writeFile(join(definitions, `access-${index}.json`), JSON.stringify(definition(index)))
  }
  const disk = await measureDisk(folder)
  const server = await startServer(folder, definitions, databaseUrl)
  try {
    const staff = await Person.of(server, 'staff')
    const manager = await Person.of(server, 'manager')
    const author = await Person.of(server, 'author')
    await times(DECISIONS, (index) => staff.post(`/workflows/queue/access-${index % DEFINITIONS}/runs`, { input: { days: 1 + (index % 30) } }))
    while ((await waiting(manager)) < DECISIONS) await new Promise((resolve) => setTimeout(resolve, 200))
    // As PostgreSQL does by itself soon after so much has come: until then its plans are guesses.
    if (databaseUrl) await run('psql', [databaseUrl, '-qc', 'vacuum analyze'])
    const [one] = (await queue(manager)).items
    return {
      'Disk: 4 kB written and synced, p50 / p95': spread(disk.took),
      [`Queue of ${DECISIONS.toLocaleString('en')} decisions, first byte, p50 / p95`]: spread(await manager.firstBytes('/approvals')),
      'One of them, first byte, p50 / p95': spread(await manager.firstBytes(`/approvals/${one.id}`)),
      'Home of who decides, first byte, p50 / p95': spread(await manager.firstBytes('/')),
      'Requests of who asked for all, first byte, p50 / p95': spread(await staff.firstBytes('/requests')),
      [`Catalogue of ${DEFINITIONS} workflows, first byte, p50 / p95`]: spread(await staff.firstBytes('/catalogue')),
      [`${DEFINITIONS} definitions, first byte, p50 / p95`]: spread(await author.firstBytes('/definitions')),
      'One of them, first byte, p50 / p95 ': spread(await author.firstBytes('/definitions/queue/access-7/1.0.0')),
    }
  } finally {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

await report(measure)
