/**
 * The token that a scheduler made for itself, in its state directory: one that takes its place there goes on with it, for
 * its clients and workers have no other.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { HeddleError } from '../protocol/errors.js'

const NAME = 'token'

/** `undefined` when none was made yet. */
export function readKeptToken(directory: string): string | undefined {
  const file = path.join(directory, NAME)
  let token: string
  try {
    token = readFileSync(file, 'utf8').trim()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    const message = `The token in ${file} cannot be read; check who may, or give one by --token-file.`
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message, { cause })
  }
  return token === '' ? undefined : token
}

/** For this user only. Called by whoever has the directory. */
export function keepToken(directory: string, token: string): void {
  writeFileSync(path.join(directory, NAME), `${token}\n`, { mode: 0o600 })
}
