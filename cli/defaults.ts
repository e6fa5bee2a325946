/** What the environment and files say where the command line is silent. */
import { readFile } from 'node:fs/promises'
import { HeddleError } from '../protocol/errors.js'

/** How long commands that ask a scheduler wait. */
export const DEFAULT_TIMEOUT_MS = 10_000

/** @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` when there is no address at all. */
export function schedulerAddress(given: string | undefined): string {
  const address = given ?? process.env['HEDDLE_ADDRESS'] ?? ''
  if (address !== '') return address
  const message = 'The address of the scheduler is missing; give it, or set HEDDLE_ADDRESS, as in ws://127.0.0.1:8786.'
  throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
}

/**
 * The token, from the file or else from the environment, which then no longer holds it: what this process starts must
 * not find it there.
 *
 * @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` when the file cannot be read or is empty.
 */
export async function readToken(tokenFile: string | undefined): Promise<string | undefined> {
  const fromEnvironment = process.env['HEDDLE_TOKEN']
  delete process.env['HEDDLE_TOKEN']
  if (tokenFile === undefined) return fromEnvironment === '' ? undefined : fromEnvironment
  const token = (await readTokenFile(tokenFile)).trim()
  if (token !== '') return token
  throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', `The token file ${tokenFile} is empty; write the token into it.`)
}

async function readTokenFile(tokenFile: string): Promise<string> {
  try {
    return await readFile(tokenFile, 'utf8')
  } catch (cause) {
    const message = `The token file ${tokenFile} cannot be read; check its name and who may read it.`
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message, { cause })
  }
}
