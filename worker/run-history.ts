/**
 * What the threads of a worker ran last, for `client.timeline()`. Tasks that follow each other, of one function and each over
 * in less than a millisecond, are one entry: so what is kept costs nothing beside the tasks, and reaches far back.
 */
import { generatedKey, type Attempt, type TaskId } from '../protocol/ids.js'
import { MAX_KEPT_LENT_RUNS, MAX_KEPT_RUNS } from '../protocol/limits.js'
import type { RanTasks } from '../protocol/messages/report.js'
import type { Outcomes, RunParts } from './core/events.js'
import type { BatchTask } from './core/instructions.js'
import { labelOf } from './core/lending.js'
import { SHORT_US } from './thread/run-clock.js'

export interface Entry {
  readonly name: string
  /** Of the first task. */
  readonly task: TaskId
  readonly explicitKey: string | undefined
  readonly thread: number
  readonly atMs: number
  /** Of one long task, where that was measured. */
  readonly parts: RunParts | undefined
  count: number
  durationUs: number
  failed: number
}

export class RunHistory {
  readonly #entries: Entry[] = []
  /** Where the next entry goes once there are as many as may be: in the place of the oldest. */
  #next = 0
  /** By thread: what it was given, and until when it is known what it did. */
  readonly #threads: { tasks: readonly BatchTask[]; ended: number; knownUntilMs: number }[] = []
  #added = 0
  /** Runs of tasks that waited for others: their threads did something else meanwhile, so they are told of the task alone. */
  readonly #lent = new Map<string, Entry>()
  readonly #lentEnded: Entry[] = []
  readonly #nowMs: () => number

  constructor(nowMs: () => number = () => performance.timeOrigin + performance.now()) {
    this.#nowMs = nowMs
  }

  /** The thread begins a batch. */
  begin(thread: number, tasks: readonly BatchTask[]): void {
    this.#threads[thread] = { tasks, ended: 0, knownUntilMs: this.#nowMs() }
  }

  /** These were added to its batch. */
  extend(thread: number, tasks: readonly BatchTask[]): void {
    const running = this.#threads[thread]
    if (running !== undefined) running.tasks = [...running.tasks, ...tasks]
  }

  /** Tasks of its batch have ended, in this order. When each began follows from how long it took. */
  add(thread: number, { places, threw, durationsUs, parts }: Outcomes): void {
    const running = this.#threads[thread]
    if (running === undefined) return
    const { tasks } = running
    let atMs = running.knownUntilMs
    let last: Entry | undefined
    let lastPlace = -1
    for (let i = 0; i < places.length; i++) {
      const place = places[i]!
      if (place === lastPlace) continue // One more output of the same task.
      lastPlace = place
      const durationUs = Math.max(0, durationsUs[i]!)
      const { template, task, key } = tasks[place]!
      const isShort = durationUs < SHORT_US
      if (last === undefined || !isShort || last.name !== template.name) {
        last = this.#push({
          name: template.name,
          task,
          explicitKey: key,
          thread,
          atMs,
          parts: isShort ? undefined : parts?.get(place),
          count: 0,
          durationUs: 0,
          failed: 0,
        })
      }
      last.count += 1
      last.durationUs += durationUs
      if (threw.size > 0 && threw.has(i)) last.failed += 1
      atMs += durationUs / 1_000
      if (!isShort) last = undefined
    }
    running.knownUntilMs = atMs
    running.ended = Math.max(running.ended, lastPlace + 1)
  }

  /** The thread does nothing. */
  end(thread: number): void {
    const running = this.#threads[thread]
    if (running !== undefined) running.ended = running.tasks.length
  }

  /** The task at this place of the thread's batch waits for others. What the thread does next is no part of its run. */
  lend(thread: number, place: number): void {
    const running = this.#threads[thread]
    const lent = running?.tasks[place]
    if (running === undefined || lent === undefined) return
    const { template, task, attempt, key } = lent
    const about = { name: template.name, task, explicitKey: key, thread, atMs: running.knownUntilMs }
    this.#lent.set(labelOf(task, attempt), { ...about, parts: undefined, count: 1, durationUs: 0, failed: 0 })
    running.ended = Math.max(running.ended, place + 1)
    running.knownUntilMs = this.#nowMs()
  }

  /** It has ended, some time after it went on. */
  endLent(task: TaskId, attempt: Attempt, { threw, parts }: Outcomes): void {
    const run = this.#lent.get(labelOf(task, attempt))
    if (run === undefined) return
    this.loseLent(task, attempt)
    const durationUs = (this.#nowMs() - run.atMs) * 1_000
    this.#lentEnded.push({ ...run, parts: parts?.get(0), durationUs, failed: threw.size > 0 ? 1 : 0 })
    if (this.#lentEnded.length > MAX_KEPT_LENT_RUNS) this.#lentEnded.shift()
  }

  /** It is gone with its thread. */
  loseLent(task: TaskId, attempt: Attempt): void {
    this.#lent.delete(labelOf(task, attempt))
  }

  /** Runs of the task that wait for others, or went on. */
  lentOf(task: TaskId): readonly Entry[] {
    return [...this.#lent.values()].filter((run) => run.task === task)
  }

  /** How many entries there have been. */
  get added(): number {
    return this.#added
  }

  /** The entries after the first `added`, but for those that are not kept any more. */
  since(added: number): readonly Entry[] {
    const first = Math.max(added, this.#added - this.#entries.length)
    return Array.from({ length: this.#added - first }, (_, i) => this.#entries[(first + i) % MAX_KEPT_RUNS]!)
  }

  /** What each thread is at, as far as that is known, and since when. */
  get running(): readonly { readonly thread: number; readonly task: BatchTask; readonly atMs: number }[] {
    return this.#threads.flatMap(({ tasks, ended, knownUntilMs }, thread) => {
      const task = tasks[ended]
      return task === undefined ? [] : [{ thread, task, atMs: knownUntilMs }]
    })
  }

  /** Runs that began with this task, the oldest first. */
  of(task: TaskId): readonly Entry[] {
    return [...this.#inOrder, ...this.#lentEnded]
      .filter((entry) => entry.task === task)
      .sort((one, other) => one.atMs - other.atMs)
  }

  /** As they go to clients, the oldest first. */
  get entries(): readonly RanTasks[] {
    return this.#inOrder.map(({ name, task, explicitKey, thread, atMs, count, durationUs, failed, parts }) => {
      const key = explicitKey ?? generatedKey(name, task)
      return { name, key, count, thread, atMs, failed, ...timesOf(durationUs / 1_000, parts) }
    })
  }

  get #inOrder(): Entry[] {
    return [...this.#entries.slice(this.#next), ...this.#entries.slice(0, this.#next)]
  }

  #push(entry: Entry): Entry {
    this.#added += 1
    if (this.#entries.length < MAX_KEPT_RUNS) this.#entries.push(entry)
    else {
      this.#entries[this.#next] = entry
      this.#next = (this.#next + 1) % MAX_KEPT_RUNS
    }
    return entry
  }
}

/** In milliseconds: the whole of a run and, where it was measured, what that went into. */
export function timesOf(
  durationMs: number,
  parts: RunParts | undefined,
): Pick<RanTasks, 'durationMs' | 'decodeMs' | 'runMs' | 'encodeMs'> {
  if (parts === undefined) return { durationMs, decodeMs: undefined, runMs: undefined, encodeMs: undefined }
  const [decodeMs, encodeMs] = [parts.decodeUs / 1_000, parts.encodeUs / 1_000]
  return { durationMs, decodeMs, runMs: Math.max(0, durationMs - decodeMs - encodeMs), encodeMs }
}
