// connect.mjs (connect | disconnect) STATE SERVICE…: makes the connections of these services in a portal, or takes them away.
//
// A service says in its connections.json which connections lead to it. What a setting begins with says what it is: $NAME a
// variable of the service's environment, #NAME such a number, @NAME the content of the file that such a variable names.
//
// The portal is RONDO_URL, and RONDO_TOKEN is of somebody who may change connections there. What was there before under the same
// name is kept in STATE/replaced.json and put back at the end, but for what has secrets, which no portal tells: that stays.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const [action, state, ...services] = process.argv.slice(2)
const portal = process.env.RONDO_URL
const token = process.env.RONDO_TOKEN

async function ask(method, path, body) {
  const answer = await fetch(`${portal}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
  return text ? JSON.parse(text) : null
}

/** The settings of a service as its start script left them. */
function environment(service) {
  const lines = readFileSync(`${state}/${service}/environment`, 'utf8').split('\n')
  return Object.fromEntries(lines.map((line) => /^export (\w+)='(.*)'$/.exec(line)).filter(Boolean).map(([, name, value]) => [name, value]))
}

function filled(value, variables) {
  if (Array.isArray(value)) return value.map((one) => filled(one, variables))
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, filled(one, variables)]))
  }
  const [, kind, name] = /^([$#@])([A-Z0-9_]+)$/.exec(value) ?? []
  if (!kind) return value
  if (!(name in variables)) throw new Error(`no service says what ${name} is`)
  if (kind === '@') return readFileSync(variables[name], 'utf8')
  return kind === '#' ? Number(variables[name]) : variables[name]
}

/** The connections that lead to a service: name, kind, settings. */
function connectionsOf(service) {
  const file = new URL(`${service}/connections.json`, import.meta.url)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []
}

const keptIn = `${state}/replaced.json`
const kept = existsSync(keptIn) ? JSON.parse(readFileSync(keptIn, 'utf8')) : {}
const there = (await ask('GET', '/connections')).items
const called = (name) => there.find((one) => one.name === name)
const writable = ({ name, kind, settings, namespaces, owner }) => ({
  name, kind, settings, namespaces, owner: owner && { kind: owner.kind, id: owner.id },
})

async function connect(service) {
  const me = await ask('GET', '/me')
  const variables = environment(service)
  for (const connection of connectionsOf(service)) {
    const before = called(connection.name)
    if (!(connection.name in kept)) kept[connection.name] = before ? writable(before) : null
    const owner = before?.owner ? writable(before).owner : { kind: 'user', id: me.id }
    const body = { ...connection, settings: filled(connection.settings, variables), namespaces: ['*'], owner }
    const made = await (before ? ask('PUT', `/connections/${before.id}`, body) : ask('POST', '/connections', body))
    const failed = made.lastCheck?.steps?.find((step) => !step.ok)
    console.log(`    connection ${connection.name} (${connection.kind})${failed ? `, which does not work: ${failed.detail}` : ''}`)
  }
}

const SECRETLESS = ['builtin', 'file']

async function disconnect(service) {
  for (const { name, kind } of connectionsOf(service)) {
    const now = called(name)
    if (!(name in kept) || now?.kind !== kind) continue
    const before = kept[name]
    if (!before) await ask('DELETE', `/connections/${now.id}`)
    else if (SECRETLESS.includes(before.kind)) await ask('PUT', `/connections/${now.id}`, before)
    else console.log(`    the connection ${name} was of kind ${before.kind}: enter its settings again`)
    delete kept[name]
  }
}

for (const service of services) await (action === 'connect' ? connect(service) : disconnect(service))
writeFileSync(keptIn, JSON.stringify(kept, null, 2))
