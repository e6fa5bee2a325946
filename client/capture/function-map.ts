/**
 * The source map of a captured function: from the text that travels to the lines in the file of its author. Workers put it
 * behind the text, so that V8's stacks lead there.
 */
import { MAX_SOURCE_MAP_BYTES } from '../../protocol/limits.js'
import { sizeOfMap, type SourceMap } from '../../protocol/messages/common.js'
import { readMappings, writeMappings, type MapEntry, type Position } from './source-map.js'
import { LINE_BREAK, readText, type Program, type WrittenAt } from './written-at.js'

/** The map of a whole file, as far as it is of use. */
interface FileMap {
  readonly mappings: string
  /** With whole URLs. */
  readonly sources: readonly string[]
}

/** Files whose maps are kept in mind, those without one among them. */
const MAX_MAPS = 64

const maps = new Map<string, FileMap | undefined>()

export interface MappedFunction {
  readonly name: string
  readonly text: string
  /** So much of the text stands before the parameters. */
  readonly headLength: number
  /** Where the text stands in the first line of what travels. */
  readonly column: number
}

export function mapFunction({ name, text, headLength, column }: MappedFunction, at: WrittenAt): SourceMap | undefined {
  const map = mapOf(at.program)
  const lines = text.split(LINE_BREAK)
  const entries =
    map === undefined ? entriesOfText(lines, at) : readMappings(map.mappings, at, at.line + lines.length - 1)
  // What V8 calls a function by is lost with the variable that it was assigned to. A map may have it where it begins.
  const named = entries.map((entry) => ({ ...entry, name: entry.line === 0 && entry.column <= headLength ? 0 : -1 }))
  return makeMap(moveEntries(named, { line: 0, column }), map?.sources ?? [at.program.url], [name])
}

/** A map of text that is put together of pieces, each at a place of its own. */
export function joinMaps(
  pieces: readonly { readonly map: SourceMap | undefined; readonly at: Position }[],
): SourceMap | undefined {
  const sources: string[] = []
  const names: string[] = []
  const entries: MapEntry[] = []
  for (const { map, at } of pieces) {
    if (map === undefined) continue
    const [firstSource, firstName] = [sources.length, names.length]
    sources.push(...map.sources)
    names.push(...map.names)
    for (const entry of moveEntries(readMappings(map.mappings, { line: 0, column: 0 }, Infinity), at)) {
      const name = entry.name < 0 ? -1 : firstName + entry.name
      entries.push({ ...entry, source: firstSource + entry.source, name })
    }
  }
  return makeMap(entries, sources, names)
}

/** Only sources that entries lead to are named. */
function makeMap(
  entries: readonly MapEntry[],
  allSources: readonly string[],
  names: readonly string[],
): SourceMap | undefined {
  const places = new Map<string, number>()
  const used: MapEntry[] = []
  for (const entry of entries) {
    const url = allSources[entry.source]
    if (url === undefined) continue
    if (!places.has(url)) places.set(url, places.size)
    used.push({ ...entry, source: places.get(url)! })
  }
  if (used.length === 0) return undefined
  const sources = [...places.keys()]
  const room = MAX_SOURCE_MAP_BYTES - sizeOfMap({ sources, names, mappings: '' })
  let mappings = writeMappings(used)
  // Of very long text it tells the line only.
  if (mappings.length > room) mappings = writeMappings(used.filter(({ line }, i) => line !== used[i - 1]?.line))
  return mappings.length > room ? undefined : { sources, names, mappings }
}

function moveEntries(entries: readonly MapEntry[], by: Position): MapEntry[] {
  return entries.map((entry) => ({
    ...entry,
    line: entry.line + by.line,
    column: entry.line === 0 ? entry.column + by.column : entry.column,
  }))
}

/** Words, and the brackets that a call may begin with: whatever a frame of a stack may point to. */
const PLACES = /[\w$\u0080-\uFFFF]+|[([{`]|[^\w\s$\u0080-\uFFFF([{`]+/g

/** Of a file that runs as it was written: each place in it is itself. */
function entriesOfText(lines: readonly string[], at: Position): MapEntry[] {
  return lines.flatMap((text, line) =>
    Array.from(text.matchAll(PLACES), ({ index: column }) => {
      // A head that was written in several lines may stand in one.
      const sourceColumn = Math.max(0, column + (line === 0 ? at.column : 0))
      return { line, column, source: 0, sourceLine: at.line + line, sourceColumn, name: -1 }
    }),
  )
}

function mapOf({ url, sourceMapUrl }: Program): FileMap | undefined {
  if (sourceMapUrl === '') return undefined
  const known = maps.get(url)
  if (known !== undefined || maps.has(url)) return known
  if (maps.size >= MAX_MAPS) maps.clear()
  const map = readMap(sourceMapUrl, url)
  maps.set(url, map)
  return map
}

/** `undefined` when it cannot be read, or is a list of maps: then stacks lead to the file that runs. */
function readMap(sourceMapUrl: string, programUrl: string): FileMap | undefined {
  try {
    const url = new URL(sourceMapUrl, programUrl)
    const text = url.protocol === 'data:' ? readDataUrl(sourceMapUrl) : readText(url.href)
    const map = JSON.parse(text ?? 'null') as Partial<Record<'mappings' | 'sourceRoot' | 'sources', unknown>> | null
    const { mappings, sources, sourceRoot } = map ?? {}
    if (typeof mappings !== 'string' || !Array.isArray(sources)) return undefined
    const base = url.protocol === 'data:' ? programUrl : url.href
    const root = typeof sourceRoot === 'string' && sourceRoot !== '' ? sourceRoot.replace(/\/?$/, '/') : ''
    return { mappings, sources: sources.map((source) => new URL(`${root}${String(source)}`, base).href) }
  } catch {
    return undefined
  }
}

function readDataUrl(url: string): string {
  const comma = url.indexOf(',')
  const body = url.slice(comma + 1)
  return /;base64$/i.test(url.slice(0, comma)) ? Buffer.from(body, 'base64').toString() : decodeURIComponent(body)
}
