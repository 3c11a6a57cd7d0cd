/** What the language of definitions says of a place in a text: the language itself, and the functions that are called. */

import { type Path, type Step, head, siblings, stepsTo } from './outline.ts'
import { type Name, type Schema, at, description, names, values } from './schema.ts'

/** As the server tells it. */
export interface Language {
  schema: Schema
  /** By the name of the function: the schema of its `with`, and the system that it touches. */
  functions: Record<string, { schema: Schema; system: string }>
}

export type Help = { kind: 'names'; names: Name[] } | { kind: 'values'; values: { value: string; description: string }[] }

/** The schemas of what some steps lead to: those of a function's arguments where they lead into its `with`. */
function schemasOf(language: Language, lines: readonly string[], steps: Step[], ...more: Path): Schema[] {
  const path = [...steps.map(({ name }) => name), ...more]
  const argument = steps.findLastIndex(({ name }) => name === 'with')
  const within = steps[argument]
  const called = within && siblings(lines, within.row, within.column).get('call')
  const known = called === undefined ? undefined : language.functions[called]
  return known ? at(known.schema, path.slice(argument + 1)) : at(language.schema, path)
}

/** What may be written where a word begins. */
export function help(language: Language, lines: readonly string[], row: number, column: number): Help | undefined {
  const line = lines[row] ?? ''
  const before = line.slice(0, column)
  const value = /^(\s*(?:- +)*)(["']?)([^\s"'#:]+)\2:\s+$/.exec(before)
  if (value) {
    const name = value[3] ?? ''
    const start = (value[1] ?? '').length
    if (name === 'call') {
      const functions = Object.entries(language.functions)
      return { kind: 'values', values: functions.map(([value, { system }]) => ({ value, description: system })) }
    }
    const found = values(schemasOf(language, lines, stepsTo(lines, row, start), name))
    return found.length > 0 ? { kind: 'values', values: found.map((value) => ({ value, description: '' })) } : undefined
  }
  if (!/^\s*(?:- +)*$/.test(before)) return undefined
  const taken = siblings(lines, row, column)
  taken.delete(head(line)?.name ?? '')
  const found = names(schemasOf(language, lines, stepsTo(lines, row, column))).filter(({ name }) => !taken.has(name))
  return found.length > 0 ? { kind: 'names', names: found } : undefined
}

/** What the name at a place means; empty where nothing is known. */
export function meaning(language: Language, lines: readonly string[], row: number, column: number): string {
  const line = head(lines[row] ?? '')
  if (line?.name === undefined || column < line.column || column > line.column + line.name.length) return ''
  return description(schemasOf(language, lines, stepsTo(lines, row, line.column), line.name))
}
