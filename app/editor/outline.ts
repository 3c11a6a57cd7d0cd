/**
 * Where in a YAML text a line stands, told by indentation alone: a text that is being written is seldom one that a parser
 * would take. What is written in braces on one line is not looked into.
 */

/** A step to a value: a name, or `*` for an item of a list. */
export type Path = string[]

/** A step, with the line and column at which it is written. */
export interface Step {
  name: string
  row: number
  column: number
}

/** What a line begins with: the columns of its dashes, and the name with its column. */
interface Head {
  dashes: number[]
  column: number
  name: string | undefined
  /** What follows the name, or all of it where there is none. */
  value: string
}

const LINE = /^(\s*)((?:- +)*)(?:(["']?)([^\s"'#:{}[\],&*!|>%@`-][^"'#:{}[\]]*?)\3:(?=\s|$)\s*(.*))?/

/** The head of a line; nothing for empty lines and comments. */
export function head(line: string): Head | undefined {
  if (/^\s*(#|$)/.test(line)) return undefined
  const [, blank = '', items = '', , name, value = ''] = LINE.exec(line) ?? []
  const dashes = [...items.matchAll(/-/g)].map((dash) => blank.length + dash.index)
  const column = blank.length + items.length
  return { dashes, column, name, value: name === undefined ? line.slice(column) : value }
}

/** The steps to the mapping in which a name would be that begins at a column of a line. */
export function stepsTo(lines: readonly string[], row: number, column: number): Step[] {
  const steps: Step[] = []
  let edge = column
  // A list may stand as far left as the name that it belongs to.
  let inItem = false
  const enter = (dashes: number[], row: number): void => {
    for (const dash of [...dashes].reverse()) {
      if (dash < edge) {
        steps.unshift({ name: '*', row, column: dash })
        edge = dash
        inItem = true
      }
    }
  }
  enter(head(lines[row] ?? '')?.dashes ?? [], row)
  for (let above = row - 1; above >= 0 && (edge > 0 || inItem); above -= 1) {
    const line = head(lines[above] ?? '')
    if (!line) continue
    if (line.name !== undefined && (line.column < edge || (inItem && line.column === edge))) {
      steps.unshift({ name: line.name, row: above, column: line.column })
      edge = line.column
      inItem = false
    }
    enter(line.dashes, above)
  }
  return steps
}

/** The names of the mapping in which a column of a line stands, with what follows each on its line. */
export function siblings(lines: readonly string[], row: number, column: number): Map<string, string> {
  const found = new Map<string, string>()
  const add = ({ column: at, name, value }: Head): void => {
    if (at === column && name !== undefined) found.set(name, value.trim())
  }
  const begins = ({ dashes }: Head): boolean => dashes.some((dash) => dash < column)
  for (let above = row; above >= 0; above -= 1) {
    const line = head(lines[above] ?? '')
    if (!line) continue
    if (line.column < column && above !== row) break
    add(line)
    if (begins(line)) break
  }
  for (let below = row + 1; below < lines.length; below += 1) {
    const line = head(lines[below] ?? '')
    if (!line) continue
    if (line.column < column || begins(line)) break
    add(line)
  }
  return found
}
