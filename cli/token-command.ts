/** `heddle token create`: makes a token, for a scheduler or from that of one. */
import { HeddleError } from '../protocol/errors.js'
import { createRoleToken, newToken, type TokenRole } from '../scheduler/role-token.js'
import { readToken } from './defaults.js'

export interface TokenArguments {
  readonly role?: TokenRole
  /** In milliseconds. */
  readonly expires?: number
  readonly tokenFile?: string
  readonly json?: true
}

export async function createToken({ role, expires, tokenFile, json }: TokenArguments): Promise<void> {
  const own = await readToken(tokenFile)
  if (role === undefined && (expires !== undefined || tokenFile !== undefined)) {
    const message =
      'A token without --role is a new one for a scheduler: it is made from no other, and does not expire.'
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
  }
  if (role === undefined) {
    print({ role: 'all', token: newToken(), expiresAtMs: 0 }, json)
    return
  }
  if (own === undefined) {
    const message = "The scheduler's own token is missing; give it by --token-file or HEDDLE_TOKEN."
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
  }
  const expiresAtS = expires === undefined ? 0 : Math.ceil((Date.now() + expires) / 1_000)
  print({ role, token: createRoleToken(own, { role, expiresAtS }), expiresAtMs: expiresAtS * 1_000 }, json)
}

interface Made {
  readonly role: TokenRole | 'all'
  readonly token: string
  /** Since 1970; 0 for never. */
  readonly expiresAtMs: number
}

function print(made: Made, json: true | undefined): void {
  process.stdout.write(json === true ? `${JSON.stringify(made)}\n` : `${made.token}\n`)
}
