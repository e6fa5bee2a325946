/**
 * A temporary folder that goes away with its process: on disposal, when the process exits, and, if the process was
 * killed, when another one makes a scratch folder in the same place. The folder's name says whose it is.
 */
import { rmSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { mayBeAlive, ownIdentity } from './process-identity.js'

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
    const { pid, namespace, start } = ownIdentity()
    const folder = await mkdtemp(path.join(parent, `heddle-${pid}-${namespace}-${start}-`))
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
    const [, pid, namespace, start] = NAME.exec(name) ?? []
    // Another container may share the folder; whether its processes live cannot be seen from here.
    if (pid === undefined) continue
    if (mayBeAlive({ pid: Number(pid), namespace: Number(namespace), start: Number(start) })) continue
    // What belongs to another user cannot be removed, and is not ours to worry about.
    await rm(path.join(parent, name), { recursive: true, force: true }).catch(() => undefined)
  }
}
