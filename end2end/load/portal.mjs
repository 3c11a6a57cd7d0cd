// Measures a whole server: launch to completion of a run, chains and crowds of calls, and how soon a page begins to
// arrive; on SQLite, and on PostgreSQL where TEST_POSTGRES_URL names one (scripts/with-services). The disk is measured
// in the same run, since every durable step is one of its commits. Prints a Markdown table; needs nothing but Node.
//
//   RONDO_BINARY   the program (default: target/release/rondo)
//   LOAD_ROUNDS    how many times the small measures are taken (default: 200)

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Person, ROUNDS, WARM_UP, measureDisk, milliseconds, percentile, report, spread, startServer } from './rig/index.mjs'

const CHAIN = 40
const CROWD = 64
const CROWD_CALLS = 10

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

async function launch(person, name, target) {
  const run = await person.post(`/workflows/load/${name}/runs`, { input: { url: target } }, { prefer: 'wait=60' })
  if (run.status !== 'completed') throw new Error(`R-${run.number} is ${run.status}`)
  return run
}

async function throughTo(person, name, target) {
  const began = process.hrtime.bigint()
  await launch(person, name, target)
  return milliseconds(began)
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
    const person = await Person.of(server, 'staff')
    const singles = []
    for (let round = -WARM_UP; round < ROUNDS; round += 1) {
      const took = await throughTo(person, 'one', targetUrl)
      if (round >= 0) singles.push(took)
    }
    const chains = []
    for (let round = 0; round < 5; round += 1) chains.push(await throughTo(person, 'chain', targetUrl))
    const crowds = []
    for (let round = 0; round < 3; round += 1) {
      const began = process.hrtime.bigint()
      await Promise.all(Array.from({ length: CROWD }, () => throughTo(person, 'crowd', targetUrl)))
      crowds.push(milliseconds(began))
    }
    const last = await launch(person, 'chain', targetUrl)
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

await report(measure)
