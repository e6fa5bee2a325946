/** Where a scheduler keeps its state when the command line does not say. */
import { homedir } from 'node:os'
import path from 'node:path'

/** Given instead of a directory: nothing is kept. */
export const NO_STATE = 'none'

/**
 * One directory for each port, so that a scheduler which is started again finds its own. A scheduler on any free port has
 * none: nobody could find it again.
 */
export function stateDirectoryOf(given: string | undefined, port: number): string | undefined {
  if (given !== undefined) return given === NO_STATE ? undefined : given
  if (port === 0) return undefined
  const stateHome = process.env['XDG_STATE_HOME']
  const parent = stateHome === undefined || stateHome === '' ? path.join(homedir(), '.local', 'state') : stateHome
  return path.join(parent, 'heddle', String(port))
}
