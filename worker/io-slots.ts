/** Tasks that take no thread, as the core numbers them by slots: each on its way to the thread they share, and back. */
import type { WorkerEvent } from './core/events.js'
import type { BatchTask } from './core/instructions.js'
import type { StopCause } from './core/stopping.js'
import type { CodeHash, TaskId } from '../protocol/ids.js'
import { createBatchRequest } from './batch-request.js'
import { keepOutcome } from './outcomes.js'
import type { IoEnd, IoPool } from './thread-pool.js'
import type { ValueStore } from './value-store.js'

export interface IoSlotsOptions {
  /** The worker's name. */
  readonly worker: string
  readonly pool: IoPool
  readonly store: ValueStore
  readonly urlOf: (code: CodeHash) => string
  readonly submit: (event: WorkerEvent) => void
}

/** For the core it is as if its thread had gone, and another task were to blame. */
const INNOCENT = {
  exitCode: 0,
  reason: 'its client lost the scheduler',
  isOutOfMemory: false,
  isCulprit: false,
} as const

export class IoSlots {
  readonly #options: IoSlotsOptions
  readonly #busy = new Set<number>()
  /** Of these, those whose code is being stored: to stop one is not to begin it. */
  readonly #waiting = new Set<number>()

  constructor(options: IoSlotsOptions) {
    this.#options = options
  }

  /** `codeStored` resolves when the task's code is where the thread finds it. */
  async run(slot: number, task: BatchTask, codeStored: Promise<void> | undefined): Promise<void> {
    const { worker, pool, store, urlOf, submit } = this.#options
    const tasks = [task]
    this.#busy.add(slot)
    // At once: by the time that the code is stored, the inputs may have been let go.
    const valueOf = (input: TaskId): Uint8Array | undefined => store.get(input)
    const request = createBatchRequest({ thread: slot, worker, tasks, isLarge: false, valueOf, urlOf })
    this.#waiting.add(slot)
    if (codeStored !== undefined) await codeStored
    const end: IoEnd = this.#waiting.delete(slot) ? await pool.run(request) : { type: 'orphaned' }
    this.#busy.delete(slot)
    if (end.type === 'ended') {
      submit({
        type: 'tasks-ended',
        nowMs: performance.now(),
        thread: slot,
        outcomes: keepOutcome(store, tasks, end.outcome),
      })
      submit({ type: 'batch-ended', nowMs: performance.now(), thread: slot, firstUnstarted: 1 })
      return
    }
    const { exitCode, reason, isOutOfMemory, isCulprit } = end.type === 'exited' ? end : INNOCENT
    const culprit = isCulprit ? 0 : undefined
    submit({
      type: 'thread-exited',
      nowMs: performance.now(),
      thread: slot,
      culprit,
      firstUnstarted: 1,
      exitCode,
      reason,
      isOutOfMemory,
    })
  }

  /** Tells the slot's task to end, if it listens. */
  askToStop(slot: number, cause: StopCause): void {
    if (!this.#busy.has(slot)) return // It ended just now, and that has been said.
    const wasTold = !this.#waiting.delete(slot) && this.#options.pool.tellToStop(slot, cause)
    this.#options.submit({ type: 'stop-asked', nowMs: performance.now(), thread: slot, wasTold, canTerminate: false })
  }
}
