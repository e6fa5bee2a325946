/**
 * `/metrics` for Prometheus, from the figures that the core keeps as things happen. It is loaded at the first scrape. Every
 * metric is in docs/metrics.md, which a test compares.
 */
import type * as PromClient from 'prom-client'
import { requirePackage } from '../common/node/require-package.js'
import type { ClusterOverview } from '../protocol/messages/api.js'
import type { ClusterStatus } from '../protocol/messages/status.js'
import type { JournalView } from '../protocol/messages/watch.js'
import { MetricNames } from './metric-names.js'

const { collectDefaultMetrics, Counter, Gauge, Registry } = requirePackage('prom-client') as typeof PromClient

/** Node's own, as prom-client has them, but for three that are called totals and are none. */
const NOT_OURS = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

export interface MetricsSource {
  status(): ClusterStatus
  overview(): ClusterOverview
  /** Connections that are past their handshake. */
  readonly connections: number
  readonly relayedBytes: number
  /** `undefined` when it keeps no state. */
  journal(): JournalView | undefined
}

type Labels = Readonly<Record<string, string>>
/** One figure, with its labels. */
type Sample = readonly [value: number, labels?: Labels]

/** All that is asked once for a scrape. */
interface Reading {
  readonly status: ClusterStatus
  readonly overview: ClusterOverview
  readonly functions: ReturnType<MetricNames['of']>
  readonly source: MetricsSource
}

interface Metric {
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
  read(reading: Reading): readonly Sample[]
}

const byJournal = (figure: (journal: JournalView) => number): Metric['read'] => {
  return ({ source }) => {
    const journal = source.journal()
    return journal === undefined ? [] : [[figure(journal)]]
  }
}

const byWorker = (figure: (worker: ClusterStatus['workers'][number]) => number): Metric['read'] => {
  return ({ status }) => status.workers.map((worker) => [figure(worker), { worker: worker.name }])
}
const WORKER = ['worker']

const GAUGES: readonly Metric[] = [
  {
    name: 'heddle_build_info',
    help: 'Always 1; the labels say what runs.',
    labels: ['version', 'node_version'],
    read: ({ status }) => [[1, { version: status.packageVersion, node_version: status.nodeVersion }]],
  },
  {
    name: 'heddle_tasks',
    help: 'Tasks in each state now, each task once.',
    labels: ['state'],
    read: ({ status }) => Object.entries(status.tasks).map(([state, count]) => [count, { state }]),
  },
  {
    name: 'heddle_function_tasks',
    help: 'Tasks in each state now, by function.',
    labels: ['function', 'state'],
    read: ({ functions }) =>
      functions.flatMap(({ name, tasks }) =>
        Object.entries(tasks).map(([state, count]): Sample => [count, { function: name, state }]),
      ),
  },
  {
    name: 'heddle_function_run_mean_seconds',
    help: 'Mean time of recent runs, by function.',
    labels: ['function'],
    read: ({ functions }) =>
      functions.flatMap(({ name, meanMs }): Sample[] => (meanMs > 0 ? [[meanMs / 1_000, { function: name }]] : [])),
  },
  {
    name: 'heddle_blocked_kinds',
    help: 'Kinds of tasks that nothing that is there lets run.',
    read: ({ status }) => [[status.blocked.length]],
  },
  { name: 'heddle_clients', help: 'Clients that are connected.', read: ({ status }) => [[status.clients]] },
  { name: 'heddle_workers', help: 'Workers that have joined.', read: ({ status }) => [[status.workers.length]] },
  {
    name: 'heddle_connections',
    help: 'Connections of clients, workers and viewers.',
    read: ({ source }) => [[source.connections]],
  },
  {
    name: 'heddle_cached_result_bytes',
    help: 'Small results that the scheduler keeps.',
    read: ({ overview }) => [[overview.memory.cachedBytes]],
  },
  {
    name: 'heddle_worker_threads',
    help: 'Threads that run tasks, by worker.',
    labels: WORKER,
    read: byWorker(({ threads }) => threads),
  },
  {
    name: 'heddle_worker_processing_tasks',
    help: 'Tasks sent to the worker and not ended.',
    labels: WORKER,
    read: byWorker(({ processing }) => processing),
  },
  {
    name: 'heddle_worker_sent_ahead_tasks',
    help: 'Tasks sent to the worker ahead of their inputs; until these come, they count as waiting.',
    labels: WORKER,
    read: byWorker(({ sentAhead }) => sentAhead),
  },
  {
    name: 'heddle_worker_memory_bytes',
    help: 'What the worker process takes.',
    labels: WORKER,
    read: byWorker(({ memoryBytes }) => memoryBytes),
  },
  {
    name: 'heddle_worker_memory_limit_bytes',
    help: 'What the worker is meant to take at most.',
    labels: WORKER,
    read: byWorker(({ memoryLimitBytes }) => memoryLimitBytes),
  },
  {
    name: 'heddle_worker_stored_bytes',
    help: 'Values that the worker holds, in memory and on disk.',
    labels: WORKER,
    read: byWorker(({ storedBytes }) => storedBytes),
  },
  {
    name: 'heddle_worker_spilled_bytes',
    help: 'Of the stored values, those on disk.',
    labels: WORKER,
    read: byWorker(({ spilledBytes }) => spilledBytes),
  },
  {
    name: 'heddle_worker_stored_values',
    help: 'How many values the worker holds.',
    labels: WORKER,
    read: byWorker(({ storedCount }) => storedCount),
  },
  {
    name: 'heddle_worker_paused',
    help: '1 while the worker does one task at a time for want of memory.',
    labels: WORKER,
    read: byWorker(({ pausedBy }) => (pausedBy === '' ? 0 : 1)),
  },
  {
    name: 'heddle_worker_disk_full',
    help: '1 while the worker has no room on disk for values.',
    labels: WORKER,
    read: byWorker(({ isDiskFull }) => (isDiskFull ? 1 : 0)),
  },
  {
    name: 'heddle_worker_silent_seconds',
    help: 'Time since the worker was last heard of.',
    labels: WORKER,
    read: byWorker(({ silentForMs }) => silentForMs / 1_000),
  },
  {
    name: 'heddle_journal_bytes',
    help: 'What the journal has on disk, if there is one.',
    read: byJournal(({ sizeBytes }) => sizeBytes),
  },
  {
    name: 'heddle_journal_unwritten_bytes',
    help: 'What waits to be written to the journal for want of room on the disk.',
    read: byJournal(({ unwrittenBytes }) => unwrittenBytes),
  },
  {
    name: 'heddle_journal_sync_seconds',
    help: 'How long the disk took the last time to keep what was written to the journal.',
    read: byJournal(({ syncMs }) => syncMs / 1_000),
  },
]

