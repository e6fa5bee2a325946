/** Values that come from other workers, or don't; and code that can't be kept. */
import { present } from '../../common/assert.js'
import { startOf } from '../../common/packed.js'
import type { CodeHash, TaskId, WorkerId } from '../../protocol/ids.js'
import { MAX_FETCH_BYTES, MAX_INLINE_RESULT_BYTES, MAX_AWAITED_PEERS } from '../../protocol/limits.js'
import type { WorkerEvent } from './events.js'
import type { FetchCopies, GiveValues } from '../../protocol/messages/worker.js'
import type { WorkerInstruction } from './instructions.js'
import { dropUnlessHeld, forgetTask, giveBackWithoutInputs } from './let-go.js'
import { isWanted, OWN_DISK, OWN_TASK, type Fetch } from './fetch-plan.js'
import { hasRoomFor } from './memory.js'
import { ownId, readyQueueOf, type WorkerState } from './state.js'
import { moveTo, READY, type Task } from './task.js'

/** A value is in the store, in memory. */
export function holdValue(state: WorkerState, value: TaskId, sizeBytes: number): void {
  state.held.add(value, sizeBytes)
  state.spills.arrived(value, sizeBytes)
  if (state.fetches.size === 0) return
  if (state.fetches.find(value)?.isOrdered === true) state.report.addOrderedCopy(value, sizeBytes)
  hearOfValue(state, value)
}

/** The store got a value that is of use only if it is held: then it is in memory now, even if it was spilled before. */
export function keepIfHeld(state: WorkerState, value: TaskId, sizeBytes: number): void {
  dropUnlessHeld(state, value, sizeBytes)
  if (state.held.has(value)) hearOfValue(state, value)
}

/** A held value is in memory: tasks that waited for it may go on. */
export function hearOfValue(state: WorkerState, value: TaskId): void {
  const waiters = state.fetches.arrived(value)
  if (waiters === undefined) return
  for (const task of waiters) {
    if (task.state.type !== 'waiting') continue
    task.state.missing.delete(value)
    state.spills.pin(task, value)
    if (task.state.missing.size > 0) continue
    moveTo(task, READY)
    readyQueueOf(state, task.template).push(task)
  }
}

/** A value that nobody waits for any more is not kept: the scheduler would not know that we have it. */
export function onValuesFetched(state: WorkerState, tasks: readonly TaskId[], sizes: readonly number[]): void {
  tasks.forEach((value, i) => {
    const sizeBytes = sizes[i] ?? 0
    if (state.held.has(value)) {
      keepIfHeld(state, value, sizeBytes) // Made here meanwhile.
      return
    }
    const fetch = state.fetches.find(value)
    if (fetch === undefined || !isWanted(fetch)) {
      state.fetches.arrived(value)
      dropUnlessHeld(state, value, sizeBytes)
      return
    }
    if (!fetch.isOrdered) state.report.addCopy(value, sizeBytes)
    holdValue(state, value, sizeBytes)
  })
}

/**
 * A client brought a value. The scheduler knows whether anybody wants it, and says so if not. The client may be faster
 * than the scheduler's `joined`: then the value is reported when that has come.
 */
export function onValuePut(state: WorkerState, value: TaskId, sizeBytes: number): void {
  holdValue(state, value, sizeBytes)
  state.held.markBrought(value)
  if (state.link.type !== 'absent') state.report.addCopy(value, sizeBytes)
}

/** The scheduler gives small values that tasks to come need, and counts on them to be here. */
export function onGiveValues(state: WorkerState, { tasks, values }: GiveValues, out: WorkerInstruction[]): void {
  if (values.ends.length !== tasks.length) {
    out.push({ type: 'hang-up', reason: 'A message give-values is malformed: its values are not one for each task.' })
    return
  }
  out.push({ type: 'store-values', tasks, values })
  tasks.forEach((value, i) => {
    const sizeBytes = values.ends[i]! - startOf(values, i)
    if (state.held.has(value)) keepIfHeld(state, value, sizeBytes)
    else holdValue(state, value, sizeBytes)
  })
}

