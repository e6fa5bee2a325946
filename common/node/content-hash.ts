/** Names content by what it is, so that it is sent once, stored once, and checked on arrival. */
import { createHash } from 'node:crypto'

/** The SHA-256, in hexadecimal digits, of `kind` and `content` together: the same bytes of another kind are another thing. */
export function contentHash(kind: string, content: Uint8Array): string {
  return createHash('sha256').update(kind).update('\0').update(content).digest('hex')
}
