/**
 * Tasks that are sent ahead of their inputs. When nothing is ready and a worker has little to do, what will be ready soon is
 * sent there before: a task whose inputs are all there, or run, or were sent ahead themselves, each on a worker that is known.
 * The worker waits for those inputs itself, and has other workers give it theirs as soon as they are there; so a chain of
 * short tasks goes on from thread to thread, and the scheduler hears of it afterwards.
 *
 * Such a task stays `waiting` here until all its inputs have come, or its worker speaks of it, whichever is first: news from
 * two workers may come in either order. Then it is an ordinary task of its worker. If the maker of an input ends without a value,
 * the task is taken back, and with it those that were sent ahead of it. If the value turns out to be elsewhere, it comes back.
 */
import { LOOK_AHEAD_US, MAX_AHEAD_BYTES } from './admission.js'
import { freeLeft, give, recountLoad, reorder, sendTo } from './assignment.js'
import { mayTakeRoots } from './roots.js'
import { isWithheld } from '../clients/client-record.js'
import type { Attempt } from '../../../protocol/ids.js'
import { MAX_INLINE_RESULT_BYTES } from '../../../protocol/limits.js'
import { workerOutboxOf, type SchedulerState } from '../state.js'
import {
  areInputsReady,
  argumentBytesOf,
  errorRuleOf,
  isGiven,
  isHolder,
  presumeUnstarted,
  resumeAttempt,
  type Forecast,
  type Task,
} from '../tasks/task.js'
import type { FunctionStatistics } from '../tasks/template.js'
import { leaveWaiters } from '../tasks/waiters.js'
import { slotsToComeOf, takesNothingAhead, type WorkerRecord } from '../workers/worker-record.js'

/** So many tasks a worker may have, those that run and those ahead of their inputs, and so many more for each thread. */
const MAX_PER_WORKER = 300
const MAX_PER_THREAD = 24
/**
 * With more than that for each thread whose inputs have come it has only the latter, unless it is the only worker that stays:
 * there is enough to do until the scheduler has heard, and two workers that share so wide a step would give each other a great
 * many values.
 */
const WIDE_PER_THREAD = 20
/**
 * When a worker has so much more to do than each thread would have if all took part, the graph that it works on is shared: tasks
 * that join values wait here for their inputs, and go to whoever is free then. Measured: with less, two workers that share take
 * longer than one that has it all ahead; more so where code has run little.
 */
const SHARED_US = 600
/** They go on as long as it would have this part of that, and so much longer: between two steps little is ready. */
const STILL_SHARED = 0.7
const SHARED_MS = 50
/** When it has less than this part of what it may have it gets more: many at a time cost less. */
const REFILL_BELOW = 0.75
/** A task with more inputs than that is not looked at, and of so many dependants of one task no more are. */
const MAX_LINKS = 16
/**
 * Functions that take longer stay here until their inputs have come: measured, a stencil of such tasks is done sooner where each
 * goes to whatever worker is free then.
 */
const MAX_AHEAD_US = 150
/** But for the next task of a chain, which goes on where it is. Beyond that, the half millisecond that this saves counts for little. */
const MAX_CHAINED_US = 2_000
/** Those of a function that takes so much longer than that by now are asked back. */
const MUCH_LONGER = 2
/** What it takes until a small value that was awaited has come from another worker. */
const PUSH_US = 200
/**
 * So much sooner a task must end elsewhere for each value that would have to go from one worker to another for it: those of its
 * inputs that are made at a worker, and those made there that its dependants need beside its own. Giving and taking them costs
 * processors.
 */
const APART_US = 600
/** It counts for so many values at most: they go together. */
const MAX_APART = 8
/** So many dependants of a task are looked at for that. */
const MAX_DEPENDANTS = 3

/** The worker may have room now, or its tasks have dependants that they had not: it is looked at when the turn ends. */
export function noteNews({ withNews }: SchedulerState, worker: WorkerRecord): void {
  if (worker.processing.size + worker.ahead.size > 0) withNews.add(worker)
}

/** A task waits for this one, from now on. */
export function noteWaiter(state: SchedulerState, { state: input }: Task): void {
  const worker = workerOf(input)
  if (worker !== undefined) state.withNews.add(worker)
}

