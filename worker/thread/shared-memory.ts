/** Memory that all threads of a worker see without a copy. */

export function isShared(bytes: Uint8Array): boolean {
  return bytes.buffer instanceof SharedArrayBuffer
}

export function allocateShared(sizeBytes: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(sizeBytes))
}

/** The bytes themselves where they are in shared memory, otherwise a copy that is. */
export function onSharedMemory(bytes: Uint8Array): Uint8Array {
  if (isShared(bytes)) return bytes
  const copy = allocateShared(bytes.length)
  copy.set(bytes)
  return copy
}
