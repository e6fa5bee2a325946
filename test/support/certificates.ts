/** Certificates for tests, made as docs/security.md says that they are made. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { PROJECT } from './project.js'

/** For a test's `skip`: why there can be none here. Where everything must run, that is an error. */
export function noOpenssl(): string | false {
  if (spawnSync('openssl', ['version']).status === 0) return false
  const reason = 'needs openssl'
  if (process.env['CI'] === 'true') throw new Error(`This test ${reason}.`)
  return reason
}

export class Certificates implements Disposable {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'heddle-certificates-'))
  readonly #blocks: readonly string[]

  /** Makes an authority. */
  constructor() {
    const page = readFileSync(path.join(PROJECT, 'docs/security.md'), 'utf8')
    this.#blocks = [...page.matchAll(/^```sh\n((?:.*\n)*?)```$/gm)].map(([, text]) => text ?? '')
    this.#run(this.#blockWith('-x509'))
  }

  /** Makes a certificate for loopback, and gives its files. */
  make(name: string): { readonly cert: string; readonly key: string } {
    const commands = this.#blockWith('x509 -req')
      .replace('NAME=scheduler', `NAME=${name}`)
      .replace('10.0.0.5', '127.0.0.1')
    this.#run(commands)
    return { cert: this.file(`${name}.crt`), key: this.file(`${name}.key`) }
  }

  get ca(): string {
    return this.file('ca.crt')
  }

  file(name: string): string {
    return path.join(this.folder, name)
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true })
  }

  #blockWith(text: string): string {
    const block = this.#blocks.find((each) => each.includes(text))
    if (block === undefined) throw new Error(`docs/security.md has no commands with "${text}".`)
    return block
  }

  #run(commands: string): void {
    execFileSync('sh', ['-ec', commands], { cwd: this.folder, stdio: 'pipe' })
  }
}