/** The worker has this attempt of a waiting task already: it was sent there by another scheduler. */
export function adoptAhead(state: SchedulerState, task: Task, worker: WorkerRecord, attempt: Attempt): void {
  if (task.state.type !== 'waiting') return
  resumeAttempt(task, attempt)
  join(state, task, { worker, endMs: state.nowMs, isChained: false })
}

/** May a worker have it while it waits? */
export function mayBeAhead({ state, template, producer }: Task): boolean {
  if (state.type !== 'waiting' || state.ahead !== undefined || template.demand !== undefined) return false
  return template.outputs === 0 && producer === undefined && !template.isScattered && !template.rules.isStream
}

/**
 * Tasks of the worker took so long that none of their function would be sent ahead now: those that it has are asked back. It gives
 * back what has not begun, and goes on with the rest. One that takes long among others that don't, for it was compiled or the
 * engine collected, says nothing: `beforeUs` is the mean without it.
 */
export function noteDuration(
  state: SchedulerState,
  worker: WorkerRecord,
  {
    statistics,
    us,
    beforeUs,
  }: { readonly statistics: FunctionStatistics; readonly us: number; readonly beforeUs: number },
): void {
  const leastUs = Math.min(mostAheadUs(state), mostChainedUs(state))
  if (us <= MUCH_LONGER * leastUs || beforeUs <= leastUs) return
  for (const task of worker.ahead) {
    if (task.template.statistics !== statistics || task.state.type !== 'waiting') continue
    const mostUs = task.state.ahead?.isChained === true ? mostChainedUs(state) : mostAheadUs(state)
    if (us > MUCH_LONGER * mostUs && beforeUs > mostUs) workerOutboxOf(state, worker).addRecalled(task.id)
  }
}

/** At the end of a turn, when all that is ready was placed. */
export function sendAhead(state: SchedulerState): void {
  if (state.withNews.size === 0 || state.ready.topPriority(mayTakeRoots(state)) !== undefined) return
  // Workers and tasks that are added on the way are looked at too: a chain goes ahead as far as there is room.
  for (const worker of state.withNews) {
    // To foresee anew is to look at all it has: not for every few that it has done.
    const hasFew = slotsToComeOf(worker) < REFILL_BELOW * mostOf(state, worker)
    if (hasFew) reforesee(state, worker)
    if (!hasFew || !hasRoomAhead(state, worker, REFILL_BELOW)) state.withNews.delete(worker)
  }
  for (const worker of state.withNews) {
    // Some wait for tasks that they submitted, and may be many.
    let left = mostOf(state, worker)
    for (const task of worker.processing) if (left-- === 0 || !sendDependants(state, worker, task)) break
    for (const task of worker.ahead) if (!sendDependants(state, worker, task)) break
  }
  state.withNews.clear()
}

/** Returns false when the worker of the task has no room. */
function sendDependants(state: SchedulerState, worker: WorkerRecord, task: Task): boolean {
  if (!hasRoomAhead(state, worker)) return false
  for (let i = 0; i < task.waiters.length && i < MAX_LINKS; i++) {
    const waiter = task.waiters[i]!
    if (!mayGoAhead(state, waiter)) continue
    if (waiter.inputs.length > 1 && decideSharing(state, waiter, worker) && chainOf(waiter) === undefined) continue
    const forecast = foresee(state, waiter)
    if (forecast === undefined) continue
    join(state, waiter, forecast)
    sendTo(state, waiter, forecast.worker)
    state.withNews.add(forecast.worker)
  }
  return true
}

/**
 * Is the task part of a graph that all workers share, from now on or still? The worker makes one of its inputs. Once they share,
 * it has no more to do than others have: the graph stays shared until one worker could as well do alone what is ready.
 */
function decideSharing(state: SchedulerState, { array: { client } }: Task, worker: WorkerRecord): boolean {
  const { config, nowMs, queuedUs, threads } = state
  const leastUs = config.sharedUs ?? SHARED_US
  const isSharing = nowMs < client.sharesUntilMs
  const aloneUs = (isSharing ? queuedUs : worker.queuedUs) / worker.join.threads
  if (aloneUs - queuedUs / threads > (isSharing ? STILL_SHARED * leastUs : leastUs))
    client.sharesUntilMs = nowMs + SHARED_MS
  return nowMs < client.sharesUntilMs
}

