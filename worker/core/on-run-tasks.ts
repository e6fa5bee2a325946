/**
 * New tasks from the scheduler. This is the hot path: a task costs one record and one map entry, its arguments stay in
 * the bytes that arrived, and only tasks that miss an input cost more.
 */
import { ownBytes } from '../../common/packed.js'
import { attempt, codeHash, type TaskId, type WorkerId } from '../../protocol/ids.js'
import type { FailureRecord } from '../../protocol/messages/common.js'
import type { RunTasks } from '../../protocol/messages/worker.js'
import { hurryBatchOf } from './batch.js'
import type { Template } from './estimates.js'
import { OWN_DISK, OWN_TASK, type Source } from './fetch-plan.js'
import type { WorkerInstruction } from './instructions.js'
import { hasUnwantedRun, hasUnwantedRuns } from './lending.js'
import { giveBackWithoutInputs } from './let-go.js'
import { ownId, readyQueueOf, type WorkerState } from './state.js'
import { dropTask } from './stopping.js'
import { READY, type Task } from './task.js'

const FIRST_ATTEMPT = attempt(1)
const NO_INPUTS: readonly TaskId[] = Object.freeze([])
const NOWHERE: Source = { holders: [], sizeBytes: 0 }
const FROM_OWN_TASK: Source & { readonly holders: WorkerId[] } = Object.freeze({ holders: [OWN_TASK], sizeBytes: 0 })
const FROM_DISK: Source = Object.freeze({ holders: [OWN_DISK], sizeBytes: 0 })

type Sources = ReadonlyMap<TaskId, Source>

export function onRunTasks(state: WorkerState, message: RunTasks, nowMs: number, out: WorkerInstruction[]): void {
  const fault = findFault(state, message)
  if (fault !== undefined) {
    out.push({ type: 'hang-up', reason: `A message run-tasks is malformed: ${fault}.` })
    return
  }
  const { tasks, attempts, runs, priority, patienceUs, args, inputCounts, inputs } = message
  state.taskCount += tasks.length
  const sources = sourcesOf(state, message)
  const failures = message.failedInputs.length === 0 ? undefined : failuresOf(message)
  const keys = message.keys.length === 0 ? undefined : new Map(message.keys.map(({ place, key }) => [place, key]))
  // Once for all tasks of the message: to look at every slot would cost each of them.
  const mayBeMistaken = hasUnwantedRuns(state)
  const unstarted = new Map(message.unstarted.map(({ place, count }) => [place, count]))
  let place = 0
  let firstInput = 0
  for (let run = 0; run < runs.length; run += 2) {
    const template = state.templates.get(runs[run] as Template['template'])!
    for (const end = place + runs[run + 1]!; place < end; place++) {
      const inputCount = inputCounts[place] ?? 0
      const taskInputs = inputCount === 0 ? NO_INPUTS : inputs.slice(firstInput, firstInput + inputCount)
      firstInput += inputCount
      const failed = failures === undefined ? undefined : failuresAmong(failures, taskInputs)
      const missing = missingInputs(state, taskInputs, failed)
      const number = attempts.length === 0 ? FIRST_ATTEMPT : attempt(attempts[place]!)
      const task: Task = {
        task: tasks[place]!,
        attempt: number,
        start: number - (unstarted.size === 0 ? 0 : (unstarted.get(place) ?? 0)),
        template,
        key: keys?.get(place),
        args,
        place,
        inputs: taskInputs,
        priority,
        patienceUs,
        state: missing === undefined ? READY : { type: 'waiting', missing },
      }
      if (failed !== undefined) task.failures = failed
      if (!mayBegin(state, task, mayBeMistaken, nowMs, out)) continue
      state.tasks.set(task.task, task)
      for (const input of taskInputs) {
        if (missing?.has(input) !== true) state.spills.pin(task, input)
      }
      if (missing === undefined) readyQueueOf(state, template).push(task)
      else fetchInputs(state, task, { missing, sources }, out)
    }
  }
}

/** Which inputs are not in memory, and should be: those in `failures` should not. `undefined` when there are none. */
export function missingInputs(
  state: WorkerState,
  inputs: readonly TaskId[],
  failures: Task['failures'],
): Set<TaskId> | undefined {
  let missing: Set<TaskId> | undefined
  for (const input of inputs) {
    if (state.held.has(input) && !state.spills.isAway(input)) continue
    if (failures?.has(input) !== true) (missing ??= new Set()).add(input)
  }
  return missing
}

type Failures = NonNullable<Task['failures']>

function failuresOf({ failedInputs, failedBy, failures }: RunTasks): Failures {
  // The bytes go on to threads: they must not take the whole message along.
  const owned = failures.map((failure) => ({ ...failure, error: ownBytes(failure.error) }))
  return new Map(failedInputs.map((input, i) => [input, owned[failedBy[i]!]!]))
}

function failuresAmong(failures: Failures, inputs: readonly TaskId[]): Failures | undefined {
  let found: Map<TaskId, FailureRecord> | undefined
  for (const input of inputs) {
    const failure = failures.get(input)
    if (failure !== undefined) (found ??= new Map()).set(input, failure)
  }
  return found
}

