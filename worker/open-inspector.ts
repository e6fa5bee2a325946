/** Lets a debugger in to this process and its threads: Chrome's, that of an editor, or `node inspect`. */
import type { Log } from '../common/node/log.js'

/** Who connects there can do all that this process can: so it is this machine only that may. */
const HOST = '127.0.0.1'

/** On a free port, which the log says; a second call changes nothing. */
export async function openInspector(log: Log): Promise<void> {
  const { open, url } = await import('node:inspector')
  if (url() === undefined) open(0, HOST)
  log.warn({ inspector: url() }, 'a debugger may look into the threads of this worker: chrome://inspect has them')
}