function mostAheadUs({ config }: SchedulerState): number {
  return config.maxAheadUs ?? MAX_AHEAD_US
}

function mostChainedUs({ config }: SchedulerState): number {
  return config.maxChainedUs ?? MAX_CHAINED_US
}

/**
 * Of the next task of a chain, the worker that makes the one value that it waits for: nothing else waits for that, and its other
 * inputs are there. `undefined` for any other task.
 */
function chainOf(task: Task): WorkerRecord | undefined {
  let maker: Task | undefined
  for (const input of task.inputs) {
    if (input.state.type === 'in-memory' || input === maker) continue
    if (maker !== undefined) return undefined
    maker = input
  }
  const worker = maker === undefined ? undefined : workerOf(maker.state)
  if (maker === undefined || worker === undefined || maker.waiters.length > MAX_LINKS) return undefined
  if (maker.waiters.some((other) => other !== task && other.state.type === 'waiting')) return undefined
  const isThere = ({ state }: Task): boolean => state.type !== 'in-memory' || isHolder(state, worker) || isGiven(state)
  return task.inputs.every(isThere) ? worker : undefined
}

/** Has it less than `part` of what it may have? */
function hasRoomAhead(state: SchedulerState, worker: WorkerRecord, part = 1): boolean {
  if (worker.isLeaving || takesNothingAhead(worker) || worker.reservedFor !== undefined) return false
  if (worker.argumentBytes >= MAX_AHEAD_BYTES) return false
  return (
    slotsToComeOf(worker) < part * mostOf(state, worker) &&
    worker.queuedUs + worker.aheadUs < part * LOOK_AHEAD_US * worker.join.threads
  )
}

function mostOf({ stayingWorkers }: SchedulerState, { processing, join }: WorkerRecord): number {
  const isWide = stayingWorkers > 1 && processing.size > WIDE_PER_THREAD * join.threads
  return (isWide ? 0 : MAX_PER_WORKER) + MAX_PER_THREAD * join.threads
}

/**
 * Only what is like most tasks goes ahead: of a function that was timed, and is not too long for any, and with no needs, rules or
 * clients for which more would have to be watched than its inputs. What else a longer one takes is in `foresee`.
 */
function mayGoAhead(state: SchedulerState, task: Task): boolean {
  const { template, inputs, array, staysBack } = task
  if (!mayBeAhead(task) || inputs.length > MAX_LINKS || staysBack) return false
  const { rules, statistics, stop } = template
  if (rules.queueTimeoutMs > 0 || stop !== undefined || errorRuleOf(task) !== 'fail') return false
  const longestUs = Math.max(mostAheadUs(state), mostChainedUs(state))
  if (statistics.meanUs === undefined || statistics.meanUs > longestUs) return false
  if (array.client.tasksOf !== undefined || isWithheld(array.client, task)) return false
  return argumentBytesOf(task) <= MAX_INLINE_RESULT_BYTES && inputs.every((input) => isKnownToCome(state, input))
}

/**
 * Is the value there, or does a worker have the task that makes it? One that may fail and be tried again does not count: what was
 * sent ahead of it may run while it is being taken back, and again. Nor does one that has submitted tasks: while it waits for them,
 * what was sent ahead of it would keep their threads.
 */
function isKnownToCome({ nestings }: SchedulerState, task: Task): boolean {
  const { id, state, template, producer } = task
  if (state.type === 'in-memory') return state.holders.length > 0
  const worker = workerOf(state)
  if (worker === undefined || producer !== undefined || template.outputs > 0 || template.rules.isStream) return false
  if (nestings.has(id) || worker.suspended.has(task)) return false
  return !worker.isLeaving && template.demand === undefined && template.rules.retries.count === 0
}

/** Which worker has the task, whether its inputs have come or not? */
export function workerOf(state: Task['state']): WorkerRecord | undefined {
  if (state.type === 'processing') return state.worker
  return state.type === 'waiting' ? state.ahead?.worker : undefined
}

/** Who has the value of an input, or will have it first. */
function giverOf(input: Task['state']): WorkerRecord | undefined {
  return input.type === 'in-memory' ? input.holders[0] : workerOf(input)
}

