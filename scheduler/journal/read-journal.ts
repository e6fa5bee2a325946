/** Reads a file of the journal from its beginning to its last whole frame. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { HeddleError } from '../../protocol/errors.js'
import { FILE_HEADER, FRAME_HEADER_BYTES, FRAME_MARK, isWhole, payloadBytesOf } from './frame.js'

/** A search for frames behind damage reads so much at once. */
const SEARCH_BYTES = 1024 * 1024

export interface ReadJournal {
  /** Where the last whole frame ends; 0 when not even the header of the file is there. */
  readonly endBytes: number
  /** What lies behind that: the torn end of a frame that was being written. */
  readonly tornBytes: number
  /** Does it have all that it began with? If not, its writer died before it took the place of the file before. */
  readonly isComplete: boolean
}

/**
 * Calls back with the payload of every whole frame, in order. An empty payload ends what the file began with (the state at
 * its beginning), and is not passed on.
 *
 * @throws {HeddleError} `ERR_HEDDLE_STATE_DAMAGED` when there are whole frames behind one that is not.
 */
export function readJournal(path: string, onPayload: (payload: Uint8Array) => void): ReadJournal {
  const fd = openSync(path, 'r')
  try {
    const read = (at: number, sizeBytes: number): Buffer => readAt(fd, at, sizeBytes)
    return readFrames({ path, sizeBytes: fstatSync(fd).size, read }, onPayload)
  } finally {
    closeSync(fd)
  }
}

/** The bytes of a journal, wherever they are. */
export interface JournalBytes {
  /** What errors call it. */
  readonly path: string
  readonly sizeBytes: number
  /** So many bytes from there on; fewer at the end. */
  read(at: number, sizeBytes: number): Buffer
}

/** As `readJournal`. */
export function readFrames(bytes: JournalBytes, onPayload: (payload: Uint8Array) => void): ReadJournal {
  const { path, sizeBytes } = bytes
  const head = bytes.read(0, FILE_HEADER.length)
  if (head.length < FILE_HEADER.length) return { endBytes: 0, tornBytes: sizeBytes, isComplete: false }
  if (head.compare(FILE_HEADER) !== 0) throw damaged(path, 0, 'it does not begin as a journal of this version does')
  let endBytes = FILE_HEADER.length
  let isComplete = false
  for (;;) {
    const payload = readFrame(bytes, endBytes)
    if (payload === undefined) break
    if (payload.length === 0) isComplete = true
    else onPayload(payload)
    endBytes += FRAME_HEADER_BYTES + payload.length
  }
  const next = findFrame(bytes, endBytes + 1)
  if (next !== undefined) throw damaged(path, endBytes, `what is there is no whole record, and there is one at ${next}`)
  return { endBytes, tornBytes: sizeBytes - endBytes, isComplete }
}

function readFrame(bytes: JournalBytes, at: number): Buffer | undefined {
  const header = bytes.read(at, FRAME_HEADER_BYTES)
  const payloadBytes = payloadBytesOf(header)
  if (payloadBytes === undefined || at + FRAME_HEADER_BYTES + payloadBytes > bytes.sizeBytes) return undefined
  const payload = bytes.read(at + FRAME_HEADER_BYTES, payloadBytes)
  return payload.length === payloadBytes && isWhole(header, payload) ? payload : undefined
}

/** Where the first whole frame from `at` on begins. */
function findFrame(bytes: JournalBytes, at: number): number | undefined {
  const { sizeBytes } = bytes
  for (let start = at; start + FRAME_HEADER_BYTES <= sizeBytes; start += SEARCH_BYTES) {
    // A mark may lie across the end of what is read at once.
    const part = bytes.read(start, Math.min(SEARCH_BYTES + FRAME_MARK.length - 1, sizeBytes - start))
    for (let place = part.indexOf(FRAME_MARK); place >= 0; place = part.indexOf(FRAME_MARK, place + 1)) {
      if (readFrame(bytes, start + place) !== undefined) return start + place
    }
  }
  return undefined
}

function readAt(fd: number, at: number, sizeBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(sizeBytes)
  let filled = 0
  while (filled < sizeBytes) {
    const read = readSync(fd, bytes, filled, sizeBytes - filled, at + filled)
    if (read === 0) break
    filled += read
  }
  return bytes.subarray(0, filled)
}

function damaged(path: string, at: number, what: string): HeddleError {
  const message =
    `The journal ${path} is damaged at byte ${at}: ${what}; ` +
    'put back a copy of the directory, or start with another --state-dir.'
  return new HeddleError('ERR_HEDDLE_STATE_DAMAGED', message)
}