/** Tasks for which no other holder is known go back, each in one message with all that it misses. */
export function onValuesMissing(
  state: WorkerState,
  holder: WorkerId,
  tasks: readonly TaskId[],
  out: WorkerInstruction[],
): void {
  const missing = new Map<Task, TaskId[]>()
  for (const value of tasks) {
    const isOrdered = state.fetches.find(value)?.isOrdered === true
    const waiters = state.fetches.missing(value, holder)
    if (waiters === undefined) continue // Another holder will be asked, or this one was not.
    if (isOrdered) state.report.addMissingCopy(value)
    for (const task of waiters) {
      const inputs = missing.get(task)
      if (inputs === undefined) missing.set(task, [value])
      else inputs.push(value)
    }
  }
  const named = holder === OWN_TASK ? ownId(state) : holder
  for (const [task, inputs] of missing) giveBackWithoutInputs(state, task, { inputs, holder: named }, out)
}

/** The peer is asked again, by way of the scheduler; and so is everything else for a while, without dialling first. */
export function onValuesUnreachable(
  state: WorkerState,
  { nowMs, holder, tasks }: Extract<WorkerEvent, { readonly type: 'values-unreachable' }>,
): void {
  state.unreachable.add(holder, nowMs)
  for (const value of tasks) state.fetches.askAgain(value, holder)
}

/** Awaited values are there, and large: they are fetched as any others. */
export function onValuesLocated(
  state: WorkerState,
  { holder, tasks, sizes }: Extract<WorkerEvent, { readonly type: 'values-located' }>,
): void {
  tasks.forEach((value, i) => state.fetches.located(value, holder, sizes[i] ?? 0))
}

/** The scheduler wants copies here: of what is here already, it is told. */
export function onFetchCopies(state: WorkerState, { tasks, holders, sizes }: FetchCopies): void {
  tasks.forEach((value, i) => {
    if (state.held.has(value)) state.report.addOrderedCopy(value, sizes[i] ?? 0)
    else state.fetches.order(value, holders[i] as WorkerId, sizes[i] ?? 0)
  })
}

/**
 * At the end of a turn: asks each holder once for all that it is needed for, and reads back what was spilled. Behind an
 * input that has to wait, for the network or for memory, no other may overtake it for ever.
 */
export function askForInputs(state: WorkerState, nowMs: number, out: WorkerInstruction[]): void {
  state.blockedBytes = 0
  if (state.fetches.planned.size === 0) return
  const maxBytes = state.config.maxFetchBytes ?? MAX_FETCH_BYTES
  const asks = new Map<WorkerId, TaskId[]>()
  const awaits = new Map<WorkerId, { readonly tasks: TaskId[]; after: number }>()
  let mayFetch = true
  for (const fetch of inOrderOfUrgency(state, maxBytes)) {
    // A task that went back for want of another input may have been the last to wait for this one.
    if (!state.fetches.planned.has(fetch)) continue
    const { input, holders } = fetch
    const sizeBytes = sizeOf(state, fetch)
    const isLarge = sizeBytes > MAX_INLINE_RESULT_BYTES
    if (isLarge && (state.blockedBytes > 0 || !hasRoomFor(state, sizeBytes))) {
      state.blockedBytes += sizeBytes
      continue
    }
    if (state.held.has(input)) {
      loadInput(state, fetch, out)
      continue
    }
    // One value is fetched whatever its size.
    const { askedBytes } = state.fetches
    if (!mayFetch || (askedBytes > 0 && askedBytes + sizeBytes > maxBytes)) {
      mayFetch = false
      continue
    }
    let holder = holders.shift()
    let unknown = holder
    while (holder !== undefined && !mayAsk(state, fetch, holder, nowMs)) {
      unknown = holder
      holder = holders.shift()
    }
    if (holder === undefined) {
      const holder = unknown === OWN_DISK || unknown === OWN_TASK ? ownId(state) : unknown!
      for (const task of fetch.waiters) giveBackWithoutInputs(state, task, { inputs: [input], holder }, out)
      if (fetch.isOrdered) {
        state.fetches.giveUp(fetch)
        state.report.addMissingCopy(input)
      }
      continue
    }
    state.fetches.markAsked(fetch, holder)
    if (holder === OWN_TASK) continue
    if (fetch.maker?.holder === holder) {
      const awaited = awaits.get(holder) ?? { tasks: [], after: 0 }
      awaits.set(holder, awaited)
      awaited.tasks.push(input)
      awaited.after = Math.max(awaited.after, fetch.maker.after)
      continue
    }
    const asked = asks.get(holder)
    if (asked === undefined) asks.set(holder, [input])
    else asked.push(input)
  }
  for (const [holder, asked] of awaits) out.push({ type: 'fetch', holder, address: state.peers.get(holder)!, ...asked })
  for (const [holder, tasks] of asks) {
    const address = state.peers.get(holder)!
    const isByRelay = !isReached(state, holder, nowMs)
    out.push(isByRelay ? { type: 'fetch-by-relay', holder, tasks } : { type: 'fetch', holder, address, tasks })
  }
}

