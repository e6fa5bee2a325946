/** What a worker remembers of one task, for whoever looks at it: put together when somebody asks, from what is kept anyway. */
import type { TaskId } from '../protocol/ids.js'
import { MAX_KEPT_ARRIVALS } from '../protocol/limits.js'
import type { TaskReport } from '../protocol/messages/api.js'
import type { TellOfTask } from '../protocol/messages/report.js'
import type { LogRing } from './log-ring.js'
import { RecentIds } from './recent-ids.js'
import { timesOf, type RunHistory } from './run-history.js'

/** So much is told of a task. */
const MAX_RUNS = 20
const MAX_LINES = 200

export class TaskHistory {
  /** When tasks came, when inputs were asked for, and when these were there. */
  readonly #received = new RecentIds(MAX_KEPT_ARRIVALS)
  readonly #asked = new RecentIds(MAX_KEPT_ARRIVALS)
  readonly #fetched = new RecentIds(MAX_KEPT_ARRIVALS)
  readonly #runs: RunHistory
  readonly #log: LogRing
  readonly #nowMs: () => number

  constructor(runs: RunHistory, log: LogRing, nowMs: () => number = () => performance.timeOrigin + performance.now()) {
    this.#runs = runs
    this.#log = log
    this.#nowMs = nowMs
  }

  received(tasks: readonly TaskId[]): void {
    this.#received.note(tasks, this.#nowMs())
  }

  asked(inputs: readonly TaskId[]): void {
    this.#asked.note(inputs, this.#nowMs())
  }

  fetched(inputs: readonly TaskId[]): void {
    this.#fetched.note(inputs, this.#nowMs())
  }

  of({ task, key, inputs }: TellOfTask): TaskReport {
    const nowMs = this.#nowMs()
    const ended = this.#runs.of(task).map(({ thread, atMs, durationUs, failed, parts }) => {
      return { thread, atMs, ...timesOf(durationUs / 1_000, parts), hasEnded: true, hasFailed: failed > 0 }
    })
    const inThreads = this.#runs.running.filter((run) => run.task.task === task)
    const running = [...this.#runs.lentOf(task), ...inThreads].map(({ thread, atMs }) => {
      return { thread, atMs, ...timesOf(nowMs - atMs, undefined), hasEnded: false, hasFailed: false }
    })
    const runs = [...ended, ...running].slice(-MAX_RUNS).map(({ atMs, ...run }) => {
      const receivedAtMs = this.#received.lastOf(task, atMs)
      const about = { ...run, startedAtMs: atMs }
      if (receivedAtMs === undefined) return { ...about, receivedAtMs: 0, queueMs: 0, fetchMs: 0 }
      const fetchMs = this.#fetchMs(inputs, receivedAtMs, atMs)
      return { ...about, receivedAtMs, queueMs: Math.max(0, atMs - receivedAtMs - fetchMs), fetchMs }
    })
    const lines = this.#log.lines.filter((line) => line.task === key).slice(-MAX_LINES)
    return { runs, lines: lines.map(({ atMs, level, text }) => ({ atMs, level, text })) }
  }

  /** From the first input that was asked for to the last that came, between these times. */
  #fetchMs(inputs: readonly TaskId[], fromMs: number, toMs: number): number {
    let first = Infinity
    let last = -Infinity
    for (const input of inputs) {
      const gotMs = this.#fetched.lastOf(input, toMs)
      if (gotMs === undefined || gotMs < fromMs) continue // It was there.
      last = Math.max(last, gotMs)
      first = Math.min(first, Math.max(fromMs, this.#asked.lastOf(input, gotMs) ?? fromMs))
    }
    return Math.max(0, last - first)
  }
}
