/**
 * Functions as figures name them: the first so many by name, all others together. Users choose names, so there may be any
 * number of them, and each is a time series for good.
 */
import type { ClusterStatus, StateCounts } from '../protocol/messages/status.js'
import { MAX_METRIC_FUNCTIONS } from '../protocol/limits.js'

export const OTHERS = '(others)'
/** Longer names are cut. */
const MAX_NAME_CHARACTERS = 100

/** What is told of one name. Runs only ever grow, whatever the scheduler forgets of a function that is idle. */
export interface NamedFunction {
  readonly name: string
  readonly tasks: StateCounts
  readonly finished: number
  readonly failed: number
  readonly meanMs: number
}

interface Runs {
  /** Of earlier lives of the function, which the scheduler has forgotten. */
  base: number
  last: number
}

interface Kept {
  readonly finished: Runs
  readonly failed: Runs
}

const NO_TASKS: StateCounts = Object.freeze({
  waiting: 0,
  ready: 0,
  processing: 0,
  'in-memory': 0,
  failed: 0,
  released: 0,
  delayed: 0,
})

export class MetricNames {
  readonly #kept = new Map<string, Kept>()

  of({ functions, tasks, totals }: ClusterStatus): NamedFunction[] {
    const left = {
      tasks: { ...tasks } as Record<keyof StateCounts, number>,
      finished: totals.finished,
      failed: totals.failed,
    }
    const byName = new Map(functions.map((each) => [each.name, each]))
    for (const name of byName.keys()) {
      if (this.#kept.size >= MAX_METRIC_FUNCTIONS) break
      if (!this.#kept.has(name)) this.#kept.set(name, { finished: { base: 0, last: 0 }, failed: { base: 0, last: 0 } })
    }
    const named = [...this.#kept].map(([name, kept]): NamedFunction => {
      const now = byName.get(name)
      const counts = now?.tasks ?? NO_TASKS
      const finished = grown(kept.finished, now?.finished ?? 0)
      const failed = grown(kept.failed, now?.failed ?? 0)
      for (const state of Object.keys(NO_TASKS) as (keyof StateCounts)[]) left.tasks[state] -= counts[state]
      left.finished -= finished
      left.failed -= failed
      return { name: name.slice(0, MAX_NAME_CHARACTERS), tasks: counts, finished, failed, meanMs: now?.meanMs ?? 0 }
    })
    const others = { name: OTHERS, tasks: left.tasks, meanMs: 0 }
    return [...named, { ...others, finished: Math.max(0, left.finished), failed: Math.max(0, left.failed) }]
  }
}

function grown(runs: Runs, now: number): number {
  if (now < runs.last) runs.base += runs.last
  runs.last = now
  return runs.base + now
}
