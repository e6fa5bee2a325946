/** What the page remembers of the last minutes, for its charts and for rates: a sample a second, of which the oldest go. */
import type { ClusterView } from '../../protocol/messages/watch.js'

export interface Sample {
  readonly atMs: number
  readonly tasksPerSecond: number
  /** Of all workers together. */
  readonly memory: MemoryByKind
  /** Runs that ended, by function. */
  readonly ended: ReadonlyMap<string, number>
  readonly cpuSeconds: ReadonlyMap<string, number>
  readonly receivedBytes: ReadonlyMap<string, number>
}

export interface MemoryByKind {
  /** Values of tasks. */
  readonly values: number
  /** Everything else in the processes: code, heaps, what tasks use. */
  readonly beside: number
  /** Values on disk. */
  readonly spilled: number
}

const STEP_MS = 1_000
const MAX_SAMPLES = 600
/** Rates are taken over so many samples. */
const RATE_SAMPLES = 10

export class History {
  #samples: Sample[] = []

  /** The oldest first. */
  get samples(): readonly Sample[] {
    return this.#samples
  }

  /** Takes note of a state, unless it has one of the same second. */
  add(cluster: ClusterView, atMs: number): void {
    const last = this.#samples.at(-1)
    if (last !== undefined && atMs - last.atMs < STEP_MS) return
    const workers = Object.entries(cluster.workers)
    const sample = {
      atMs,
      tasksPerSecond: cluster.tasksPerSecond,
      memory: memoryOf(workers.map(([, worker]) => worker)),
      ended: new Map(
        Object.entries(cluster.functions).map(([name, { finished, failed }]) => [name, finished + failed]),
      ),
      cpuSeconds: new Map(workers.map(([name, { cpuSeconds }]) => [name, cpuSeconds])),
      receivedBytes: new Map(workers.map(([name, { receivedBytes }]) => [name, receivedBytes])),
    }
    this.#samples = [...this.#samples.slice(-MAX_SAMPLES + 1), sample]
  }

  /** Runs of this function that ended, a second; 0 while nothing is known. */
  rateOf(name: string): number {
    return this.#change((sample) => sample.ended.get(name))
  }

  /** How many cores the worker keeps busy. */
  coresOf(worker: string): number {
    return this.#change((sample) => sample.cpuSeconds.get(worker))
  }

  /** How many bytes of values the worker gets from others, a second. */
  receivedOf(worker: string): number {
    return this.#change((sample) => sample.receivedBytes.get(worker))
  }

  #change(figureOf: (sample: Sample) => number | undefined): number {
    const recent = this.#samples.slice(-RATE_SAMPLES)
    const first = recent.find((sample) => figureOf(sample) !== undefined)
    const last = recent.at(-1)
    if (first === undefined || last === undefined || first === last) return 0
    const change = (figureOf(last) ?? 0) - figureOf(first)!
    return Math.max(0, (change * 1_000) / (last.atMs - first.atMs))
  }
}

interface Memory {
  readonly memoryBytes: number
  readonly storedBytes: number
  readonly spilledBytes: number
}

/** Where the memory of these workers goes. */
export function memoryOf(workers: readonly Memory[]): MemoryByKind {
  let values = 0
  let beside = 0
  let spilled = 0
  for (const { memoryBytes, storedBytes, spilledBytes } of workers) {
    const inMemory = Math.max(0, storedBytes - spilledBytes)
    values += inMemory
    beside += Math.max(0, memoryBytes - inMemory)
    spilled += spilledBytes
  }
  return { values, beside, spilled }
}
