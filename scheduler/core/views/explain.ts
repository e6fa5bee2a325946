/**
 * Why a task is where it is, for people: what it waits for, which workers can't take it and why, its place in the queue. It
 * reads the state and changes nothing; a task without a record gets none for being asked about.
 */
import { unreachable } from '../../../common/assert.js'
import { formatBytes, formatDuration } from '../../../common/units.js'
import { arrayOf, generatedKey, indexOf, taskId, taskInKey, type TaskId } from '../../../protocol/ids.js'
import { MAX_EXPLAINED } from '../../../protocol/limits.js'
import type { Explanation } from '../../../protocol/messages/explanation.js'
import { NO_NEEDS } from '../../../protocol/messages/needs.js'
import { describeAmount } from '../../../protocol/resources.js'
import { hasRoom, type Row } from '../placing/admission.js'
import { describeNeeds, obstacleOf, shortageOf, type Demand } from '../placing/demand.js'
import { freeAtMs } from '../placing/limits.js'
import { SKIPPED } from '../data/inline-cache.js'
import { isWithheld } from '../clients/client-record.js'
import type { Progress } from '../tasks/progress.js'
import { isReattaching } from '../durable/reattach.js'
import { rowOfNext } from '../placing/patience.js'
import { mayTakeRoots } from '../placing/roots.js'
import { workerOf } from '../placing/ahead.js'
import { readyQueueOf, type SchedulerState } from '../state.js'
import { HELD, templateAt, type TaskArray } from '../tasks/task-array.js'
import { isHolder, isReadyFor, keyOf, startNumber, type InMemory, type Task } from '../tasks/task.js'
import type { Template } from '../tasks/template.js'
import { isPaused, slotsOf, type WorkerRecord } from '../workers/worker-record.js'

/** A place of an array: with a record, or without one as long as nobody has looked at the task. */
interface Place {
  readonly array: TaskArray
  readonly index: number
  readonly key: string
  readonly template: Template
  readonly task: Task | undefined
}

/** The task of this id or, if that is 0, of this key. */
export function explain(state: SchedulerState, id: TaskId, key: string): Explanation {
  const place = Number(id) === 0 ? findByKey(state, key) : findById(state, id)
  if (place === undefined) {
    const reason = 'The scheduler has no such task: it was never submitted, or nobody needs it any more.'
    return { ...NOTHING, key: key === '' ? String(id) : key, state: 'unknown', reason }
  }
  const { task } = place
  if (task === undefined) return explainReady(state, place)
  const at = task.state
  switch (at.type) {
    case 'waiting':
      return explainWaiting(state, place, task)
    case 'ready':
      return explainReady(state, place)
    case 'delayed': {
      if (at.condemned !== undefined) {
        const { name } = at.condemned.worker.join
        const reason = `It fails, since ${name} died with it: how that ended is being found out.`
        return { ...NOTHING, key: place.key, state: at.type, reason }
      }
      const againMs = Math.max(0, Math.round(at.dueMs - state.nowMs))
      const reason = `It failed, and is tried again in ${formatDuration(againMs)}.`
      return { ...NOTHING, key: place.key, state: at.type, reason }
    }
    case 'processing':
      return explainProcessing(state, place, task, at.worker)
    case 'in-memory':
      return { ...NOTHING, key: place.key, state: at.type, reason: whereItIs(at) }
    case 'failed': {
      const { code, reason, worker, culpritKey } = at.failure
      const what = code === '' ? 'It threw an error' : `It failed with ${code}: ${reason}`
      const whose = culpritKey === place.key ? what : `${culpritKey}, which it needs, failed`
      return { ...NOTHING, key: place.key, state: at.type, reason: worker === '' ? whose : `${whose}, on ${worker}` }
    }
    case 'released': {
      const reason = 'Nobody needs its value now; it would run again if a task had to that needs it.'
      return { ...NOTHING, key: place.key, state: at.type, reason }
    }
    default:
      return unreachable(at)
  }
}

const NOTHING = Object.freeze({ details: [], waitsFor: [], workers: [], ahead: 0 })

function findById(state: SchedulerState, id: TaskId): Place | undefined {
  const array = state.arrays.get(arrayOf(id))
  return array === undefined ? undefined : placeAt(array, indexOf(id))
}

/** The task of an explicit key, or of a generated one, which ends with the task's id. */
export function findByKey(state: SchedulerState, key: string): Place | undefined {
  const explicit = state.keys.get(key)
  if (explicit !== undefined) return placeAt(explicit.array, explicit.index)
  const id = taskInKey(key)
  const place = id === undefined ? undefined : findById(state, id)
  return place?.key === key ? place : undefined
}