/**
 * Where the task would end first: there must be a thread for it, and its inputs, which take their time from elsewhere. But
 * what belongs together stays together (see `APART_US`). Workers that have to do with it, and the least loaded one, are looked at.
 * `undefined` when the best of them has no room, and for a long task unless it goes on with a chain there.
 */
function foresee(state: SchedulerState, task: Task): Forecast | undefined {
  const isLong = meanUsOf(task) > mostAheadUs(state)
  const chain = isLong ? chainOf(task) : undefined
  if (isLong && chain === undefined) return undefined
  const bonds = bondsOf(task)
  const idlest = state.open.peek()
  if (idlest !== undefined && !bonds.has(idlest)) bonds.set(idlest, 0)
  let best: Forecast | undefined
  let bestMs = Infinity
  for (const [worker, values] of bonds) {
    if (!mayAwait(task, worker)) continue
    const freeMs = state.nowMs + (worker.queuedUs + worker.aheadUs) / worker.join.threads / 1_000
    const endMs = endOn(state, task, worker, Math.max(freeMs, worker.aheadEndMs))
    const ms = endMs - (Math.min(values, MAX_APART) * APART_US) / 1_000
    if (ms >= bestMs) continue
    best = { worker, endMs, isChained: isLong }
    bestMs = ms
  }
  if (best === undefined || !hasRoomAhead(state, best.worker)) return undefined
  // A chain takes one thread: of its time no more, however many threads there are.
  const isTooMuch = best.endMs > state.nowMs + LOOK_AHEAD_US / 1_000
  return isLong && (best.worker !== chain || isTooMuch) ? undefined : best
}

/**
 * For each worker that has to do with the task, how many values need not leave it if the task goes there. What is there already can
 * be had at any time; and a task with one input may as well begin a chain of its own elsewhere.
 */
function bondsOf(task: Task): Map<WorkerRecord, number> {
  const bonds = new Map<WorkerRecord, number>()
  const add = (worker: WorkerRecord | undefined, values: number): void => {
    if (worker !== undefined) bonds.set(worker, (bonds.get(worker) ?? 0) + values)
  }
  const isJoin = task.inputs.length > 1
  for (const { state: input } of task.inputs) add(giverOf(input), isJoin && input.type !== 'in-memory' ? 1 : 0)
  for (let i = 0; i < task.waiters.length && i < MAX_DEPENDANTS; i++) {
    const { inputs } = task.waiters[i]!
    // The task itself has no worker yet.
    if (inputs.length <= MAX_LINKS) for (const { state: input } of inputs) add(workerOf(input), 1)
  }
  return bonds
}

/** A worker that does not listen is reached by relays only, and these are not kept for what is still to be made. */
function mayAwait({ inputs }: Task, worker: WorkerRecord): boolean {
  return inputs.every(({ state }) => {
    const maker = workerOf(state)
    return maker === undefined || maker === worker || maker.join.address !== ''
  })
}

/** When the task would end on the worker, which has a thread for it at `freeMs`. */
function endOn({ nowMs }: SchedulerState, task: Task, worker: WorkerRecord, freeMs: number): number {
  let startMs = freeMs
  for (const { state: input } of task.inputs) {
    const pushUs = giverOf(input) === worker ? 0 : PUSH_US
    startMs = Math.max(startMs, comingMs(input, nowMs) + pushUs / 1_000)
  }
  return startMs + meanUsOf(task) / 1_000
}

/** What was foreseen of the worker's tasks is foreseen anew: it may be late. */
function reforesee(state: SchedulerState, worker: WorkerRecord): void {
  // The means have moved since these were sent.
  recountLoad(state, worker)
  let freeMs = state.nowMs + worker.queuedUs / worker.join.threads / 1_000
  for (const task of worker.ahead) {
    if (task.state.type !== 'waiting') continue
    const endMs = endOn(state, task, worker, freeMs)
    task.state.ahead = { worker, endMs, isChained: task.state.ahead?.isChained === true }
    freeMs = freeBehind(task, task.state.ahead)
  }
  worker.aheadEndMs = freeMs
  reorder(state, worker)
}