/** Refuses a task that is old news, comes too late, or needs code that can't be kept. */
function mayBegin(
  state: WorkerState,
  task: Task,
  mayBeMistaken: boolean,
  nowMs: number,
  out: WorkerInstruction[],
): boolean {
  const known = state.tasks.get(task.task)
  if (known !== undefined) {
    if (known.attempt >= task.attempt) return false
    dropTask(state, known, nowMs, out)
  }
  if (state.link.type === 'leaving' || (mayBeMistaken && hasUnwantedRun(state, task))) {
    state.report.addReturned(task)
    return false
  }
  const error = errorOfCode(state, task)
  if (error === undefined) return true
  out.push({
    type: 'send',
    message: { type: 'task-failed', task: task.task, attempt: task.attempt, error, isFinal: true },
  })
  return false
}

/** Why code that the task needs can't be kept here. */
function errorOfCode({ refusedCode }: WorkerState, { template }: Task): Uint8Array | undefined {
  if (refusedCode.size === 0) return undefined
  return refusedCode.get(template.code) ?? refusedCode.get(codeHash(template.retryFilter))
}

/** Where no holder is named, the scheduler believes that the input is here: it must learn that it isn't. */
export function fetchInputs(
  state: WorkerState,
  task: Task,
  { missing, sources }: { readonly missing: ReadonlySet<TaskId>; readonly sources: Sources },
  out: WorkerInstruction[],
): void {
  const inputs: TaskId[] = []
  for (const input of missing) {
    const source = sourceOf(state, input, sources)
    if (!state.fetches.want(input, task, source)) inputs.push(input)
    // Another thread may be free for it, while the one that makes the input goes on with its batch.
    else if (source === FROM_OWN_TASK && state.config.threads > 1) hurryBatchOf(state, input, out)
  }
  if (inputs.length > 0) giveBackWithoutInputs(state, task, { inputs, holder: ownId(state) }, out)
}

/** Where inputs are that the scheduler said nothing of: our own tasks may be about to make them. */
export function ownSources({ tasks }: WorkerState, missing: ReadonlySet<TaskId>): Sources {
  const sources = new Map<TaskId, Source>()
  for (const input of missing) if (tasks.has(input)) sources.set(input, FROM_OWN_TASK)
  return sources
}

/** A value that was spilled is had from ourselves, and takes nothing of what may be under way from others. */
function sourceOf(state: WorkerState, input: TaskId, sources: Sources): Source {
  if (state.held.has(input)) return FROM_DISK
  const source = sources.get(input) ?? NOWHERE
  // What was to make it here has ended without a value, or gone back.
  return source === FROM_OWN_TASK && !state.tasks.has(input) ? NOWHERE : source
}

function sourcesOf(state: WorkerState, message: RunTasks): Sources {
  const { remoteInputs, remoteHolders, remoteSizes, pendingInputs, pendingHolders, pendingAfter } = message
  const sources = new Map<TaskId, Source & { readonly holders: WorkerId[] }>()
  remoteInputs.forEach((input, i) => {
    const known = sources.get(input)
    const holder = remoteHolders[i] as WorkerId
    if (known === undefined) sources.set(input, { holders: [holder], sizeBytes: remoteSizes[i] ?? 0 })
    else known.holders.push(holder)
  })
  pendingInputs.forEach((input, i) => {
    const holder = pendingHolders[i] as WorkerId
    if (holder === ownId(state)) sources.set(input, FROM_OWN_TASK)
    else sources.set(input, { holders: [holder], sizeBytes: 0, after: pendingAfter[i]! })
  })
  return sources
}

/** The columns of a message must fit each other: its schema checks each alone. */
function findFault(state: WorkerState, message: RunTasks): string | undefined {
  const { tasks, attempts, runs, args, inputCounts, inputs, remoteInputs, remoteHolders } = message
  const count = tasks.length
  let covered = 0
  for (let run = 0; run < runs.length; run += 2) {
    if (!state.templates.has(runs[run] as Template['template'])) return `template ${runs[run]} is not defined`
    covered += runs[run + 1] ?? 0
  }
  if (covered !== count || runs.length % 2 !== 0) return 'its runs do not cover its tasks'
  if (attempts.length !== 0 && attempts.length !== count) return 'its attempts are not one for each task'
  if (args.ends.length !== count) return 'its arguments are not one entry for each task'
  if (inputCounts.length !== 0 && inputCounts.length !== count) return 'its input counts are not one for each task'
  let inputCount = 0
  for (const each of inputCounts) inputCount += each
  if (inputCount !== inputs.length) return 'its inputs are not as many as counted'
  if (remoteHolders.length !== remoteInputs.length) return 'its holders are not one for each remote input'
  if (
    message.pendingHolders.length !== message.pendingInputs.length ||
    message.pendingAfter.length !== message.pendingInputs.length
  )
    return 'its makers are not one for each pending input'
  if (message.failedBy.length !== message.failedInputs.length) return 'its failed inputs have no failures'
  if (message.failedBy.some((place) => message.failures[place] === undefined))
    return 'it names failures that it has not'
  return undefined
}
