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
    const { size } = fstatSync(fd)
    const head = readAt(fd, 0, FILE_HEADER.length)
    if (head.length < FILE_HEADER.length) return { endBytes: 0, tornBytes: size, isComplete: false }
    if (head.compare(FILE_HEADER) !== 0) throw damaged(path, 0, 'it does not begin as a journal of this version does')
    let endBytes = FILE_HEADER.length
    let isComplete = false
    for (;;) {
      const payload = readFrame(fd, endBytes, size)
      if (payload === undefined) break
      if (payload.length === 0) isComplete = true
      else onPayload(payload)
      endBytes += FRAME_HEADER_BYTES + payload.length
    }
    const next = findFrame(fd, endBytes + 1, size)
    if (next !== undefined)
      throw damaged(path, endBytes, `what is there is no whole record, and there is one at ${next}`)
    return { endBytes, tornBytes: size - endBytes, isComplete }
  } finally {
    closeSync(fd)
  }
}

function readFrame(fd: number, at: number, size: number): Buffer | undefined {
  const header = readAt(fd, at, FRAME_HEADER_BYTES)
  const payloadBytes = payloadBytesOf(header)
  if (payloadBytes === undefined || at + FRAME_HEADER_BYTES + payloadBytes > size) return undefined
  const payload = readAt(fd, at + FRAME_HEADER_BYTES, payloadBytes)
  return payload.length === payloadBytes && isWhole(header, payload) ? payload : undefined
}

/** Where the first whole frame from `at` on begins. */
function findFrame(fd: number, at: number, size: number): number | undefined {
  for (let start = at; start + FRAME_HEADER_BYTES <= size; start += SEARCH_BYTES) {
    // A mark may lie across the end of what is read at once.
    const bytes = readAt(fd, start, Math.min(SEARCH_BYTES + FRAME_MARK.length - 1, size - start))
    for (let place = bytes.indexOf(FRAME_MARK); place >= 0; place = bytes.indexOf(FRAME_MARK, place + 1)) {
      if (readFrame(fd, start + place, size) !== undefined) return start + place
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
