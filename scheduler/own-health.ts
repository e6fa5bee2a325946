/** How the scheduler's own process is: measured only while somebody looks, and told in figures over the last second. */
import { hostname } from 'node:os'
import {
  monitorEventLoopDelay,
  PerformanceObserver,
  type EventLoopUtilization,
  type IntervalHistogram,
} from 'node:perf_hooks'
import { packageVersion } from '../common/node/package-version.js'
import type { SchedulerView } from '../protocol/messages/watch.js'

const SPAN_MS = 1_000
/** How often the loop is asked how late it is. */
const RESOLUTION_MS = 10

type Figures = Omit<SchedulerView, 'connections' | 'viewers' | 'journal'>

export class OwnHealth {
  readonly #delays: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  readonly #collections = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) this.#garbageMs += duration
  })
  #garbageMs = 0
  #loop: EventLoopUtilization = performance.eventLoopUtilization()
  #cpu = process.cpuUsage()
  #sinceMs = performance.now()
  #view: Figures

  constructor() {
    this.#delays.enable()
    this.#collections.observe({ entryTypes: ['gc'] })
    // Of no time at all nothing can be said.
    this.#view = { ...this.#measure(SPAN_MS), loopBusy: 0 }
  }

  get view(): Figures {
    const spanMs = performance.now() - this.#sinceMs
    if (spanMs >= SPAN_MS) this.#view = this.#measure(spanMs)
    return this.#view
  }

  close(): void {
    this.#delays.disable()
    this.#collections.disconnect()
  }

  #measure(spanMs: number): Figures {
    const { user, system } = process.cpuUsage(this.#cpu)
    const { rss, heapUsed } = process.memoryUsage()
    const lateMs = (nanoseconds: number): number => Math.max(0, Math.round(nanoseconds / 1e5) / 10 - RESOLUTION_MS)
    const figures = {
      packageVersion: packageVersion(),
      nodeVersion: process.version,
      pid: process.pid,
      host: hostname(),
      startedAt: Math.round(performance.timeOrigin),
      memoryBytes: rss,
      heapBytes: heapUsed,
      cpu: inPercent((user + system) / 1_000 / spanMs),
      loopBusy: inPercent(performance.eventLoopUtilization(this.#loop).utilization),
      loopDelayMs: this.#delays.count === 0 ? 0 : tenths(lateMs(this.#delays.percentile(99))),
      longestDelayMs: this.#delays.count === 0 ? 0 : tenths(lateMs(this.#delays.max)),
      garbageMs: tenths((this.#garbageMs * SPAN_MS) / spanMs),
    }
    this.#sinceMs = performance.now()
    this.#cpu = process.cpuUsage()
    this.#loop = performance.eventLoopUtilization()
    this.#delays.reset()
    this.#garbageMs = 0
    return figures
  }
}

function inPercent(share: number): number {
  return Math.round(share * 100) / 100
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10
}
