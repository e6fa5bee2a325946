/**
 * A map by keys that never stops the program for long: a `Map` of a million entries takes most of a second to grow, and
 * many small ones grow one at a time.
 */
const PART_COUNT = 1_024

export class KeyTable<N> {
  readonly #parts = new Array<Map<string, N> | undefined>(PART_COUNT)

  get(key: string): N | undefined {
    return this.#parts[partOf(key)]?.get(key)
  }

  set(key: string, value: N): void {
    const place = partOf(key)
    let part = this.#parts[place]
    if (part === undefined) this.#parts[place] = part = new Map()
    part.set(key, value)
  }
}

/** FNV-1a over the end of the key, where keys of one graph differ most. */
function partOf(key: string): number {
  let hash = 0x811c9dc5
  for (let i = Math.max(0, key.length - 16); i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return (hash >>> 8) % PART_COUNT
}