function placeAt(array: TaskArray, index: number): Place | undefined {
  const task = array.tasks[index]
  if (task !== undefined)
    return { array: task.array, index: task.index, key: keyOf(task), template: task.template, task }
  if (((array.flags[index] ?? 0) & HELD) === 0) return undefined
  const template = templateAt(array, index)
  return { array, index, key: generatedKey(template.name, taskId(array.id, index)), template, task }
}

function explainWaiting(state: SchedulerState, { key }: Place, task: Task): Explanation {
  if (task.template.isScattered) {
    const scatter = state.scatters.get(task.id)
    const isHomeless = scatter !== undefined && state.homelessScatters.has(scatter)
    const reason = isHomeless
      ? 'Its client has the value, and there is no worker that it may go to.'
      : 'Its client is bringing the value to a worker.'
    return { ...NOTHING, key, state: 'waiting', reason }
  }
  const missing = task.inputs.filter((input) => !isReadyFor(task, input))
  const waitsFor = missing.slice(0, MAX_EXPLAINED).map((input) => ({ key: keyOf(input), state: input.state.type }))
  if (task.producer !== undefined) {
    const reason = `It is an output of ${keyOf(task.producer)}, which has not ended.`
    return { ...NOTHING, key, state: 'waiting', reason, waitsFor }
  }
  const waits = `It waits for ${count(missing.length, 'input')} of ${task.inputs.length}`
  const ahead = workerOf(task.state)
  const reason = ahead === undefined ? `${waits}.` : `${waits}; it was sent ahead of them to ${ahead.join.name}.`
  return { ...NOTHING, key, state: 'waiting', reason, waitsFor, details: errorsGiven(task) }
}

/** How many of its inputs failed, where it runs all the same. */
function errorsGiven(task: Task): string[] {
  const failed = task.inputs.filter(({ state }) => state.type === 'failed').length
  return failed === 0 ? [] : [`${count(failed, 'input')} failed; it gets the error in the place of the value.`]
}

function explainReady(state: SchedulerState, place: Place): Explanation {
  const { key, template, array, task } = place
  const { demand } = template
  const queue = readyQueueOf(state, template)
  const ahead = queue.countBefore(template.priority, array.client.id, task ?? taskId(array.id, place.index))
  const details = ahead === 0 ? [] : [`About ${count(ahead, 'ready task')} with the same needs come before it.`]
  if (task !== undefined) details.push(...errorsGiven(task))
  if (demand !== undefined) details.unshift(`It needs ${describeNeeds(demand.needs)}.`)
  const next = rowOfNext(state)
  const row = next?.template === template ? next : undefined
  const refusals = [...state.workers.values()].map((worker) => ({
    name: worker.join.name,
    reason: whyNotNow(demand, worker, row),
  }))
  const workers = refusals.flatMap(({ name, reason }) => (reason === undefined ? [] : [{ name, reason }]))
  const reason = whyNotPlaced(state, place, workers.length)
  const shown = workers.slice(0, MAX_EXPLAINED)
  return { ...NOTHING, key, state: 'ready', reason, details, workers: shown, ahead }
}

function whyNotPlaced(state: SchedulerState, { array, template, task }: Place, refusing: number): string {
  const { demand } = template
  if (state.isJournalFull) return 'It waits: the state directory of the scheduler is full; make room there.'
  if (isReattaching(state)) {
    const missing = count(state.awaitedWorkers.size, 'worker')
    return `It waits: the scheduler was started again, and ${missing} of the time before may still come back with it.`
  }
  if (isWithheld(array.client, task)) {
    return 'It waits: its client has not come back since the scheduler was started again, and nobody else needs it.'
  }
  const obstacle = demand === undefined ? undefined : obstacleOf(state, demand)
  if (obstacle !== undefined) return `It waits, and nothing that is there will let it run: it ${obstacle}.`
  if (state.stayingWorkers === 0) return 'It waits for a worker: there is none.'
  const isRoot = task === undefined || (task.inputs.length === 0 && task.attempt === 0)
  if (isRoot && !mayTakeRoots(state)) {
    const held = formatBytes(state.awaitedBytes)
    return `It is held back: ${held} of values wait for tasks that use them up, which go first.`
  }
  const limit = demand === undefined ? undefined : whyNoUnits(state, demand)
  if (limit !== undefined) return limit
  if (refusing === state.workers.size) return 'It waits for a worker: each is busy or can’t take it.'
  return 'It is among the next to be sent to a worker.'
}

