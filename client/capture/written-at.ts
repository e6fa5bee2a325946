/**
 * Where a function was written, for the stacks of errors that it throws on a worker. V8 knows the number of a script and the
 * place in it; which file that is, is looked up once for each script. Never a reason to fail: what is not found leaves
 * stacks without the name of a file.
 */
import { readFileSync, statSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { MAX_PROGRAM_FILE_BYTES, MAX_PROGRAMS, MAX_UNPLACED_FUNCTIONS } from '../../protocol/limits.js'
import type { FunctionSource } from './function-source.js'
import { describeScripts, InspectorError, locate, type Location } from './inspector.js'
import type { Position } from './source-map.js'

/** A function's text begins at a line and column, from 0, of the program in a file. */
export interface WrittenAt extends Position {
  readonly program: Program
}

/** A file as V8 runs it. */
export interface Program {
  readonly url: string
  /** What its comment `sourceMappingURL` says; empty when it has none. */
  readonly sourceMapUrl: string
}

/** How many frames of the stack are looked at: those of this package come first. */
const FRAMES = 16
/** The folder of this package's part for clients, whose functions nobody submits. */
const OWN_FOLDER = new URL('../', import.meta.url).href

/** By script. The map of one may stand in its comment, and is long: of those that nobody asked for it is left out. */
const programs = new Map<string, Program | { readonly url: string; readonly sourceMapUrl: undefined }>()
/** Scripts have rising numbers. Those up to this one were described: what of them is not among the programs is of no file. */
let lastDescribed = 0
/** How many functions no file was found for, at the cost of milliseconds each. */
let unplaced = 0

/**
 * Where `text` was written. The function is printed by JavaScript as `printed`, which differs in its head only; V8 says that it
 * begins behind the head, at its parameters.
 */
export function findWrittenAt(
  fn: object,
  printed: string,
  { text, headLength }: Pick<FunctionSource, 'text' | 'headLength'>,
): WrittenAt | undefined {
  try {
    const location = locate(fn)
    if (location === undefined) return undefined
    const program = findProgram(location, printed, headLength)
    return program === undefined ? undefined : { program, ...startOf(location, text.slice(0, headLength)) }
  } catch (error) {
    if (error instanceof InspectorError) return undefined
    throw error
  }
}

/** From where a function's parameters begin to where its text does. */
function startOf({ line, column }: Location, head: string): Position {
  const breaks = head.split(LINE_BREAK).length - 1
  return { line: line - breaks, column: breaks === 0 ? column - head.length : 0 }
}

export const LINE_BREAK = /\r\n|[\n\r\u2028\u2029]/

function findProgram(location: Location, printed: string, headLength: number): Program | undefined {
  const { scriptId } = location
  const known = programs.get(scriptId)
  if (known?.sourceMapUrl !== undefined) return known
  // A program that makes functions out of text has as many scripts as functions, and is not slowed down for each.
  if (unplaced >= MAX_UNPLACED_FUNCTIONS || (known === undefined && Number(scriptId) <= lastDescribed)) return undefined
  if (programs.size >= MAX_PROGRAMS) forgetPrograms()

  // Most functions are submitted by the file that they stand in. That is cheaper than to have all scripts described.
  for (const url of urlsOnStack()) {
    const text = readText(url)
    if (text === undefined || !standsAt(text, location, printed, headLength)) continue
    const program = { url, sourceMapUrl: sourceMapUrlOf(text) }
    programs.set(scriptId, program)
    return program
  }
  let newest = 0
  let firstWithoutRoom = Infinity
  describeScripts((script) => {
    const number = Number(script.scriptId)
    newest = Math.max(newest, number)
    const { url, sourceMapUrl } = script
    if (!url.startsWith('file:') || programs.get(script.scriptId)?.sourceMapUrl !== undefined) return
    if (programs.size >= MAX_PROGRAMS && script.scriptId !== scriptId) {
      firstWithoutRoom = Math.min(firstWithoutRoom, number)
      return
    }
    const isLeftOut = sourceMapUrl.startsWith('data:') && script.scriptId !== scriptId
    programs.set(script.scriptId, isLeftOut ? { url, sourceMapUrl: undefined } : { url, sourceMapUrl })
  })
  lastDescribed = Math.min(newest, firstWithoutRoom - 1)
  const described = programs.get(scriptId)
  if (described?.sourceMapUrl !== undefined) return described
  unplaced += 1
  return undefined
}

function forgetPrograms(): void {
  programs.clear()
  lastDescribed = 0
}

/** Not where a file was compiled in memory. */
function standsAt(text: string, { line, column }: Location, printed: string, headLength: number): boolean {
  const breaks = text.matchAll(new RegExp(LINE_BREAK, 'g'))
  let lineStart = 0
  for (let i = 0; i < line; i++) {
    const found = breaks.next().value
    if (found === undefined) return false
    lineStart = found.index + found[0].length
  }
  return text.startsWith(printed, lineStart + column - headLength)
}

function urlsOnStack(): ReadonlySet<string> {
  const usual = { prepare: Error.prepareStackTrace, limit: Error.stackTraceLimit }
  const urls = new Set<string>()
  try {
    Reflect.set(Error, 'stackTraceLimit', FRAMES)
    // Instead of a text, which tools that compile in memory also change. Where errors are frozen, it stays one.
    const prepare: typeof Error.prepareStackTrace = (_, sites) => sites
    if (!Reflect.set(Error, 'prepareStackTrace', prepare)) return urls
    const { stack } = new Error() as { readonly stack?: unknown }
    // So it does where what is set is ignored: tools that lock errors, or watch them, put accessors there.
    if (!Array.isArray(stack)) return urls
    for (const site of stack as readonly NodeJS.CallSite[]) {
      const name = site.getFileName() ?? ''
      const url = /^([/\\]|[A-Za-z]:[/\\])/.test(name) ? pathToFileURL(name).href : name
      if (url.startsWith('file:') && !url.startsWith(OWN_FOLDER)) urls.add(url)
    }
  } finally {
    Reflect.set(Error, 'prepareStackTrace', usual.prepare)
    Reflect.set(Error, 'stackTraceLimit', usual.limit)
  }
  return urls
}

/** Also of a map beside a program. */
export function readText(url: string): string | undefined {
  try {
    const path = fileURLToPath(url)
    if (statSync(path).size > MAX_PROGRAM_FILE_BYTES) return undefined
    const text = readFileSync(path, 'utf8')
    return text.startsWith('\uFEFF') ? text.slice(1) : text
  } catch (error) {
    // It was compiled in memory, or is gone, or nobody may read it. Node says that by a code.
    if (typeof (error as NodeJS.ErrnoException).code !== 'string') throw error
    return undefined
  }
}

function sourceMapUrlOf(text: string): string {
  const name = 'sourceMappingURL='
  const at = text.lastIndexOf(name)
  if (at < 0 || !/\/[/*][#@][ \t]*$/.test(text.slice(Math.max(0, at - 8), at))) return ''
  return /[^\s*]*/.exec(text.slice(at + name.length))?.[0] ?? ''
}
