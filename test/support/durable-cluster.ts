/** A scheduler that keeps its state, on a port of its own, which a test kills and starts again; and workers of it. */
import path from 'node:path'
import { Command, startSchedulerCommand, type SchedulerCommand } from '../cli/command.js'
import { TemporaryFolder } from './temporary-folder.js'

export interface DurableClusterOptions {
  readonly workers: number
  readonly threads?: number
  /** Further arguments of the scheduler. */
  readonly scheduler?: readonly string[]
  /** Instead of a folder of its own. */
  readonly stateDir?: string
  /** Of all processes. */
  readonly env?: Readonly<Record<string, string>>
}

export class DurableCluster implements AsyncDisposable {
  readonly stateDir: string
  readonly workers: Command[] = []
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
    const { scheduler: further = [], env = {} } = options
    const scheduler = await startSchedulerCommand(['--state-dir', stateDir, ...further], { env })
    const cluster = new DurableCluster(folder, scheduler, stateDir, options)
    for (let i = 0; i < options.workers; i++) await cluster.addWorker()
    return cluster
  }

  get address(): string {
    return this.#scheduler.address
  }

  get scheduler(): Command {
    return this.#scheduler.command
  }

  get schedulerLog(): string {
    return this.#scheduler.command.stderr
  }

  async addWorker(): Promise<Command> {
    const { threads = 1, env = {} } = this.#options
    const name = `w${this.workers.length}`
    const options = ['--threads', `${threads}`, '--name', name, '--log-format', 'json']
    const worker = new Command(['worker', 'join', this.address, ...options], { env })
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
    const { scheduler = [], env = {} } = this.#options
    const args = ['--port', `${port}`, '--state-dir', this.stateDir, ...scheduler]
    this.#scheduler = await startSchedulerCommand(args, { env })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scheduler[Symbol.asyncDispose]()
    for (const worker of this.workers) await worker[Symbol.asyncDispose]()
    await this.#folder[Symbol.asyncDispose]()
  }
}
