/** What a JSON Schema says of a place. Schemas are looked at as a whole: of alternatives all are meant. */

import type { Path } from './outline.ts'

export interface Schema {
  $ref?: string
  $defs?: Record<string, Schema>
  title?: string
  description?: string
  type?: string | string[]
  const?: unknown
  enum?: unknown[]
  properties?: Record<string, Schema>
  patternProperties?: Record<string, Schema>
  additionalProperties?: Schema | boolean
  items?: Schema | boolean
  required?: string[]
  allOf?: Schema[]
  anyOf?: Schema[]
  oneOf?: Schema[]
  if?: Schema
  then?: Schema
  else?: Schema
}

/** What may be written at a place. */
export interface Name {
  name: string
  description: string
  required: boolean
}

/** The schema and all that it is put together of. */
function all(root: Schema, schema: Schema): Schema[] {
  const found = new Set<Schema>()
  const add = (part: Schema | undefined): void => {
    if (!part || found.has(part)) return
    found.add(part)
    if (part.$ref) add(resolve(root, part.$ref))
    for (const parts of [part.allOf, part.anyOf, part.oneOf]) parts?.forEach(add)
    add(part.then)
    add(part.else)
  }
  add(schema)
  return [...found]
}

function resolve(root: Schema, reference: string): Schema | undefined {
  if (!reference.startsWith('#')) return undefined
  let at: unknown = root
  for (const token of reference.slice(1).split('/').filter(Boolean)) {
    at = (at as Record<string, unknown> | undefined)?.[token.replaceAll('~1', '/').replaceAll('~0', '~')]
  }
  return at as Schema | undefined
}

const isSchema = (schema: Schema | boolean | undefined): schema is Schema => typeof schema === 'object'

function step(root: Schema, schemas: Schema[], name: string): Schema[] {
  const next = schemas.flatMap((schema) => {
    if (name === '*') return [schema.items]
    const own = schema.properties?.[name]
    if (own) return [own]
    const patterns = Object.entries(schema.patternProperties ?? {}).filter(([pattern]) => new RegExp(pattern, 'u').test(name))
    return [...patterns.map(([, schema]) => schema), schema.additionalProperties]
  })
  return next.filter(isSchema).flatMap((schema) => all(root, schema))
}

/** All that is said of the value at a path. */
export function at(root: Schema, path: Path): Schema[] {
  return path.reduce((schemas, name) => step(root, schemas, name), all(root, root))
}

/** The names that an object may have, those that it must have first. */
export function names(schemas: Schema[]): Name[] {
  const found = new Map<string, Name>()
  for (const schema of schemas) {
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      const known = found.get(name)
      const required = (known?.required ?? false) || (schema.required?.includes(name) ?? false)
      const description = known?.description || property.description || property.title || ''
      found.set(name, { name, description, required })
    }
  }
  return [...found.values()].sort((one, other) => Number(other.required) - Number(one.required))
}

/** The values that are listed. */
export function values(schemas: Schema[]): string[] {
  const found = schemas.flatMap((schema) => [
    ...(schema.enum ?? []),
    ...(schema.const === undefined ? [] : [schema.const]),
    ...(schema.type === 'boolean' ? [true, false] : []),
  ])
  return [...new Set(found.filter((value) => value !== null && typeof value !== 'object').map(String))]
}

/** What is said of a value in words. */
export function description(schemas: Schema[]): string {
  return schemas.find((schema) => schema.description)?.description ?? schemas.find((schema) => schema.title)?.title ?? ''
}
