/** A user's value as bytes: one contiguous byte string, never empty. See `tags.ts` for its form. */
import type { Packer } from '../../common/packed.js'
import { withText } from '../error-text.js'
import { HeddleError, NotSerializableError } from '../errors.js'
import { MAX_ERROR_TEXT_BYTES, MAX_MESSAGE_BYTES, SHARED_BYTES } from '../limits.js'
import { copyRegion, sizeOf, viewOfRegion, type Region } from './regions.js'
import { alignUp, PARTS_HEADER_BYTES, WITH_PARTS } from './tags.js'
import { ValueWriter, type FutureSink } from './value-writer.js'

export type { FutureSink } from './value-writer.js'

export interface EncodeOptions {
  /** What the value is called in errors: `args`, `result`. */
  readonly path: string
  /** Where futures inside the value go; without it they are refused like any instance of a class. */
  readonly inputs?: FutureSink | undefined
  /** Lays a value of `SHARED_BYTES` and more out in shared memory, so that threads can share it. */
  readonly shared?: boolean | undefined
}

/** Copies below this size are faster in a loop than with a view for `set`. */
const LOOP_COPY_BYTES = 64

/** The writer of the last value: its memory is warm. Taken while in use, for a getter may encode another value. */
let spareWriter: ValueWriter | undefined

/** Encodes a value. Throws {@link NotSerializableError} with the path to what can't travel. */
export function encodeValue(value: unknown, options: EncodeOptions): Uint8Array {
  const writer = takeWriter()
  try {
    writer.write(value, options.path, options.inputs)
    const { parts } = writer
    const size = sizeWithParts(writer.treeBytes, parts, options.path)
    const encoded = options.shared === true && size >= SHARED_BYTES ? sharedBytes(size) : privateBytes(size)
    layOut(writer, parts, encoded)
    return encoded
  } finally {
    giveBack(writer)
  }
}

/**
 * As `encodeValue`, but in pieces that follow each other. Large ones are the memory of the value itself, which must not
 * change until they have been sent.
 */
export function encodeInPieces(value: unknown, options: EncodeOptions): Uint8Array[] {
  const writer = takeWriter()
  try {
    writer.write(value, options.path, options.inputs)
    const { parts } = writer
    return layOutInPieces(writer, parts, sizeWithParts(writer.treeBytes, parts, options.path))
  } finally {
    giveBack(writer)
  }
}

/** Encodes a value as the next entry of `packer`: for many small values, without an allocation for each. */
export function encodeInto(packer: Packer, value: unknown, options: EncodeOptions): void {
  const writer = takeWriter()
  try {
    writer.write(value, options.path, options.inputs)
    const { parts } = writer
    if (parts.length === 0) packer.add(writer.tree, 0, writer.treeBytes)
    else layOut(writer, parts, packer.reserve(sizeWithParts(writer.treeBytes, parts, options.path)))
  } finally {
    giveBack(writer)
  }
}

/** Encodes whatever was thrown, and its text for people. Never throws itself: what can't travel becomes an error that says so. */
export function encodeError(error: unknown): Uint8Array {
  return withText(encodedError(error), readableText(error))
}

const utf8 = new TextEncoder()
const textBuffer = new Uint8Array(MAX_ERROR_TEXT_BYTES)

/** Whatever was thrown, as people would see it on a terminal. Its own code may throw when it is asked. */
function readableText(error: unknown): Uint8Array {
  let text: string
  try {
    text = error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : String(error)
    const cause = error instanceof Error ? error.cause : undefined
    if (cause instanceof Error) text += `\ncaused by ${cause.stack ?? cause.message}`
  } catch {
    text = 'The task threw something that cannot be shown.'
  }
  return textBuffer.subarray(0, utf8.encodeInto(text, textBuffer).written)
}

function encodedError(error: unknown): Uint8Array {
  try {
    return encodeValue(error, { path: 'error' })
  } catch (reason) {
    const why = reason instanceof NotSerializableError ? reason.message : 'it could not be encoded.'
    const message = `The task threw something that cannot be sent; throw an Error instead: ${why}`
    return encodeValue(new HeddleError('ERR_HEDDLE_NOT_SERIALIZABLE', message), { path: 'error' })
  }
}

