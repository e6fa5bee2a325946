/**
 * Tokens that open a part of a scheduler only. Each is made from the scheduler's own token, which signs it, so the
 * scheduler needs to keep none of them, and one can be made where no scheduler runs.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { HeddleError } from '../protocol/errors.js'

/** What tokens are made for: to submit work, to do it, to look on. */
export const TOKEN_ROLES = ['client', 'worker', 'viewer'] as const
export type TokenRole = (typeof TOKEN_ROLES)[number]

/** What whoever shows a token may do: what its role may, or everything. */
export type Grant = TokenRole | 'all'

export interface RoleToken {
  readonly role: TokenRole
  /** In seconds since 1970; 0 for never. */
  readonly expiresAtS: number
}

const TOKEN_BYTES = 24
const MARK = 'heddle'
/** Whoever has a role's token could try out shorter ones until the signature fits. */
const MIN_SIGNING_CHARACTERS = 20

/** A scheduler's own token, which opens everything. */
export function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url')
}

/**
 * Makes a token from that of the scheduler.
 *
 * @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` when that one can sign no other.
 */
export function createRoleToken(own: string, { role, expiresAtS }: RoleToken): string {
  if (own.startsWith(`${MARK}.`)) {
    const message = 'Other tokens are made from that of the scheduler itself, and this one was made from it; give that.'
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
  }
  if (own.length < MIN_SIGNING_CHARACTERS) {
    const message = `The scheduler's token has fewer than ${MIN_SIGNING_CHARACTERS} characters, so whoever had one made from it could find it by trying; make another by "heddle token create".`
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
  }
  const signed = `${MARK}.${role}.${expiresAtS.toString(36)}.${randomBytes(9).toString('base64url')}`
  return `${signed}.${signatureOf(own, signed)}`
}

/** What a token was made for, if it was made from `own` and has not expired. */
export function readRoleToken(own: string, given: string, nowS: number): RoleToken | undefined {
  const end = given.lastIndexOf('.')
  if (end === -1) return undefined
  const signed = given.slice(0, end)
  if (!isSame(given.slice(end + 1), signatureOf(own, signed))) return undefined
  const [mark, name, expires = ''] = signed.split('.')
  const role = TOKEN_ROLES.find((each) => each === name)
  const expiresAtS = parseInt(expires, 36)
  if (mark !== MARK || role === undefined || !Number.isSafeInteger(expiresAtS)) return undefined
  return expiresAtS === 0 || nowS < expiresAtS ? { role, expiresAtS } : undefined
}

/** In a time that says nothing of where they differ, whatever their lengths: digests are compared. */
export function isSame(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHmac('sha256', 'compare').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}

function signatureOf(own: string, signed: string): string {
  return createHmac('sha256', own).update(`role token ${signed}`).digest('base64url')
}
