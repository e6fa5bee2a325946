/**
 * The entry file of a thread that moves values between memory and disk, one after another, with a checksum of what passes.
 * Here that does not keep the main thread from its work, nor do its turns and its collections keep the disk waiting.
 */
import { closeSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs'
import path from 'node:path'
import { parentPort } from 'node:worker_threads'
import { crc32 } from 'node:zlib'
import { present } from '../../common/assert.js'
import type { FromDiskThread, ToDiskThread } from './disk-message.js'
import { collectYoung } from '../../common/node/garbage.js'
import { allocateShared } from './shared-memory.js'

/** What goes to or comes from the disk at once. The checksum is made of it while the processor's cache has it. */
const SLICE_BYTES = 1024 * 1024

const mainThread = present(parentPort ?? undefined, 'the port to the main thread')

function post(message: FromDiskThread, transferList: ArrayBuffer[] = []): void {
  mainThread.postMessage(message, transferList)
}

mainThread.on('message', (message: ToDiskThread) => {
  // Nothing is kept here from one value to the next, so all that was seen of them is young.
  if (message.type === 'collect') return collectYoung()
  try {
    if (message.type === 'write') {
      post({ type: 'written', order: message.order, checksum: writeSlices(message.path, message.bytes) })
    } else {
      const { order, sizeBytes, isShared } = message
      const bytes = isShared ? allocateShared(sizeBytes) : new Uint8Array(sizeBytes)
      const found = readSlices(message.path, bytes)
      post({ type: 'read', order, bytes, ...found }, isShared ? [] : [bytes.buffer as ArrayBuffer])
    }
  } catch (error) {
    const { message: reason, code } = error as NodeJS.ErrnoException
    post({ type: 'failed', order: message.order, reason, code })
  }
})

/** Returns the checksum of all. */
function writeSlices(file: string, bytes: Uint8Array): number {
  // Each time: a folder that could not be made on a full disk can be made later.
  mkdirSync(path.dirname(file), { recursive: true })
  const handle = openSync(file, 'w')
  try {
    let checksum = 0
    for (let start = 0; start < bytes.length;) {
      const count = writeSync(handle, bytes, start, Math.min(SLICE_BYTES, bytes.length - start), start)
      checksum = crc32(bytes.subarray(start, start + count), checksum)
      start += count
    }
    return checksum
  } finally {
    closeSync(handle)
  }
}

/** Returns what there was, which may be less than was wanted. */
function readSlices(file: string, bytes: Uint8Array): { readonly sizeBytes: number; readonly checksum: number } {
  const handle = openSync(file, 'r')
  try {
    let checksum = 0
    let sizeBytes = 0
    while (sizeBytes < bytes.length) {
      const count = readSync(handle, bytes, sizeBytes, Math.min(SLICE_BYTES, bytes.length - sizeBytes), sizeBytes)
      if (count === 0) break
      checksum = crc32(bytes.subarray(sizeBytes, sizeBytes + count), checksum)
      sizeBytes += count
    }
    return { sizeBytes, checksum }
  } finally {
    closeSync(handle)
  }
}

post({ type: 'started' })
