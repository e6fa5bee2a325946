/**
 * Bytes in pieces that follow each other, so that nobody need copy them together. No piece is empty: one that is found
 * empty later is of memory that its owner has handed to somebody else since, as `postMessage` does with what it transfers.
 */
export class Pieces {
  readonly list: readonly Uint8Array[]
  /** Of all pieces together, as it was at first. */
  readonly length: number

  constructor(pieces: readonly Uint8Array[]) {
    this.list = pieces.filter((piece) => piece.length > 0)
    this.length = this.list.reduce((sum, piece) => sum + piece.length, 0)
  }

  /** Is all of the memory still there? */
  get isWhole(): boolean {
    return this.list.every((piece) => piece.length > 0)
  }
}
