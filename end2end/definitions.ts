import { readFileSync } from 'node:fs'
import type { Page as List, Rest } from './rest.ts'

/** Words of the interface, as they stand in its locales. */
export type Words = Record<string, string>

export function words(language: 'en' | 'ko', area: string): Words {
  return JSON.parse(readFileSync(new URL(`../app/locales/${language}/${area}.json`, import.meta.url), 'utf8')) as Words
}

export interface Saved {
  digest: string
  diagnostics: { line: number; column: number; message: string }[]
}

/** The address of a version for REST. */
export const versionPath = (workflow: string, version: string): string => {
  const [namespace, name] = workflow.split('/')
  return `/workflows/${namespace}/${name}/versions/${version}`
}

/** Gives a person the role publisher everywhere, which nobody of the demonstration organisation holds. */
export async function makePublisher(admin: Rest, login: string): Promise<void> {
  const { body } = await admin.get<List<{ id: string; login: string }>>(`/users?search=${login}`)
  const person = body.items.find((person) => person.login === login)
  const { status } = await admin.post('/grants', { subject: { kind: 'user', id: person?.id }, role: 'publisher', scope: '*' })
  if (status !== 201) throw new Error(`${login} cannot be made a publisher: ${status}`)
}

/** Saves a new draft; anything but success is an error. */
export async function draft(author: Rest, workflow: string, version: string, source: string): Promise<Saved> {
  const { status, body } = await author.put<Saved>(versionPath(workflow, version), { source })
  if (status !== 200) throw new Error(`${workflow} ${version} was not saved: ${status} ${JSON.stringify(body)}`)
  return body
}

/** Gives a draft to review; the digest of what is reviewed. */
export async function submit(author: Rest, workflow: string, version: string): Promise<string> {
  const { status, body } = await author.post<{ digest: string }>(`${versionPath(workflow, version)}/submit`, {})
  if (status !== 200) throw new Error(`${workflow} ${version} was not submitted: ${status} ${JSON.stringify(body)}`)
  return body.digest
}

/** Writes, submits and publishes a version. */
export async function publish(author: Rest, publisher: Rest, workflow: string, version: string, source: string): Promise<void> {
  await draft(author, workflow, version, source)
  const digest = await submit(author, workflow, version)
  const { status, body } = await publisher.post(`${versionPath(workflow, version)}/publish`, { digest })
  if (status !== 200) throw new Error(`${workflow} ${version} was not published: ${status} ${JSON.stringify(body)}`)
}

/** A definition that lends a laptop, for at most so many days. */
export function lendLaptop(workflow: string, version: string, days: number): string {
  const [namespace, name] = workflow.split('/')
  return `document:
  dsl: 1.0.3
  namespace: ${namespace}
  name: ${name}
  version: ${version}
  title: Lend a laptop
  summary: Lends a laptop of the pool for some days. Your manager decides.
  metadata:
    rondo: {category: access, risk: medium, owner: it-operations}
input:
  schema:
    format: json
    document:
      type: object
      required: [model, days]
      properties:
        model: {type: string, title: Model, enum: [light, strong]}
        days: {type: integer, title: Days, minimum: 1, maximum: ${days}}
        note: {type: string, title: What for, maxLength: 200}
do:
  - managerDecides:
      call: approval
      with:
        approvers: {managerOf: requester}
        title: \${ "A laptop for " + ($workflow.input.days | tostring) + " days" }
      metadata: {title: Manager decides}
  - howLong:
      switch:
        - long: {when: "\${ $workflow.input.days > 14 }", then: insure}
        - short: {then: lend}
      metadata: {title: How long}
  - insure:
      set: {insured: true}
      metadata: {title: Insure the laptop}
  - lend:
      set: {lent: true}
      metadata: {title: Lend the laptop}
`
}