/** Relays and connections are few: not all are kept for values that are still to be made, which may themselves need one. */
function mayAsk(state: WorkerState, { input, maker }: Fetch, holder: WorkerId, nowMs: number): boolean {
  if (holder === OWN_TASK) return state.tasks.has(input)
  if (!state.peers.has(holder) || maker?.holder !== holder) return state.peers.has(holder)
  const { awaited } = state.fetches
  return isReached(state, holder, nowMs) && (awaited.has(holder) || awaited.size < MAX_AWAITED_PEERS)
}

/** Can the peer be asked without a relay, as far as is known? */
function isReached({ peers, unreachable }: WorkerState, holder: WorkerId, nowMs: number): boolean {
  return (peers.get(holder) ?? '') !== '' && !unreachable.has(holder, nowMs)
}

/** A value of ours is planned without a size: that it takes nothing of the network is what a fetch counts. */
function sizeOf({ held }: WorkerState, { input, sizeBytes }: Fetch): number {
  return held.sizeOf(input) ?? sizeBytes
}

/** If not all can be asked for at once: those first whose tasks are the most urgent, and copies for nobody's task last. */
function inOrderOfUrgency(state: WorkerState, maxBytes: number): Iterable<Fetch> {
  const { fetches } = state
  let totalBytes = 0
  for (const fetch of fetches.planned) totalBytes += sizeOf(state, fetch)
  if (fetches.askedBytes + totalBytes <= maxBytes && hasRoomFor(state, totalBytes)) return fetches.planned
  const withUrgency = Array.from(fetches.planned, (fetch) => ({ fetch, urgency: urgencyOf(fetch) }))
  return withUrgency.sort((a, b) => b.urgency - a.urgency).map(({ fetch }) => fetch)
}

function urgencyOf({ waiters }: Fetch): number {
  let urgency = -Infinity
  for (const { priority } of waiters) urgency = Math.max(urgency, priority)
  return urgency === -Infinity ? -1 : urgency
}

/** An input that was spilled is read back. */
function loadInput(state: WorkerState, fetch: Fetch, out: WorkerInstruction[]): void {
  const value = present(state.spills.find(fetch.input), 'a spilled input')
  if (value.place !== 'disk') return
  state.spills.startLoad(value)
  state.fetches.markAsked(fetch, OWN_DISK)
  out.push({ type: 'load', task: value.task, file: value.file })
}

/** Tasks of code that can't be kept fail, those that come later too (see `onRunTasks`). */
export function onCodeRefused(state: WorkerState, code: CodeHash, error: Uint8Array, out: WorkerInstruction[]): void {
  state.refusedCode.set(code, error)
  for (const task of state.tasks.values()) {
    if (task.template.code !== code && task.template.retryFilter !== code) continue
    forgetTask(state, task)
    out.push({
      type: 'send',
      message: { type: 'task-failed', task: task.task, attempt: task.attempt, error, isFinal: true },
    })
  }
}
