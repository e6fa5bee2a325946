/** A scheduler that keeps its state, on a port of its own, which a test kills and starts again; and workers of it. */
import path from 'node:path'
import { Command, startSchedulerCommand, type SchedulerCommand } from '../cli/command.js'
import { Cable } from './cable.js'
import { TemporaryFolder } from './temporary-folder.js'

/** Without one, a scheduler refuses whoever calls it by another port than its own, as a cable does. */
const TOKEN = 'token-of-a-cabled-cluster'

export interface DurableClusterOptions {
  readonly workers: number
  readonly threads?: number
  /** Further arguments of the scheduler. */
  readonly scheduler?: readonly string[]
  /** Instead of a folder of its own. */
  readonly stateDir?: string
  /** Of all processes. */
  readonly env?: Readonly<Record<string, string>>
  /** Each worker joins by a cable of its own; then `token` is for clients. */
  readonly isCabled?: boolean
}

export class DurableCluster implements AsyncDisposable {
  readonly stateDir: string
  readonly workers: Command[] = []
  /** Of the workers, in their order. */
  readonly cables: Cable[] = []
  readonly #folder: TemporaryFolder
  readonly #options: DurableClusterOptions
  #scheduler: SchedulerCommand

  private constructor(
    folder: TemporaryFolder,
    scheduler: SchedulerCommand,
    stateDir: string,
    options: DurableClusterOptions,
  ) {
    this.#folder = folder
    this.#scheduler = scheduler
    this.#options = options
    this.stateDir = stateDir
  }

  static async start(options: DurableClusterOptions): Promise<DurableCluster> {
    const folder = await TemporaryFolder.create('durable')
    const stateDir = options.stateDir ?? path.join(folder.path, 'state')
    const { scheduler: further = [] } = options
    const env = envOf(options)
    const scheduler = await startSchedulerCommand(['--state-dir', stateDir, ...further], { env })
    const cluster = new DurableCluster(folder, scheduler, stateDir, options)
    for (let i = 0; i < options.workers; i++) await cluster.addWorker()
    return cluster
  }

  get address(): string {
    return this.#scheduler.address
  }

  /** What a client has to show. */
  get token(): string | undefined {
    return this.#options.isCabled === true ? TOKEN : undefined
  }

  get scheduler(): Command {
    return this.#scheduler.command
  }

  get schedulerLog(): string {
    return this.#scheduler.command.stderr
  }

  async addWorker(): Promise<Command> {
    const { threads = 1, isCabled = false } = this.#options
    const name = `w${this.workers.length}`
    const options = ['--threads', `${threads}`, '--name', name, '--log-format', 'json']
    const cable = isCabled ? await Cable.to(this.address) : undefined
    if (cable !== undefined) this.cables.push(cable)
    const address = cable?.address ?? this.address
    const worker = new Command(['worker', 'join', address, ...options], { env: envOf(this.#options) })
    this.workers.push(worker)
    await worker.logged('worker joined')
    return worker
  }

  /** Kills the scheduler, and resolves when it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#scheduler.command.process.kill(signal)
    await this.#scheduler.command.ended
  }

  /** Starts a scheduler where the one before was. */
  async restart(): Promise<void> {
    const { port } = this.#scheduler
    const { scheduler = [] } = this.#options
    const args = ['--port', `${port}`, '--state-dir', this.stateDir, ...scheduler]
    this.#scheduler = await startSchedulerCommand(args, { env: envOf(this.#options) })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scheduler[Symbol.asyncDispose]()
    for (const worker of this.workers) await worker[Symbol.asyncDispose]()
    for (const cable of this.cables) await cable[Symbol.asyncDispose]()
    await this.#folder[Symbol.asyncDispose]()
  }
}

function envOf({ env = {}, isCabled = false }: DurableClusterOptions): Readonly<Record<string, string>> {
  return isCabled ? { ...env, HEDDLE_TOKEN: TOKEN } : env
}
