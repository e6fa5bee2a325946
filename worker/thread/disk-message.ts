/** What a thread that moves values to and from the disk is told, and what it tells. */

export type ToDiskThread =
  /** Answered by `written` or `failed`. */
  | { readonly type: 'write'; readonly order: number; readonly path: string; readonly bytes: Uint8Array }
  /** Answered by `read` or `failed`. Memory that is not shared is the receiver's own. */
  | {
      readonly type: 'read'
      readonly order: number
      readonly path: string
      readonly sizeBytes: number
      readonly isShared: boolean
    }
  | { readonly type: 'collect' }

export type FromDiskThread =
  /** Said first: the thread's own code is loaded. */
  | { readonly type: 'started' }
  | { readonly type: 'written'; readonly order: number; readonly checksum: number }
  /** `bytes` are as many as were asked for; `sizeBytes` is how many there were. */
  | {
      readonly type: 'read'
      readonly order: number
      readonly bytes: Uint8Array
      readonly sizeBytes: number
      readonly checksum: number
    }
  | { readonly type: 'failed'; readonly order: number; readonly reason: string; readonly code: string | undefined }
