/** What the threads run, and what values move, told to the scheduler a few times a second while somebody looks there. */
import { generatedKey } from '../protocol/ids.js'
import { MAX_RUNS_TOLD, RUNS_INTERVAL_MS } from '../protocol/limits.js'
import type { Move, Runs } from '../protocol/messages/runs.js'
import type { Entry, RunHistory } from './run-history.js'
import { SHORT_US } from './thread/run-clock.js'

/** No bar of several tasks is longer than about this. */
const MAX_JOINT_US = 20_000

type KindOfMove = Move['kind']

export interface RunWatchOptions {
  readonly history: RunHistory
  readonly send: (message: Runs) => void
  readonly nowMs?: () => number
}

export class RunWatch {
  readonly #history: RunHistory
  readonly #send: RunWatchOptions['send']
  readonly #nowMs: () => number
  #timer: NodeJS.Timeout | undefined
  /** How many entries of the history have been told, or were there before. */
  #told = 0
  /** Since the last message, those of a kind together. */
  readonly #moves = new Map<KindOfMove, { count: number; bytes: number }>()
  #wasBusy = false

  constructor({ history, send, nowMs = () => performance.timeOrigin + performance.now() }: RunWatchOptions) {
    this.#history = history
    this.#send = send
    this.#nowMs = nowMs
  }

  get isOn(): boolean {
    return this.#timer !== undefined
  }

  start(): void {
    if (this.isOn) return
    this.#told = this.#history.added
    this.#timer = setInterval(() => this.#tell(), RUNS_INTERVAL_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#moves.clear()
  }

  /** Values of so many bytes moved. */
  noteMove(kind: KindOfMove, count: number, bytes: number): void {
    if (!this.isOn) return
    const moved = this.#moves.get(kind) ?? { count: 0, bytes: 0 }
    this.#moves.set(kind, { count: moved.count + count, bytes: moved.bytes + bytes })
  }

  #tell(): void {
    const nowMs = this.#nowMs()
    const agoUs = (atMs: number): number => Math.max(0, Math.round((nowMs - atMs) * 1_000))
    const { added } = this.#history
    const kept = this.#history.since(this.#told)
    const entries = joined(kept)
    const latest = entries.slice(-MAX_RUNS_TOLD)
    const runs = latest.map(({ name, task, explicitKey, thread, atMs, durationUs, count, failed }) => {
      const key = explicitKey ?? generatedKey(name, task)
      return { function: name, key, thread, agoUs: agoUs(atMs), durationUs: Math.round(durationUs), count, failed }
    })
    const running = this.#history.running
      .slice(0, MAX_RUNS_TOLD)
      .map(({ thread, task: { task, key, template }, atMs }) => {
        return { function: template.name, key: key ?? generatedKey(template.name, task), thread, agoUs: agoUs(atMs) }
      })
    const moves = [...this.#moves].map(([kind, moved]) => ({ kind, agoUs: 0, ...moved }))
    const leftOut = added - this.#told - kept.length + entries.length - latest.length
    this.#told = added
    this.#moves.clear()
    // That nothing runs any more is news, once.
    const isBusy = runs.length + running.length + moves.length > 0
    if (isBusy || this.#wasBusy) this.#send({ type: 'runs', runs, running, moves, leftOut })
    this.#wasBusy = isBusy
  }
}

/** Short tasks of one function that follow each other in a thread, which the history has in the pieces it heard of: as one. */
function joined(entries: readonly Entry[]): readonly Entry[] {
  const joint: Entry[] = []
  /** By thread. */
  const last = new Map<number, Entry>()
  for (const entry of entries) {
    const before = last.get(entry.thread)
    if (before !== undefined && belongTogether(before, entry)) {
      before.durationUs = Math.round((entry.atMs - before.atMs) * 1_000 + entry.durationUs)
      before.count += entry.count
      before.failed += entry.failed
    } else {
      const copy = { ...entry }
      joint.push(copy)
      last.set(entry.thread, copy)
    }
  }
  return joint
}

function belongTogether(before: Entry, entry: Entry): boolean {
  if (before.name !== entry.name || before.failed > 0 || entry.failed > 0) return false
  const gapUs = (entry.atMs - before.atMs) * 1_000 - before.durationUs
  const isShort = entry.durationUs < SHORT_US * entry.count && before.durationUs < SHORT_US * before.count
  return isShort && gapUs < SHORT_US && before.durationUs < MAX_JOINT_US
}
