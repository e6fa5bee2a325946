/**
 * A temporary folder that goes away with its process: on disposal, when the process exits, and, if the process was
 * killed, when another one makes a scratch folder in the same place. The folder's name says whose it is.
 */
import { readFileSync, readlinkSync, rmSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

export class ScratchFolder implements AsyncDisposable {
  readonly path: string
  readonly #removeAtExit = (): void => {
    rmSync(this.path, { recursive: true, force: true })
  }

  private constructor(folder: string) {
    this.path = folder
    process.once('exit', this.#removeAtExit)
  }

  /** Makes a folder in `parent`, and removes what processes that are gone have left there. */
  static async create(parent: string = tmpdir()): Promise<ScratchFolder> {
    await removeLeftovers(parent)
    const folder = await mkdtemp(
      path.join(parent, `heddle-${process.pid}-${namespace()}-${startOf(process.pid) ?? 0}-`),
    )
    return new ScratchFolder(folder)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#removeAtExit)
    await rm(this.path, { recursive: true, force: true })
  }
}

/** Process id, namespace of process ids, start of the process, and what makes the name unique. */
const NAME = /^heddle-(\d+)-(\d+)-(\d+)-\w+$/

async function removeLeftovers(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const [, pid, pidNamespace, start] = NAME.exec(name) ?? []
    // Another container may share the folder; whether its processes live cannot be seen from here.
    if (pid === undefined || Number(pidNamespace) !== namespace() || isAlive(Number(pid), Number(start))) continue
    // What belongs to another user cannot be removed, and is not ours to worry about.
    await rm(path.join(parent, name), { recursive: true, force: true }).catch(() => undefined)
  }
}

/** Is it the process that started then? An id is used again, in a container that is restarted even at once. */
function isAlive(pid: number, start: number): boolean {
  if (process.platform === 'linux') return startOf(pid) === start
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** When the process started, in ticks since the machine did; `undefined` when it is gone, or elsewhere than on Linux. */
function startOf(pid: number): number | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
  // The second field is the program's name in parentheses, and may hold spaces and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const state = fields[0]
  // An orphan that ended stays as a zombie until somebody asks for its exit code, which in a container may be never.
  return state === 'Z' || state === 'X' ? undefined : Number(fields[19])
}

/** Tells apart containers, which count their processes each for itself; 0 where there is no such thing. */
function namespace(): number {
  try {
    return Number(/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? 0)
  } catch {
    return 0
  }
}