function takeWriter(): ValueWriter {
  const writer = spareWriter ?? new ValueWriter()
  spareWriter = undefined
  return writer
}

function giveBack(writer: ValueWriter): void {
  writer.clear()
  spareWriter = writer
}

function sizeWithParts(treeBytes: number, parts: readonly Region[], path: string): number {
  let size = parts.length === 0 ? treeBytes : PARTS_HEADER_BYTES + treeBytes
  for (const part of parts) size = alignUp(size) + sizeOf(part)
  if (size <= MAX_MESSAGE_BYTES) return size
  throw new NotSerializableError(
    path,
    `${path} takes ${size} bytes, and ${MAX_MESSAGE_BYTES} is the most: send it in pieces.`,
  )
}

const sharedBytes = (size: number): Uint8Array => new Uint8Array(new SharedArrayBuffer(size))

/** Memory of its own, not of Node's pool: whoever keeps or transfers a value must not hold others along with it. */
function privateBytes(size: number): Uint8Array {
  if (size <= LOOP_COPY_BYTES) return new Uint8Array(size)
  return new Uint8Array(Buffer.allocUnsafeSlow(size).buffer)
}

/** Fills `target`, which has just the right size, with the tree and the parts. */
function layOut(writer: ValueWriter, parts: readonly Region[], target: Uint8Array): void {
  let end = layOutTree(writer, parts, target)
  for (const part of parts) {
    const start = alignUp(end)
    target.fill(0, end, start)
    end = start + sizeOf(part)
    copyRegion(part, target.subarray(start, end))
  }
}

/** Returns where it ends. */
function layOutTree({ tree, treeBytes }: ValueWriter, parts: readonly Region[], target: Uint8Array): number {
  const treeStart = parts.length === 0 ? 0 : PARTS_HEADER_BYTES
  if (treeBytes < LOOP_COPY_BYTES) for (let i = 0; i < treeBytes; i++) target[treeStart + i] = tree[i]!
  else target.set(tree.subarray(0, treeBytes), treeStart)
  if (parts.length > 0) {
    target[0] = WITH_PARTS
    for (let i = 0; i < 4; i++) target[1 + i] = (treeBytes >>> (8 * i)) & 0xff
  }
  return treeStart + treeBytes
}

/** All that is copied stands in one buffer, of which the pieces between those that stay in place are parts. */
function layOutInPieces(writer: ValueWriter, parts: readonly Region[], sizeBytes: number): Uint8Array[] {
  const inPlace = new Set(parts.filter(staysInPlace))
  let copiedBytes = sizeBytes
  for (const { shownFrom, end } of inPlace) copiedBytes -= end - shownFrom
  const copied = privateBytes(copiedBytes)
  const pieces: Uint8Array[] = []
  // Where we are in the value, and in what is copied of it.
  let end = layOutTree(writer, parts, copied)
  let pieceStart = 0
  let at = end
  for (const part of parts) {
    const start = alignUp(end)
    copied.fill(0, at, at + start - end)
    at += start - end
    end = start + sizeOf(part)
    if (inPlace.has(part)) {
      const hiddenBytes = part.shownFrom - part.start
      copied.fill(0, at, at + hiddenBytes)
      at += hiddenBytes
      pieces.push(copied.subarray(pieceStart, at), viewOfRegion(part))
      pieceStart = at
    } else {
      copyRegion(part, copied.subarray(at, at + sizeOf(part)))
      at += sizeOf(part)
    }
  }
  if (at > pieceStart) pieces.push(copied.subarray(pieceStart, at))
  return pieces
}

/** What can shrink is copied: a view on it could lose its end. */
function staysInPlace({ buffer, shownFrom, end }: Region): boolean {
  return end - shownFrom >= SHARED_BYTES && (buffer as { readonly resizable?: boolean }).resizable !== true
}
