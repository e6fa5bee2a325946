/** The routes of `/api/v1`: what each is, for the server that answers them and for the description that people read. */
import {
  clusterOverview,
  clusterProfile,
  errorList,
  functionList,
  health,
  kindActionOutcome,
  taskActionOutcome,
  taskDetails,
  taskHistory,
  workerActionOutcome,
  workerList,
} from '../protocol/messages/api.js'
import { MAX_PROFILE_MS, MIN_PROFILE_INTERVAL_US } from '../protocol/limits.js'
import { clusterStatus } from '../protocol/messages/status.js'
import type { Field } from '../protocol/schema.js'
import type { SchedulerMachine } from './core/machine.js'
import type { OperatorAction } from './core/views/on-operator.js'

export type Views = Omit<SchedulerMachine, 'handleEvent' | 'endTurn' | 'nextDeadlineMs' | 'checkInvariants'>

/** A route that tells something at once. */
export interface View {
  readonly path: string
  readonly summary: string
  readonly answer: Field<unknown>
  read(machine: Views, nowMs: number): unknown
}

/** A route that changes something about what its parameter names. */
export interface Action {
  readonly path: string
  readonly parameter: 'key' | 'fingerprint' | 'name'
  readonly summary: string
  readonly action: OperatorAction
  readonly answer: Field<unknown>
}

export const VIEWS: readonly View[] = [
  {
    path: '/api/v1/cluster',
    summary: 'The cluster in a few figures: health, tasks by state, throughput, memory.',
    answer: clusterOverview,
    read: (machine, nowMs) => machine.overviewOf(nowMs),
  },
  {
    path: '/api/v1/health',
    summary: 'What somebody should look at. It answers 200 whatever that is.',
    answer: health,
    read: (machine, nowMs) => machine.overviewOf(nowMs).health,
  },
  {
    path: '/api/v1/workers',
    summary: 'Every worker: who it is, what it does and what it holds.',
    answer: workerList,
    read: (machine, nowMs) => ({ workers: machine.statusOf(nowMs).workers }),
  },
  {
    path: '/api/v1/functions',
    summary: 'Progress by function.',
    answer: functionList,
    read: (machine, nowMs) => machine.functionsOf(nowMs),
  },
  {
    path: '/api/v1/errors',
    summary: 'Failed runs, gathered by what they have in common.',
    answer: errorList,
    read: (machine, nowMs) => machine.errorsOf(nowMs),
  },
  {
    path: '/api/v1/status',
    summary: 'Everything at once, as client.info() and heddle status --json have it.',
    answer: clusterStatus,
    read: (machine, nowMs) => machine.statusOf(nowMs),
  },
]

export const TASK_VIEW = {
  path: '/api/v1/tasks/:key',
  summary: 'One task: its state, why it does not run, inputs, attempts, timings, and its error with the stack.',
  answer: taskDetails,
} as const

export const TASK_HISTORY = {
  path: '/api/v1/tasks/:key/history',
  summary: 'What workers remember of one task: its runs, with what they waited for, and what it printed.',
  answer: taskHistory,
} as const

export const PROFILE = {
  path: '/api/v1/profile',
  summary: 'Samples what the threads of workers do, and answers when that is done: where their time goes, by function.',
  answer: clusterProfile,
  query: {
    worker: 'Name of one worker; of all, if it is left out.',
    durationMs: `How long, from 1 to ${MAX_PROFILE_MS}; 1000, if it is left out.`,
    intervalMicros: `How far samples are apart, from ${MIN_PROFILE_INTERVAL_US} up; 1000, if it is left out.`,
  },
} as const

const OF_TASK = { parameter: 'key', answer: taskActionOutcome } as const
const OF_WORKER = { parameter: 'name', answer: workerActionOutcome } as const

export const ACTIONS: readonly Action[] = [
  {
    ...OF_TASK,
    path: '/api/v1/tasks/:key/cancel',
    summary: 'Cancels a task for everybody: it fails with ERR_HEDDLE_TASK_CANCELLED, and so does what needs it.',
    action: 'cancel',
  },
  {
    ...OF_TASK,
    path: '/api/v1/tasks/:key/retry',
    summary: 'Runs a failed task again, with the inputs that it failed for, and with what failed for the same reason.',
    action: 'retry',
  },
  {
    parameter: 'fingerprint',
    answer: kindActionOutcome,
    path: '/api/v1/errors/:fingerprint/retry',
    summary: 'Runs all tasks again that are failed now because of one kind of error.',
    action: 'retry-kind',
  },
  {
    ...OF_WORKER,
    path: '/api/v1/workers/:name/drain',
    summary: 'Lets a worker go: it gets nothing new, what it runs ends, its values move to others.',
    action: 'drain',
  },
  {
    ...OF_WORKER,
    path: '/api/v1/workers/:name/restart',
    summary: 'As drain; but then its process is started again, by its nanny.',
    action: 'restart',
  },
]

/** What there is not, when a parameter names none. */
export const UNKNOWN: Readonly<Record<Action['parameter'], (target: string) => string>> = {
  key: (key) => `There is no task ${key}: it was never submitted, or nobody needs it any more.`,
  fingerprint: (fingerprint) =>
    `There is no kind of error ${fingerprint}, or it was forgotten; /api/v1/errors has them.`,
  name: (name) => `There is no worker ${name}; /api/v1/workers has them.`,
}

export const OPENAPI_PATH = '/api/v1/openapi.json'
export const METRICS_PATH = '/metrics'
