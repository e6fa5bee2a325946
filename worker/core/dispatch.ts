/** Who runs what: done once a turn, when all that happened in it is known. */
import { ARRAY_CAPACITY } from '../../protocol/ids.js'
import { depthOf } from '../../protocol/urgency.js'
import { addToBatch, createBatch, hasTail, isOpen, leftUs, watchRun, type Batch, type Taken } from './batch.js'
import { canGrow, Chain, isRunningOut, middleOf, wantedPlaces } from './chain.js'
import { BATCH_US, LONG_BATCH_US, LONG_TASK_US, needBytesOf, runsAlone, shareOfBatchUs } from './estimates.js'
import type { WorkerInstruction } from './instructions.js'
import { resumedCount } from './lending.js'
import { forgetTask } from './let-go.js'
import { hasMemoryFor, isPaused, MIN_GARBAGE_BYTES, runsNothing } from './memory.js'
import { fetchInputs, missingInputs, ownSources } from './on-run-tasks.js'
import { readyQueueOf, type WorkerState } from './state.js'
import { moveTo, rankOf, type Task } from './task.js'

/** Gives every idle thread its part of what is ready. */
export function startBatches(state: WorkerState, nowMs: number, out: WorkerInstruction[]): void {
  state.heldBackBytes = 0
  if (state.ready.length === 0 || state.pause.draining !== 'no') return
  const isOneByOne = isPaused(state)
  // What is being spilled will make room: a disk that is slower than the tasks slows them down.
  if (isOneByOne && (!runsNothing(state) || state.spills.spillingBytes > 0)) return
  const share = Math.min(ARRAY_CAPACITY, Math.ceil(state.ready.length / state.config.threads))
  const maxCount = isOneByOne ? 1 : share
  // Those that waited for others and go on have their slots again.
  let slots = state.config.threads - busyCount(state) - resumedCount(state)
  for (let thread = 0; thread < state.config.threads && state.ready.length > 0; thread++) {
    if (state.batches[thread] !== undefined) continue
    if (slots-- <= 0) return
    const taken = takeTasks(state, maxCount, out)
    const { tasks } = taken
    if (state.heldBackBytes > 0) return
    if (tasks.length === 0) continue
    const batch = createBatch(thread, taken, nowMs)
    const batched = { type: 'batched', batch } as const
    for (const task of tasks) moveTo(task, batched)
    batch.middle = middleOf(state, batch, taken)
    // What is still to be told brings more to do, too.
    if (batch.middle !== undefined) state.report.hurry()
    state.batches[thread] = batch
    if (batch.isTimed) watchRun(batch, nowMs)
    const isLarge = taken.needBytes >= MIN_GARBAGE_BYTES
    const { makers, patienceUs } = batch
    const isPatient = patienceUs > 0
    const wanted = wantedPlaces(state, batch)
    const mayGrow = canGrow(state, batch)
    out.push({ type: 'run-batch', thread, tasks, isLarge, makers, wanted, isPatient, mayGrow })
    if (isOneByOne) return
  }
}

/** Gives a thread more that is about to end its batch, if there is more of the chain, or other work: between batches it stands idle. */
export function growBatch(state: WorkerState, nowMs: number, out: WorkerInstruction[]): void {
  const [batch] = state.batches
  if (batch === undefined || (state.ready.length === 0 && state.fetches.size === 0)) return
  if (isPaused(state) || state.pause.draining !== 'no' || !isRunningOut(state, batch, nowMs)) return
  const taken = takeTasks(state, ARRAY_CAPACITY, out, batch)
  const { tasks, makers } = taken
  if (tasks.length === 0) return
  const first = batch.tasks.length
  addToBatch(batch, taken, nowMs)
  const batched = { type: 'batched', batch } as const
  for (const task of tasks) moveTo(task, batched)
  const middle = middleOf(state, batch, taken)
  batch.middle = middle === undefined ? undefined : Math.max(middle, first)
  out.push({ type: 'extend-batch', thread: batch.thread, tasks, makers, wanted: wantedPlaces(state, batch, first) })
}

function busyCount({ batches, config }: WorkerState): number {
  let count = 0
  for (let thread = 0; thread < config.threads; thread++) if (batches[thread] !== undefined) count++
  return count
}

