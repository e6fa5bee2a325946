/**
 * The worker process's code, as files that its threads import. A file's place decides what its imports mean, so the
 * files stand among links:
 *
 *     user/code/<hash>.mjs             the code
 *     user/code/node_modules/heddle    this package, the one that the worker runs
 *     user/node_modules                the packages of the working directory
 *
 * Where folders above the working directory have packages as well, as in a monorepo, there is a `user` for each of
 * them, one in the other, the nearest innermost: a bare import finds what it finds in a script of the working directory.
 */
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { present } from '../common/assert.js'
import { contentHash } from '../common/node/content-hash.js'
import { writeFunctionFile } from '../common/node/function-file.js'
import { HeddleError, ProtocolError } from '../protocol/errors.js'
import { codeHash, type CodeHash } from '../protocol/ids.js'
import type { DefineCode } from '../protocol/messages/common.js'

export interface CodeCacheOptions {
  /** The folder to put everything into. */
  readonly scratch: string
  /** Bare imports of the code are looked up from here. */
  readonly workingDirectory: string
  /** Files of modules that are offered by name: that of the file without its extension. Default: none. */
  readonly preload?: readonly string[]
  /** Does it take code that clients send? Default: yes. */
  readonly remoteCode?: boolean
}

export class CodeCache {
  readonly #folder: string
  /** As a URL. To make one takes long for something that every batch asks for, and names of code need no escaping. */
  readonly #folderUrl: string
  /** Where the offered modules are, by name and by what names their code. */
  readonly #preloaded = new Map<string, string>()
  readonly #preloadedByCode = new Map<CodeHash, string>()
  readonly #remoteCode: boolean
  readonly #stored = new Map<CodeHash, Promise<string>>()

  private constructor(folder: string, preload: readonly string[], remoteCode: boolean) {
    this.#folder = folder
    this.#folderUrl = pathToFileURL(folder).href
    this.#remoteCode = remoteCode
    for (const file of preload) {
      const { name } = path.parse(file)
      const url = pathToFileURL(file).href
      this.#preloaded.set(name, url)
      this.#preloadedByCode.set(codeHash(contentHash('preloaded', Buffer.from(name))), url)
    }
  }

  static async create({
    scratch,
    workingDirectory,
    preload = [],
    remoteCode = true,
  }: CodeCacheOptions): Promise<CodeCache> {
    let folder = scratch
    for (const packages of packageFolders(workingDirectory)) {
      folder = path.join(folder, 'user')
      await mkdir(folder, { recursive: true })
      await link(packages, path.join(folder, 'node_modules'))
    }
    folder = path.join(folder, 'code')
    await mkdir(path.join(folder, 'node_modules'), { recursive: true })
    await link(ownPackage(), path.join(folder, 'node_modules', 'heddle'))
    return new CodeCache(folder, preload, remoteCode)
  }

  /**
   * Writes the code to its file, once, and resolves to the file's URL. Of an offered module it is that of its own file.
   *
   * @throws {ProtocolError} When the code is not what its name says.
   * @throws {HeddleError} `ERR_HEDDLE_MODULE` when no such module is offered, `ERR_HEDDLE_REMOTE_CODE` when other code is not taken.
   */
  store(define: DefineCode): Promise<string> {
    const { code, kind, source } = define
    if (kind === 'preloaded') return this.#findPreloaded(Buffer.from(source).toString())
    if (!this.#remoteCode) return Promise.reject(this.#remoteCodeError())
    let stored = this.#stored.get(code)
    if (stored === undefined) {
      stored = this.#write(define)
      this.#stored.set(code, stored)
      stored.catch(() => this.#stored.delete(code))
    }
    return stored
  }

  /** Where the code is, or will be once it is stored. */
  urlOf(code: CodeHash): string {
    return this.#preloadedByCode.get(code) ?? `${this.#folderUrl}/${code}.mjs`
  }

  #findPreloaded(name: string): Promise<string> {
    const url = this.#preloaded.get(name)
    if (url !== undefined) return Promise.resolve(url)
    const message = `This worker offers no module "${name}": start it with --preload ${name}.js. ${this.#offer()}`
    return Promise.reject(new HeddleError('ERR_HEDDLE_MODULE', message))
  }

  #remoteCodeError(): HeddleError {
    const message = `This worker takes no code of clients (--no-remote-code): call functions that it offers by name. ${this.#offer()}`
    return new HeddleError('ERR_HEDDLE_REMOTE_CODE', message)
  }

  #offer(): string {
    return this.#preloaded.size === 0 ? 'It offers none.' : `It offers ${[...this.#preloaded.keys()].join(', ')}.`
  }

  async #write({ code, kind, source, sourceMap }: DefineCode): Promise<string> {
    if (contentHash(kind, source) !== code) {
      throw new ProtocolError(
        'theirs',
        `The code named ${code} has another content; it was damaged or forged on its way.`,
      )
    }
    const file = path.join(this.#folder, `${code}.mjs`)
    const unfinished = `${file}.new`
    await writeFile(unfinished, kind === 'module' ? source : writeFunctionFile({ source, sourceMap }))
    await rename(unfinished, file)
    return this.urlOf(code)
  }
}

/**
 * The `node_modules` folders that a script in `folder` sees, the farthest first. The nearest is among them even if it
 * is not there: a link to it works once somebody installs a package.
 */
function packageFolders(folder: string): string[] {
  const nearest = path.resolve(folder)
  const found = [path.join(nearest, 'node_modules')]
  for (let at = path.dirname(nearest); at !== path.dirname(at); at = path.dirname(at)) {
    const packages = path.join(at, 'node_modules')
    if (path.basename(at) !== 'node_modules' && existsSync(packages)) found.unshift(packages)
  }
  return found
}

/** The folder of the package that this file belongs to. */
function ownPackage(): string {
  for (let at = path.dirname(fileURLToPath(import.meta.url)); at !== path.dirname(at); at = path.dirname(at)) {
    const description = path.join(at, 'package.json')
    if (
      existsSync(description) &&
      (JSON.parse(readFileSync(description, 'utf8')) as { name?: unknown }).name === 'heddle'
    )
      return at
  }
  return present<string>(undefined, 'the folder of our own package')
}

/** On Windows only a junction needs no special right; elsewhere the kind is ignored. */
async function link(target: string, place: string): Promise<void> {
  await symlink(target, place, 'junction')
}
