/**
 * The file that a captured function is run from: an ES module that exports the one expression, with a source map behind it.
 * The code cache of a worker writes it; what a task submits again is read from it.
 */

/** Of version 3: from the places of a function's source to those of the files that it was written in. */
interface SourceMap {
  readonly sources: readonly string[]
  readonly names: readonly string[]
  readonly mappings: string
}

export interface FunctionFile {
  readonly source: Uint8Array
  readonly sourceMap: SourceMap | undefined
}

/** Stands on the first line, ahead of the source: all other lines and columns stay what they are. No bundle begins like this. */
const HEAD = Buffer.from('export default (')
const TAIL = Buffer.from(')\n')
const COMMENT = Buffer.from('//# sourceMappingURL=data:application/json;base64,')
/** The entry for where the head ends, which says nothing but so many columns: an entry on that line counts from there. */
const HEAD_ENTRY = 'gB'

export function writeFunctionFile({ source, sourceMap }: FunctionFile): Uint8Array {
  const parts = [HEAD, source, TAIL]
  if (sourceMap !== undefined) {
    const { sources, names, mappings } = sourceMap
    const head = mappings.startsWith(';') ? HEAD_ENTRY : `${HEAD_ENTRY},`
    const map = { version: 3, sources, names, mappings: head + mappings }
    parts.push(COMMENT, Buffer.from(`${Buffer.from(JSON.stringify(map)).toString('base64')}\n`))
  }
  return Buffer.concat(parts)
}

/** `undefined` when the file is a module. */
export function readFunctionFile(file: Buffer): FunctionFile | undefined {
  if (!file.subarray(0, HEAD.length).equals(HEAD)) return undefined
  const at = file.lastIndexOf(COMMENT)
  // The comment has a line of its own, the last one, and that ends with no bracket.
  if (at < 0 || file.subarray(-TAIL.length).equals(TAIL)) {
    return { source: file.subarray(HEAD.length, -TAIL.length), sourceMap: undefined }
  }
  const json = Buffer.from(file.subarray(at + COMMENT.length).toString(), 'base64').toString()
  const { sources, names, mappings } = JSON.parse(json) as SourceMap
  return {
    source: file.subarray(HEAD.length, at - TAIL.length),
    sourceMap: { sources, names, mappings: mappings.slice(HEAD_ENTRY.length).replace(/^,/, '') },
  }
}