/** Does what runs without a thread submit tasks, if at all, that are less deep? It may wait for this one. */
function isDeepest({ batches, config }: WorkerState, { priority }: Task): boolean {
  for (let slot = config.threads; slot < batches.length; slot++) {
    const other = batches[slot]?.tasks[0]
    if (other !== undefined && depthOf(other.priority) >= depthOf(priority)) return false
  }
  return true
}

/** Begins what takes no thread, each task in a slot of its own. */
export function startIoTasks(state: WorkerState, nowMs: number, out: WorkerInstruction[]): void {
  const { threads, ioTasks } = state.config
  let slot = threads
  for (let task = state.ioReady.peek(); task !== undefined; task = state.ioReady.peek()) {
    while (state.batches[slot] !== undefined) slot++
    if (slot >= threads + ioTasks) return
    if (isPaused(state) && (!runsNothing(state) || !isDeepest(state, task))) return
    if (task.inputs.length > 0 && !hasInputs(state, task, out)) continue
    const needBytes = needBytesOf(task.template)
    if (!hasMemoryFor(state, needBytes)) {
      state.heldBackBytes = Math.max(state.heldBackBytes, needBytes)
      return
    }
    state.ioReady.next()
    const batch = createBatch(
      slot,
      { tasks: [task], estimateUs: 0, needBytes, isTimed: task.template.timeoutMs > 0, makers: undefined },
      nowMs,
    )
    batch.tail = 'cut' // There is nothing behind it that could be taken back.
    moveTo(task, { type: 'batched', batch })
    while (state.batches.length < slot) state.batches.push(undefined)
    state.batches[slot] = batch
    if (batch.isTimed) watchRun(batch, nowMs)
    out.push({ type: 'run-io-task', slot, task })
  }
}

/**
 * Takes about `BATCH_US` of work from the front of the ready queue, or `LONG_BATCH_US` if all of it are long tasks, or as much
 * as they can wait if they can; a task that takes more alone. None when no task has its inputs here, or the next has not the
 * memory that it needs. `behind`: the batch that it is added to.
 */
function takeTasks(state: WorkerState, maxCount: number, out: WorkerInstruction[], behind?: Batch): Taken {
  const tasks: Task[] = []
  const isFirst = (): boolean => behind === undefined && tasks.length === 0
  let estimateUs = behind === undefined ? 0 : leftUs(behind)
  let needBytes = 0
  let isTimed = false
  let shortestUs = behind === undefined ? Infinity : 0
  let patienceUs = 0
  let hasMore = false
  for (let task = state.ready.peek(); task !== undefined && tasks.length < maxCount; task = state.ready.peek()) {
    const taskUs = shareOfBatchUs(task.template)
    shortestUs = Math.min(shortestUs, taskUs)
    // What a short task gave is not told before the batch has ended: with one in it a batch is short as a whole.
    const usualUs = shortestUs >= LONG_TASK_US ? LONG_BATCH_US : BATCH_US
    // The shortest that any of them can wait.
    const rowUs = isFirst() ? task.patienceUs : Math.min(patienceUs, task.patienceUs)
    const mostUs = rowUs > usualUs && !runsAlone(task.template) ? rowUs : usualUs
    hasMore = !isFirst() && estimateUs + taskUs > mostUs
    if (hasMore || (!isFirst() && task.patienceUs > 0 !== patienceUs > 0)) break
    if (task.inputs.length > 0 && !hasInputs(state, task, out)) continue
    const taskBytes = needBytesOf(task.template)
    if (isFirst() && !hasMemoryFor(state, taskBytes)) {
      state.heldBackBytes = taskBytes
      break
    }
    if (!isFirst() && taskBytes > needBytes) break
    needBytes = Math.max(needBytes, taskBytes)
    state.ready.next()
    estimateUs += taskUs
    patienceUs = rowUs
    if (task.template.timeoutMs > 0) isTimed = true
    tasks.push(task)
  }
  // What is ready and finds no room here is next: more of a chain before it would keep it waiting, and more behind that again.
  const isOtherNext = behind !== undefined && state.ready.length > 0
  // A worker that is paused takes one task at a time.
  if (isOtherNext || state.fetches.size === 0 || isPaused(state)) {
    return { tasks, estimateUs, needBytes, isTimed, makers: undefined, hasMore }
  }
  const chain = new Chain(
    state,
    tasks,
    behind?.tasks.filter((task) => isOpen(task.state)),
  )
  for (const task of chain.followers()) {
    const taskUs = shareOfBatchUs(task.template)
    if (tasks.length >= ARRAY_CAPACITY || estimateUs + taskUs > BATCH_US) {
      hasMore = true
      break
    }
    if (needBytesOf(task.template) > needBytes) continue
    estimateUs += taskUs
    if (task.template.timeoutMs > 0) isTimed = true
    chain.add(task)
  }
  const makers = chain.makers.size === 0 ? undefined : chain.makers
  return { tasks, estimateUs, needBytes, isTimed, makers, hasMore }
}

