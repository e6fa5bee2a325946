/**
 * Source maps, as far as one function needs them: the few entries for its own lines are read out of the map of a whole file,
 * and written as a map of their own. All lines and columns are from 0.
 */

/** Code from here on, until the next entry, was written there. */
export interface MapEntry {
  readonly line: number
  readonly column: number
  /** One of the map's sources. */
  readonly source: number
  readonly sourceLine: number
  readonly sourceColumn: number
  /** One of the map's names; -1 for none. */
  readonly name: number
}

export interface Position {
  readonly line: number
  readonly column: number
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const VALUES = new Int8Array(128).fill(-1)
for (let i = 0; i < DIGITS.length; i++) VALUES[DIGITS.charCodeAt(i)] = i

const COMMA = 0x2c
const SEMICOLON = 0x3b

/**
 * The entries for the text that stands from `start` up to the end of line `lastLine`, with their lines and columns counted
 * from where it starts. The first is for the very start. What the map says of code that nobody wrote is left out.
 */
export function readMappings(mappings: string, start: Position, lastLine: number): MapEntry[] {
  const entries: MapEntry[] = []
  // Each number is told by its difference from the one before, so what comes ahead of the text is read as well.
  const fields = [0, 0, 0, 0, 0]
  let atStart: MapEntry | undefined
  let line = 0
  let place = 0
  let value = 0
  let shift = 0
  const endEntry = (): void => {
    if (place >= 4 && line >= start.line) {
      const [column = 0, source = 0, sourceLine = 0, sourceColumn = 0, lastName = 0] = fields
      const name = place > 4 ? lastName : -1
      const entry = { line: line - start.line, column, source, sourceLine, sourceColumn, name }
      if (entry.line > 0) entries.push(entry)
      else if (column <= start.column) atStart = { ...entry, column: 0 }
      else entries.push({ ...entry, column: column - start.column })
    }
    place = 0
  }
  for (let i = 0; i < mappings.length && line <= lastLine; i++) {
    const code = mappings.charCodeAt(i)
    if (code === COMMA || code === SEMICOLON) {
      endEntry()
      if (code === COMMA) continue
      line += 1
      fields[0] = 0
      continue
    }
    const digit = VALUES[code] ?? -1
    if (digit < 0 || shift > 30) return []
    value += (digit & 31) << shift
    shift += 5
    if ((digit & 32) !== 0) continue
    fields[place] = (fields[place] ?? 0) + ((value & 1) === 1 ? -(value >>> 1) : value >>> 1)
    place += 1
    value = shift = 0
  }
  if (line <= lastLine) endEntry()
  return atStart === undefined ? entries : [atStart, ...entries]
}

/** The `mappings` of a source map with these entries, which are in the order of their lines and columns. */
export function writeMappings(entries: Iterable<MapEntry>): string {
  let text = ''
  let line = 0
  let isFirst = true
  let [column, source, sourceLine, sourceColumn, name] = [0, 0, 0, 0, 0]
  for (const entry of entries) {
    if (entry.line > line) {
      text += ';'.repeat(entry.line - line)
      line = entry.line
      column = 0
    } else if (!isFirst) text += ','
    isFirst = false
    text += number(entry.column - column) + number(entry.source - source)
    text += number(entry.sourceLine - sourceLine) + number(entry.sourceColumn - sourceColumn)
    ;({ column, source, sourceLine, sourceColumn } = entry)
    if (entry.name < 0) continue
    text += number(entry.name - name)
    name = entry.name
  }
  return text
}

function number(value: number): string {
  let rest = value < 0 ? (-value << 1) | 1 : value << 1
  let text = ''
  do {
    const digit = rest & 31
    rest >>>= 5
    text += DIGITS[digit | (rest > 0 ? 32 : 0)]
  } while (rest > 0)
  return text
}
