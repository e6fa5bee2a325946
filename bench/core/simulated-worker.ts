/** A worker of one thread as the scheduler's core sees it: it takes tasks in, and reports them finished in that order. */
import { Fifo } from '../../common/fifo.js'
import type { Packed } from '../../common/packed.js'
import { templateId, type TaskId, type WorkerId } from '../../protocol/ids.js'
import type { Join, Pulse, RunTasks, TasksFinished } from '../../protocol/messages/worker.js'

/** One report tells of at most so many tasks. */
const TASKS_PER_REPORT = 32
/** How long a task is said to take: the scheduler sends a worker several reports' worth of them ahead. */
const TASK_US = 100

export class SimulatedWorker {
  readonly id: WorkerId
  readonly join: Join
  readonly #received = new Fifo<RunTasks>()
  /** How many tasks of the oldest message are reported. */
  #place = 0

  constructor(id: WorkerId) {
    this.id = id
    this.join = {
      type: 'join',
      name: `worker-${id}`,
      address: `ws://worker-${id}`,
      threads: 1,
      memoryLimitBytes: 2 ** 30,
      pid: id,
      host: `host-${id}`,
      packageVersion: '0',
      nodeVersion: '0',
      incarnation: `incarnation-${id}`,
      resources: [],
      ioTasks: 256,
      tags: [],
      isWatched: true,
      lastDeath: undefined,
    }
  }

  take(message: RunTasks): void {
    this.#received.push(message)
  }

  /** The next tasks are finished; each has its argument for a value. */
  takeReport(): TasksFinished | undefined {
    const message = this.#received.peek()
    if (message === undefined) return undefined
    const start = this.#place
    const end = Math.min(message.tasks.length, start + TASKS_PER_REPORT)
    this.#place = end
    if (end === message.tasks.length) {
      this.#received.shift()
      this.#place = 0
    }
    const tasks = message.tasks.slice(start, end)
    const count = end - start
    return {
      type: 'tasks-finished',
      tasks,
      attempts: [],
      sizes: sizesOf(message.args, start, end),
      values: slice(message.args, start, end),
      timings: [{ template: templateId(message.runs[0]!), count, totalUs: count * TASK_US }],
    }
  }

  pulse(): Pulse {
    const running: readonly TaskId[] = this.#received.peek()?.tasks.slice(this.#place, this.#place + 1) ?? []
    return {
      type: 'pulse',
      memoryBytes: 100_000_000,
      cpuSeconds: 1,
      storedCount: 0,
      storedBytes: 0,
      spilledBytes: 0,
      pausedBy: '',
      isDiskFull: false,
      isHoldingBack: false,
      running,
      attempts: [],
      runningForMs: running.map(() => 0),
    }
  }
}

/** The entries from `start` to `end`, with bytes of their own, as they come out of a frame. */
function slice({ ends, bytes }: Packed, start: number, end: number): Packed {
  const from = start === 0 ? 0 : ends[start - 1]!
  return { ends: ends.slice(start, end).map((each) => each - from), bytes: bytes.slice(from, ends[end - 1]) }
}

function sizesOf({ ends }: Packed, start: number, end: number): number[] {
  const sizes: number[] = []
  for (let i = start; i < end; i++) sizes.push(ends[i]! - (i === 0 ? 0 : ends[i - 1]!))
  return sizes
}