const COUNTERS: readonly Metric[] = [
  {
    name: 'heddle_worker_received_bytes_total',
    help: 'Values that the worker got from other workers and from clients.',
    labels: WORKER,
    read: byWorker(({ receivedBytes }) => receivedBytes),
  },
  {
    name: 'heddle_tasks_submitted_total',
    help: 'Tasks that clients submitted.',
    read: ({ status }) => [[status.totals.submitted]],
  },
  {
    name: 'heddle_tasks_finished_total',
    help: 'Runs that ended well.',
    read: ({ status }) => [[status.totals.finished]],
  },
  {
    name: 'heddle_tasks_failed_total',
    help: 'Tasks that failed, for want of an input too.',
    read: ({ status }) => [[status.totals.failed]],
  },
  {
    name: 'heddle_tasks_retried_total',
    help: 'Runs that failed and were followed by another try.',
    read: ({ status }) => [[status.totals.retried]],
  },
  {
    name: 'heddle_tasks_cancelled_total',
    help: 'Tasks that were cancelled, and those that needed them.',
    read: ({ status }) => [[status.totals.cancelled]],
  },
  {
    name: 'heddle_function_runs_total',
    help: 'Runs by function and by how they ended.',
    labels: ['function', 'outcome'],
    read: ({ functions }) =>
      functions.flatMap(({ name, finished, failed }): Sample[] => [
        [finished, { function: name, outcome: 'finished' }],
        [failed, { function: name, outcome: 'failed' }],
      ]),
  },
  {
    name: 'heddle_result_bytes_total',
    help: 'Results of finished runs.',
    read: ({ status }) => [[status.totals.resultBytes]],
  },
  {
    name: 'heddle_moved_bytes_total',
    help: 'Values that workers got from other workers and from clients.',
    read: ({ status }) => [[status.totals.movedBytes]],
  },
  {
    name: 'heddle_repairs_total',
    help: 'Tasks and values of which scheduler and worker believed something else, which was put right: a bug of heddle.',
    read: ({ status }) => [[status.totals.repaired]],
  },
  {
    name: 'heddle_relayed_bytes_total',
    help: 'What went through the scheduler between members that can’t reach each other.',
    read: ({ source }) => [[source.relayedBytes]],
  },
  {
    name: 'heddle_worker_cpu_seconds_total',
    help: 'Processor time of the worker process.',
    labels: WORKER,
    read: byWorker(({ cpuSeconds }) => cpuSeconds),
  },
]

export class Metrics {
  readonly #registry = new Registry()
  readonly #source: MetricsSource
  readonly #names = new MetricNames()
  readonly #metrics: readonly { readonly metric: Metric; set(samples: readonly Sample[]): void }[]

  constructor(source: MetricsSource) {
    this.#source = source
    collectDefaultMetrics({ register: this.#registry })
    for (const name of NOT_OURS) this.#registry.removeSingleMetric(name)
    this.#metrics = [
      ...GAUGES.map((metric) => {
        const gauge = new Gauge(this.#options(metric))
        return {
          metric,
          set: (samples: readonly Sample[]) => {
            gauge.reset()
            // Without labels it would be 0, and not nothing.
            if (samples.length === 0 && metric.labels === undefined) gauge.remove()
            for (const [value, labels = {}] of samples) gauge.set(labels, value)
          },
        }
      }),
      ...COUNTERS.map((metric) => {
        const counter = new Counter(this.#options(metric))
        return {
          metric,
          // The core counts; what a worker that left had is told no more.
          set: (samples: readonly Sample[]) => {
            counter.reset()
            for (const [value, labels = {}] of samples) counter.inc(labels, value)
          },
        }
      }),
    ]
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** The text that Prometheus reads. */
  async text(): Promise<string> {
    const status = this.#source.status()
    const overview = this.#source.overview()
    const reading = { status, overview, functions: this.#names.of(status), source: this.#source }
    for (const { metric, set } of this.#metrics) set(metric.read(reading))
    return await this.#registry.metrics()
  }

  #options({ name, help, labels = [] }: Metric): {
    name: string
    help: string
    labelNames: string[]
    registers: PromClient.Registry[]
  } {
    return { name, help, labelNames: [...labels], registers: [this.#registry] }
  }
}
