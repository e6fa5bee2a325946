/** What the scheduler's HTTP API answers, beside `ClusterStatus` and its parts. It never goes over a link. */
import { about, flag, integer, list, oneOf, optional, real, record, text, type Infer } from '../schema.js'
import { runTimes } from './report.js'
import { blockedStatus, functionStatus, stateCounts, totals, workerStatus } from './status.js'

export const problem = record({
  kind: oneOf('no-workers', 'blocked', 'paused', 'disk-full', 'silent'),
  message: about('One sentence for people.', text),
})
export type Problem = Infer<typeof problem>

export const health = record({
  status: about('warn: there is a problem that somebody should look at.', oneOf('ok', 'warn')),
  problems: about('The first of them, if there are many.', list(problem)),
})
export type Health = Infer<typeof health>

export const clusterOverview = record({
  health,
  packageVersion: text,
  nodeVersion: about('Of the scheduler.', text),
  upForMs: about('Milliseconds since the scheduler started.', integer),
  clients: integer,
  workers: integer,
  threads: about('Of all workers together.', integer),
  processing: about('Tasks that were sent to workers and have not ended.', integer),
  tasks: about('How many tasks are in each state now, each task once.', stateCounts),
  totals: about('Since the scheduler started.', totals),
  tasksPerSecond: about('Finished tasks, over the last few seconds.', real),
  memory: record({
    processBytes: about('What the worker processes take.', integer),
    limitBytes: about('What they are meant to take at most.', integer),
    storedBytes: about('Values that workers hold, in memory and on disk.', integer),
    spilledBytes: about('Of these, on disk.', integer),
    cachedBytes: about('Small results that the scheduler keeps.', integer),
  }),
  blocked: about('Kinds of tasks that nothing that is there lets run.', list(blockedStatus)),
})
export type ClusterOverview = Infer<typeof clusterOverview>

export const workerList = record({ workers: list(workerStatus) })
export const functionList = record({
  total: about('How many functions there are; the list may have fewer.', integer),
  functions: about('By name. Those with most tasks that have not ended come first.', list(functionStatus)),
})
export type FunctionList = Infer<typeof functionList>

export const errorGroup = record({
  fingerprint: about('The same for errors that differ in numbers, quoted texts and ids only.', text),
  code: about('Of an error of heddle itself, such as ERR_HEDDLE_WORKER_LOST; empty when the task threw.', text),
  functionName: text,
  text: about('Name, message and stack of the first one, cut where it is long.', text),
  count: about('How many runs failed so.', integer),
  retried: about('Of these, how many were followed by another try.', integer),
  firstSecondsAgo: real,
  lastSecondsAgo: real,
  lastKey: about('Of the task that failed last.', text),
  lastWorker: about('Where that was; empty when it did not run.', text),
  failedNow: about('Tasks that are failed now because of it: those that can be run again.', integer),
})
export type ErrorGroup = Infer<typeof errorGroup>
export const errorList = record({
  total: about('Failed runs since the start, those of groups that are forgotten included.', integer),
  groups: about('The latest first; the one that was not seen for longest is forgotten first.', list(errorGroup)),
})
export type ErrorList = Infer<typeof errorList>

const failure = record({
  code: about('Of an error of heddle itself; empty when a task threw.', text),
  text: about('Name, message and stack, or the reason that the cluster gives.', text),
  worker: text,
  attempt: integer,
  culpritKey: about('The task that failed first; this one may have failed for want of its value.', text),
})

