/** A small file system of memory, of its own: what is written there fills it. Only root can make one. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export class SmallDisk implements AsyncDisposable {
  readonly path: string

  private constructor(folder: string) {
    this.path = folder
  }

  static async mount(size: string): Promise<SmallDisk> {
    const folder = await mkdtemp(path.join(tmpdir(), 'small-disk-'))
    await run('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder])
    return new SmallDisk(folder)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', ['--lazy', this.path])
    await rm(this.path, { recursive: true })
  }
}