/** Which limit has no units for a task of the demand now. */
function whyNoUnits(state: SchedulerState, demand: Demand): string | undefined {
  for (const { name, units } of demand.needs.limits) {
    const limit = state.limits.get(name)
    if (limit === undefined) continue
    const atMs = freeAtMs(limit, units, state.nowMs)
    const isShort = atMs > state.nowMs
    if (!isShort && (limit.reservedFor === undefined || limit.reservedFor === demand)) continue
    const { declaration, taken, waiting } = limit
    const others =
      waiting.size === 0 ? '' : `, and ${count(waiting.size, 'client')} ${waiting.size === 1 ? 'waits' : 'wait'} too`
    if (!isShort) return `It waits for the limit "${name}": what is free is kept for a task that needs more.`
    if (declaration.kind === 'semaphore') {
      return `It waits for the limit "${name}": ${taken} of ${declaration.units} units are taken${others}.`
    }
    return `It waits for the limit "${name}": the next begins in ${formatDuration(Math.ceil(atMs - state.nowMs))}${others}.`
  }
  return undefined
}

/** Why the worker can't take a task of the demand now; `undefined` when it can. */
function whyNotNow(demand: Demand | undefined, worker: WorkerRecord, row: Row | undefined): string | undefined {
  const needs = demand?.needs ?? NO_NEEDS
  if (worker.isLeaving) return 'is leaving'
  const shortage = shortageOf(needs, worker)
  if (shortage !== undefined) return shortage
  if (demand?.fitting.has(worker) === true || (demand === undefined && hasRoom(worker, row))) return undefined
  if (isPaused(worker) && worker.processing.size > 0) {
    return 'is paused: its values take so much of its memory that it does one task at a time'
  }
  const { free, join } = worker
  if (needs.threads === 0 && free.ioTasks <= 0) return `runs ${join.ioTasks} tasks without a thread already`
  if (needs.memoryBytes > free.memoryBytes)
    return `has ${formatBytes(Math.max(0, free.memoryBytes))} of memory to spare`
  for (const { name, thousandths } of needs.others) {
    const left = free.others.get(name) ?? 0
    if (thousandths > left)
      return left === 0 ? `has no ${name} to spare` : `has ${describeAmount({ name, thousandths: left })} to spare`
  }
  if (worker.reservedFor !== undefined && worker.reservedFor !== demand) {
    return `is kept free for tasks that need ${describeNeeds(worker.reservedFor.needs)}`
  }
  const busy = Math.min(slotsOf(worker), join.threads)
  return `has ${busy} of ${count(join.threads, 'thread')} busy, and tasks sent ahead`
}

function explainProcessing(state: SchedulerState, { key }: Place, task: Task, worker: WorkerRecord): Explanation {
  const { pulse, join, heardAtMs, processing } = worker
  const silence = `it was last heard of ${formatDuration(Math.max(0, Math.round(state.nowMs - heardAtMs)))} ago`
  const progress = state.progress.get(task)
  const details = progress === undefined ? [] : [describeProgress(progress)]
  details.push(...errorsGiven(task))
  const running = pulse?.running.indexOf(task.id) ?? -1
  if (worker.isLeaving) details.push(`${join.name} is leaving, and ends what runs.`)
  if (running >= 0) {
    const forMs = pulse?.runningForMs[running] ?? 0
    const reason = `It runs on ${join.name}, as attempt ${startNumber(task)}, for ${formatDuration(forMs)} when ${silence}.`
    return { ...NOTHING, key, state: 'processing', reason, details }
  }
  let before = 0
  for (const other of processing) {
    if (other === task) break
    before++
  }
  if (before > 0) details.push(`${count(before, 'task')} sent there earlier may come before it.`)
  const absent = task.inputs.filter((input) => input.state.type === 'in-memory' && !isHolder(input.state, worker))
  if (absent.length > 0) details.push(`The worker gets ${count(absent.length, 'input')} from other workers first.`)
  if (isPaused(worker))
    details.push('The worker is paused: its values take so much memory that it does one task at a time.')
  if (pulse?.isHoldingBack === true) details.push('The worker has no memory to spare for the next of its tasks.')
  const reason = `It was sent to ${join.name} as attempt ${startNumber(task)}, and had not begun there when ${silence}.`
  return { ...NOTHING, key, state: 'processing', reason, details }
}

function describeProgress({ fraction, note }: Progress): string {
  return `It reported that ${Math.floor(fraction * 100)} % is done${note === '' ? '.' : `: ${note}`}`
}

function whereItIs({ holders, sizeBytes, page }: InMemory): string {
  if (page === SKIPPED) return 'It was skipped, because an input of it failed; its value is undefined.'
  const names = holders.slice(0, MAX_EXPLAINED).map(({ join }) => join.name)
  const more = holders.length > names.length ? ` and ${holders.length - names.length} more` : ''
  const size = formatBytes(sizeBytes)
  if (names.length > 0) return `It has finished; its value, ${size}, is on ${names.join(', ')}${more}.`
  if (page?.bytes !== undefined) return `It has finished; the scheduler has its value, ${size}.`
  return `It has finished; the scheduler was started again, and who has its value, ${size}, is not back yet.`
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