/** When an input will be there, where it is made. */
function comingMs(input: Task['state'], nowMs: number): number {
  if (input.type === 'waiting') return Math.max(nowMs, input.ahead?.endMs ?? nowMs)
  return input.type === 'processing' ? nowMs + input.worker.queuedUs / input.worker.join.threads / 1_000 : nowMs
}

/** The last input of a waiting task has come. Returns false when the task is not where it could begin: then it is ready. */
export function confirm(state: SchedulerState, task: Task): boolean {
  if (task.state.type !== 'waiting' || task.state.ahead === undefined) return false
  // An input that was there may have been lost meanwhile.
  if (areInputsReady(task)) {
    enlist(state, task)
    return true
  }
  takeBack(state, task, 'recall')
  return false
}

/** The worker speaks of this attempt, or is to be asked about it: it has the task as any other, whatever is known of its inputs. */
export function enlist(state: SchedulerState, task: Task): void {
  if (task.state.type !== 'waiting' || task.state.ahead === undefined) return
  const { worker } = task.state.ahead
  leave(task, worker)
  give(state, task, worker)
  leaveWaiters(task)
}

/** As `enlist`, if this worker has this attempt of the task ahead of its inputs. */
export function enlistOn(state: SchedulerState, task: Task | undefined, worker: WorkerRecord, attempt: number): void {
  if (task?.state.type === 'waiting' && task.state.ahead?.worker === worker && task.attempt === attempt)
    enlist(state, task)
}

/** All that the worker has ahead: it is going, or gone. */
export function enlistAll(state: SchedulerState, worker: WorkerRecord): void {
  for (const task of [...worker.ahead]) enlist(state, task)
}

/** The task makes no value where it was expected to, or not soon: what was sent ahead of it is taken back, and waits on. */
export function withdrawWaiters(state: SchedulerState, task: Task): void {
  for (const waiter of task.waiters) takeBack(state, waiter, 'recall')
}

/** Takes back a task that was sent ahead of its inputs, if it was, and those sent ahead of it: nobody will need them. */
export function withdraw(state: SchedulerState, task: Task): void {
  takeBack(state, task, 'free')
}

/**
 * What waits on is recalled and not freed. Made elsewhere, its value may come to this worker for other tasks there before the
 * order does, and one to free it would drop that copy too, which the worker has told of and others count on. Where an older
 * attempt left its value, no copy comes: that is freed, for whatever the task comes to elsewhere, nobody would look for it there.
 */
function takeBack(state: SchedulerState, task: Task, order: 'free' | 'recall'): void {
  const work = [task]
  for (let next = work.pop(); next !== undefined; next = work.pop()) {
    if (next.state.type !== 'waiting' || next.state.ahead === undefined) continue
    const { worker } = next.state.ahead
    next.state.ahead = undefined
    presumeUnstarted(next)
    leave(next, worker)
    reorder(state, worker)
    work.push(...next.waiters)
    const outbox = workerOutboxOf(state, worker)
    const isUnsent = outbox.removeTask(next)
    if (freeLeft(state, next, worker) || isUnsent) continue
    if (order === 'free') outbox.addFree(next.id)
    else outbox.addTakenBack(next.id)
  }
}

function join(state: SchedulerState, task: Task, ahead: Forecast): void {
  if (task.state.type !== 'waiting') return
  const { worker } = ahead
  task.state.ahead = ahead
  worker.ahead.add(task)
  worker.argumentBytes += argumentBytesOf(task)
  worker.aheadUs += meanUsOf(task)
  worker.aheadEndMs = Math.max(worker.aheadEndMs, freeBehind(task, ahead))
  reorder(state, worker)
}

/** When the worker has a thread for another task: of several threads, the task takes one, and its part of all their time. */
function freeBehind(task: Task, { worker, endMs }: Forecast): number {
  return endMs - (meanUsOf(task) / 1_000) * (1 - 1 / worker.join.threads)
}

/** The caller calls `reorder`. */
function leave(task: Task, worker: WorkerRecord): void {
  worker.ahead.delete(task)
  worker.argumentBytes -= argumentBytesOf(task)
  worker.aheadUs = worker.ahead.size === 0 ? 0 : Math.max(0, worker.aheadUs - meanUsOf(task))
}

function meanUsOf({ template }: Task): number {
  return template.statistics.meanUs ?? 0
}