export const taskDetails = record({
  key: text,
  functionName: text,
  state: text,
  reason: about('One sentence for people: what it waits for, or what became of it.', text),
  details: list(text),
  waitsFor: about('Inputs whose values are not there; the first of them.', list(record({ key: text, state: text }))),
  workers: about(
    'Workers that can\u2019t take it now, and why; the first of them.',
    list(record({ name: text, reason: text })),
  ),
  ahead: about('About how many ready tasks come before it.', integer),
  client: about('Who submitted it.', text),
  priority: integer,
  isDetached: about('It goes on though nobody may hold it.', flag),
  inputCount: integer,
  inputs: about('The first of them.', list(record({ key: text, state: text, sizeBytes: integer }))),
  dependantCount: about('Tasks that need its value.', integer),
  dependants: about('The first of them that were found.', list(record({ key: text, state: text }))),
  attempt: about('Its latest start; 0 before the first.', integer),
  failures: about('Runs that failed by its own doing since it last had a value.', integer),
  workersLost: about('Workers that died while it may have been running.', integer),
  worker: about('Which it was sent to, if it was.', text),
  holders: about('Workers that hold its value; the first of them.', list(text)),
  sizeBytes: about('Of its value, encoded; 0 when there is none.', integer),
  timings: record({
    submittedForMs: about('Since it was submitted, or this scheduler began.', integer),
    runningForMs: about('0 when it does not run, or its worker has not said so yet.', integer),
    delayedForMs: about('Until it is tried again; 0 when it is not delayed.', integer),
    meanMs: about('Of recent runs of the same function; 0 before the first.', real),
  }),
  error: optional(about('Of a failed task.', failure)),
})
export type TaskDetails = Infer<typeof taskDetails>

const runOfTask = {
  thread: integer,
  receivedAtMs: about('When the worker got it: since 1970, by its clock. 0 when that is forgotten.', real),
  startedAtMs: about('When it began: since 1970, by that clock.', real),
  queueMs: about('Between these, how long it waited for a thread.', real),
  fetchMs: about('Between these, how long inputs were on their way from other workers.', real),
  ...runTimes,
  hasEnded: flag,
  hasFailed: flag,
}
const lineOfTask = { atMs: real, level: oneOf('info', 'warn', 'error'), text }

/** What one worker tells of a task. */
export const taskReport = record({ runs: list(record(runOfTask)), lines: list(record(lineOfTask)) })
export type TaskReport = Infer<typeof taskReport>

export const taskHistory = record({
  key: text,
  submittedAtMs: about('Since 1970, by the scheduler\u2019s clock; or when this scheduler began.', real),
  runs: about(
    'Those that workers remember, the oldest first. Short ones that followed each other are remembered as one, by the first.',
    list(record({ worker: text, ...runOfTask })),
  ),
  lines: about('What it printed, as far as workers keep it.', list(record({ worker: text, ...lineOfTask }))),
})
export type TaskHistory = Infer<typeof taskHistory>

const calledFunction = record({
  name: about('(anonymous) for a function without one; in round brackets what is no function.', text),
  url: about('Where its source is; empty for what is not JavaScript.', text),
  line: about('There, from 1; 0 when there is none.', integer),
  parent: about('The place in this list of the function that called it; 0 for the first, which is the root.', integer),
  selfMs: about('Time in the function itself.', real),
  totalMs: about('And in what it called.', real),
})
export const clusterProfile = record({
  durationMs: integer,
  nodes: about(
    'A tree, callers before what they call. Times of all threads add up; those without work are left out.',
    list(calledFunction),
  ),
  threads: about(
    'Those that were sampled.',
    list(record({ worker: text, thread: text, durationMs: real, idleMs: real, samples: integer })),
  ),
  missing: about('Those that were not, and why.', list(record({ worker: text, thread: text, reason: text }))),
})
export type ClusterProfile = Infer<typeof clusterProfile>

const actionOutcome = {
  outcome: about('done, or ended: there was nothing left to do it to.', oneOf('done', 'ended')),
  count: about('How many tasks, or workers, it was done to.', integer),
}
/** Of what is done to a task, to the failed tasks of one kind of error, and to a worker. */
export const taskActionOutcome = record({ key: text, ...actionOutcome })
export const kindActionOutcome = record({ fingerprint: text, ...actionOutcome })
export const workerActionOutcome = record({ name: text, ...actionOutcome })

export const apiError = record({ code: about('One of the codes in docs/errors.md.', text), message: text })
