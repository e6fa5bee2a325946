/** A PostgreSQL server of a test's own: in a temporary folder, reached by a socket there, gone with the test. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { TemporaryFolder } from './temporary-folder.js'

/** Where Debian puts the programs of each version. */
const DEBIAN_VERSIONS = '/usr/lib/postgresql'

/** Why no server can be started, or false. Real servers are for `npm run test:all`, which must have them under CI. */
export function noPostgres(): string | false {
  if (process.env['HEDDLE_REAL_SERVERS'] !== '1') return 'real servers are part of npm run test:all'
  if (programs() !== undefined || process.env['CI'] === 'true') return false
  return 'PostgreSQL is not installed'
}

export class Postgres implements AsyncDisposable {
  /** Of its database, for clients. */
  readonly url: string
  readonly #folder: TemporaryFolder
  readonly #server: ChildProcess

  private constructor(folder: TemporaryFolder, server: ChildProcess) {
    this.#folder = folder
    this.#server = server
    this.url = `postgres://postgres@localhost/postgres?host=${encodeURIComponent(folder.path)}`
  }

  /** Resolves when it takes connections. */
  static async start(): Promise<Postgres> {
    const bin = programs()
    if (bin === undefined) throw new Error('PostgreSQL is not installed; install the package "postgresql".')
    const folder = await TemporaryFolder.create('heddle-postgres')
    const user = ownerOf(folder.path)
    const data = `${folder.path}/data`
    execFileSync(`${bin}/initdb`, ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync'], {
      ...user,
      stdio: 'pipe',
    })
    const settings = ['-c', 'listen_addresses=', '-c', `unix_socket_directories=${folder.path}`, '-c', 'fsync=off']
    const server = spawn(`${bin}/postgres`, ['-D', data, ...settings], { ...user, stdio: ['ignore', 'ignore', 'pipe'] })
    const log: string[] = []
    for await (const line of createInterface({ input: server.stderr })) {
      log.push(line)
      if (line.includes('ready to accept connections')) break
    }
    if (server.exitCode !== null) throw new Error(`PostgreSQL did not start:\n${log.join('\n')}`)
    server.stderr.resume()
    return new Postgres(folder, server)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#server, 'exit')
    this.#server.kill('SIGINT')
    await ended
    await this.#folder[Symbol.asyncDispose]()
  }
}

/** The folder of the newest version's programs. */
function programs(): string | undefined {
  const versions = existsSync(DEBIAN_VERSIONS) ? readdirSync(DEBIAN_VERSIONS) : []
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0]
  return newest === undefined ? undefined : `${DEBIAN_VERSIONS}/${newest}/bin`
}

/** The server refuses to run as root, so it runs as the user that its package made, who gets the folder. */
function ownerOf(folder: string): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  const user = { uid: id('-u'), gid: id('-g') }
  chownSync(folder, user.uid, user.gid)
  return user
}
