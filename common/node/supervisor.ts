/** Keeps one child process running: starts it again when it dies, until it is stopped or starting it is no use. */
import { RestartPolicy } from '../restart-policy.js'
import { describeExit } from './child-process.js'
import type { Child, ChildExit } from './child-process.js'

/** Why nothing is supervised any more. */
export type SupervisionEnd =
  /** The child was stopped, or left by itself with exit code 0. */
  | { readonly type: 'stopped' }
  /** It cannot run: `code` and `message` say why. */
  | { readonly type: 'gave-up'; readonly code: string; readonly message: string }

export interface SupervisorOptions {
  readonly start: () => Child
  /** Told how the child died, before it is started again in `delayMs`. */
  readonly onRestart: (exit: ChildExit, delayMs: number) => void
}

export class Supervisor {
  /** Resolves, never rejects, when no child runs and none will be started. */
  readonly ended: Promise<SupervisionEnd>
  readonly #start: () => Child
  readonly #onRestart: (exit: ChildExit, delayMs: number) => void
  readonly #policy = new RestartPolicy()
  readonly #firstReady: Promise<void>
  #child: Child
  #isStopping = false
  #isUnref = false
  #wakeUp: () => void = () => {}

  constructor({ start, onRestart }: SupervisorOptions) {
    this.#start = start
    this.#onRestart = onRestart
    this.#child = start()
    this.#firstReady = this.#child.ready
    this.ended = this.#supervise()
  }

  /** The child that runs, or ran last. */
  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Resolves once the first child is ready. */
  get ready(): Promise<void> {
    return this.#firstReady
  }

  /** Lets this process end while the child, or a later one, still runs; the child ends with it. */
  unref(): void {
    this.#isUnref = true
    this.#child.unref()
  }

  /** Asks the child to end by SIGTERM and starts no other. Past `graceMs` its group is killed. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true
    this.#wakeUp()
    this.#child.ref()
    const timer = setTimeout(() => this.kill(), graceMs)
    this.#child.signal('SIGTERM')
    await this.ended
    clearTimeout(timer)
  }

  /** Kills the child's group at once and starts no other. */
  kill(): void {
    this.#isStopping = true
    this.#wakeUp()
    this.#child.kill()
  }

  async #supervise(): Promise<SupervisionEnd> {
    for (;;) {
      const startedAtMs = performance.now()
      const exit = await this.#child.exited
      if (this.#isStopping || exit.code === 0) return { type: 'stopped' }
      if (exit.failure !== undefined) return { type: 'gave-up', ...exit.failure }
      const delayMs = this.#policy.delayAfter({ ranForMs: performance.now() - startedAtMs, wasReady: exit.wasReady })
      if (delayMs === undefined) return { type: 'gave-up', code: 'ERR_HEDDLE_FATAL', message: diedTooOften(exit) }
      this.#onRestart(exit, delayMs)
      await this.#pause(delayMs)
      if (this.#isStopping) return { type: 'stopped' }
      this.#child = this.#start()
      if (this.#isUnref) this.#child.unref()
    }
  }

  /** Waits; `stop` and `kill` wake it up. */
  async #pause(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delayMs)
      if (this.#isUnref) timer.unref()
      this.#wakeUp = () => {
        clearTimeout(timer)
        resolve()
      }
      if (this.#isStopping) this.#wakeUp()
    })
  }
}

function diedTooOften(last: ChildExit): string {
  return `The process died again and again while it started, the last time by ${describeExit(last)}; see its log above.`
}