/**
 * An input may have been freed or spilled since it came, or a task of ours that was to make it in the same batch was not
 * started. A task without it goes back, or waits for it again.
 */
function hasInputs(state: WorkerState, task: Task, out: WorkerInstruction[]): boolean {
  const missing = missingInputs(state, task.inputs, task.failures)
  if (missing === undefined) {
    for (const input of task.inputs) state.spills.pin(task, input)
    return true
  }
  // Nobody is there to be told that it goes back. It was not started, so the next scheduler sends it again.
  if (state.link.type === 'absent') {
    forgetTask(state, task)
    return false
  }
  moveTo(task, { type: 'waiting', missing })
  readyQueueOf(state, task.template).markStale()
  fetchInputs(state, task, { missing, sources: ownSources(state, missing) }, out)
  return false
}

/**
 * Takes unstarted tasks back from threads: those that the scheduler wants; long ones that something more urgent waits behind, from
 * as many threads as there are such tasks; and those of batches that are overdue while a thread stands idle for want of work or
 * while nobody needs part of them. The batch that began first goes first.
 */
export function takeBackTails(state: WorkerState, nowMs: number, out: WorkerInstruction[]): void {
  const next = state.ready.peek()
  const inTheWay: Batch[] = []
  let makingWay = 0
  for (const batch of state.batches) {
    if (batch === undefined) continue
    if (batch.tail === 'wanted') ask(batch, out)
    if (makesWay(batch, nowMs)) makingWay++
    else if (next !== undefined && isInTheWay(batch, next)) inTheWay.push(batch)
  }
  for (const batch of inTheWay.sort(byAge)) {
    if (state.ready.countAbove(rankOfTail(batch)) <= makingWay) continue
    ask(batch, out)
    makingWay++
  }
  let hands = freeHands(state)
  const overdue: Batch[] = []
  for (const batch of state.batches)
    if (batch !== undefined && hasTail(batch) && batch.overdueAtMs <= nowMs) overdue.push(batch)
  for (const batch of overdue.sort(byAge)) {
    if (batch.abandoned === 0 && hands-- <= 0) continue
    ask(batch, out)
  }
}

/** When a batch will be overdue that would then be taken back; `Infinity` for never. */
export function nextOverdueMs(state: WorkerState): number {
  const hasHands = freeHands(state) > 0
  let nextMs = Infinity
  for (const batch of state.batches) {
    if (batch === undefined || !hasTail(batch) || (!hasHands && batch.abandoned === 0)) continue
    nextMs = Math.min(nextMs, batch.overdueAtMs)
  }
  return nextMs
}

function byAge(a: Batch, b: Batch): number {
  return a.beganAtMs - b.beganAtMs
}

function isInTheWay(batch: Batch, next: Task): boolean {
  return batch.isLong && hasTail(batch) && rankOfTail(batch) < rankOf(next)
}

function rankOfTail({ tasks }: Batch): number {
  return rankOf(tasks.at(-1)!)
}

/** Its thread is free once the long task has ended that it runs now, unless that takes longer than a whole batch should. */
function makesWay({ isLong, patienceUs, tail, runningSinceMs }: Batch, nowMs: number): boolean {
  return isLong && tail !== 'given' && nowMs - runningSinceMs <= Math.max(patienceUs, LONG_BATCH_US) / 1_000
}

function ask(batch: Batch, out: WorkerInstruction[]): void {
  batch.tail = 'asked'
  out.push({ type: 'take-back', thread: batch.thread })
}

/** Idle threads for which no tasks are on their way back from another. */
function freeHands(state: WorkerState): number {
  let count = -resumedCount(state)
  for (let thread = 0; thread < state.config.threads; thread++) {
    const batch = state.batches[thread]
    if (batch === undefined) count++
    else if (batch.tail === 'asked') count--
  }
  return count
}
