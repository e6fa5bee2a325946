/** A temporary folder with files in it, and a code cache: what a worker has of code, inside the test's own process. */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { CapturedCode } from '../../client/capture/function.js'
import type { CapturedModule } from '../../client/capture/module.js'
import { ScratchFolder } from '../../common/node/scratch-folder.js'
import { CodeCache } from '../../worker/code-cache.js'
import { loadFunction, type TaskFunction } from '../../worker/thread/code.js'

export class Workspace implements AsyncDisposable {
  /** The user's project; the working directory of the worker. */
  readonly project: string
  readonly codeCache: CodeCache
  readonly #scratch: ScratchFolder

  private constructor(scratch: ScratchFolder, project: string, codeCache: CodeCache) {
    this.#scratch = scratch
    this.project = project
    this.codeCache = codeCache
  }

  static async create(files: Readonly<Record<string, string>> = {}): Promise<Workspace> {
    const scratch = await ScratchFolder.create()
    const project = path.join(scratch.path, 'project')
    await mkdir(project)
    const codeCache = await CodeCache.create({ scratch: scratch.path, workingDirectory: project })
    const workspace = new Workspace(scratch, project, codeCache)
    await workspace.write(files)
    return workspace
  }

  async write(files: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      const file = path.join(this.project, name)
      await mkdir(path.dirname(file), { recursive: true })
      await writeFile(file, text)
    }
  }

  /** Sends code the way that it goes, and loads it. */
  async load(captured: CapturedCode | CapturedModule, exportName = 'default'): Promise<TaskFunction> {
    const { code, kind, source, sourceMap } = captured
    return loadFunction(await this.codeCache.store({ type: 'define-code', code, kind, source, sourceMap }), exportName)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scratch[Symbol.asyncDispose]()
  }
}
