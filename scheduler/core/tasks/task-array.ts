/**
 * Task arrays: up to `ARRAY_CAPACITY` tasks that a client submitted together. A task that has no inputs and that nobody
 * asked about has no record, only its flags here and its arguments in the bytes that arrived. So a million waiting items
 * of a `map` cost a few bytes each beside their arguments.
 */
import { assert } from '../../../common/assert.js'
import { NO_BYTES, type Packed } from '../../../common/packed.js'
import { arrayOf, attempt, indexOf, taskId, type ArrayId, type TaskId } from '../../../protocol/ids.js'
import type { QueueDeadline } from './queue-time-outs.js'
import type { ClientRecord } from '../clients/client-record.js'
import type { Nesting } from './nesting.js'
import type { SchedulerState } from '../state.js'
import { NO_INPUTS, READY, type Alias, type Task, type TaskState } from './task.js'
import type { Template } from './template.js'

/** The client holds the future. Without this flag, and without a record, a task is gone. */
export const HELD = 1
/** The client waits for the value. */
export const WANTED = 2

/** Tasks of one `submit`: the places `first` to `first + count` of their array. */
export interface Segment {
  readonly array: TaskArray
  readonly first: number
  readonly count: number
  /** Of all segments, in the order they came. */
  readonly order: number
  /** Dropped when no place of the segment is live. */
  args: Packed
  live: number
  /** `[template, count, …]` in turn. */
  readonly runs: readonly { readonly template: Template; readonly end: number }[]
  readonly priority: number
  /** When its tasks came; for those that were replayed, when that was. */
  readonly submittedAtMs: number
  /** Up to here the ready queue has taken the tasks; relative to `first`. */
  cursor: number
  /** The run that the cursor is in. */
  run: number
  /** For its tasks that may wait only so long, if there are any. See queue-time-outs.ts. */
  deadlines: QueueDeadline[] | undefined
}

export interface TaskArray {
  readonly id: ArrayId
  readonly client: ClientRecord
  /** Whose children its tasks are, if a task submitted them. */
  readonly nesting: Nesting | undefined
  readonly segments: Segment[]
  /** By index: the record, if there is one. */
  readonly tasks: (Task | undefined)[]
  /** By index: `HELD`, `WANTED`. It grows when the client fills the array in several messages. */
  flags: Uint8Array
  /** Places that are in use: held by the client, or with a record. The array goes when none is. */
  live: number
  /** The scheduler's, of all arrays: they are counted where a record is made, which knows its array. */
  readonly records: RecordCounts
}

/** How many tasks have a record, and how many had one and are gone since memory was collected. See retention.ts. */
export interface RecordCounts {
  kept: number
  gone: number
}

/** A new array without a place. The caller gives it some. */
export function addArray(
  { arrays, records }: SchedulerState,
  { id, client, nesting }: Pick<TaskArray, 'id' | 'client' | 'nesting'>,
): TaskArray {
  const flags = new Uint8Array(0)
  const array: TaskArray = { id, client, nesting, segments: [], tasks: [], flags, live: 0, records }
  arrays.set(id, array)
  client.arrays.add(array)
  return array
}

/** A new array of one place, which its client holds. The ready queue never sees it. */
export function addArrayOfOne(
  state: SchedulerState,
  { client, id, template }: { readonly client: ClientRecord; readonly id: ArrayId; readonly template: Template },
): Segment {
  const array = addArray(state, { id, client, nesting: undefined })
  array.flags = Uint8Array.of(HELD)
  array.live = 1
  const segment: Segment = {
    array,
    first: 0,
    count: 1,
    order: state.nextSegment++,
    args: NO_BYTES,
    live: 1,
    runs: [{ template, end: 1 }],
    priority: 0,
    submittedAtMs: state.nowMs,
    cursor: 1,
    run: 0,
    deadlines: undefined,
  }
  array.segments.push(segment)
  return segment
}

/** Places of an array that nothing stands for any more, behind those it has. Others follow. */
export function addHole(state: SchedulerState, client: ClientRecord, id: ArrayId, count: number): void {
  const array = state.arrays.get(id) ?? addArray(state, { id, client, nesting: undefined })
  const first = array.flags.length
  const order = state.nextSegment++
  const hole = { array, first, count, order, args: NO_BYTES, live: 0, runs: [], priority: 0, cursor: count, run: 0 }
  array.segments.push({ ...hole, submittedAtMs: state.nowMs, deadlines: undefined })
  array.flags = grown(array.flags, count)
}

/** The flags of a larger array. */
export function grown(flags: Uint8Array, count: number): Uint8Array {
  const larger = new Uint8Array(flags.length + count)
  larger.set(flags)
  return larger
}

/** The record of a task, made now if it has none; `undefined` when the task is gone or never was. */
export function findTask(state: SchedulerState, id: TaskId): Task | undefined {
  const array = state.arrays.get(arrayOf(id))
  if (array === undefined) return undefined
  const index = indexOf(id)
  return array.tasks[index] ?? ((array.flags[index]! & HELD) === 0 ? undefined : expand(array, index))
}

/** The record of a task that may be gone, without making one. */
export function recordOf(state: SchedulerState, id: TaskId): Task | undefined {
  return state.arrays.get(arrayOf(id))?.tasks[indexOf(id)]
}

/** Makes the record of a task that has none yet: it has no inputs, so it is ready, and already counted as such. */
export function expand(array: TaskArray, index: number): Task {
  const segment = segmentOf(array, index)
  const place = index - segment.first
  const run = segment.runs.find(({ end }) => place < end)
  assert(run !== undefined, `array ${array.id} has no template at ${index}`)
  return expandWith(segment, place, run.template)
}

/** As `expand`, for a caller who knows the segment and the template. */
export function expandWith(segment: Segment, place: number, template: Template): Task {
  return makeTask(segment, place, template, {
    inputs: NO_INPUTS,
    explicitKey: undefined,
    producer: undefined,
    state: READY,
  })
}

/** Puts a record in its place. The caller has counted the task in its template's statistics under `state`. */
export function makeTask(segment: Segment, place: number, template: Template, given: Given): Task {
  const task = new TaskRecord(segment, place, template, given)
  segment.array.tasks[task.index] = task
  segment.array.records.kept++
  return task
}

/** Stands for an empty list of waiters, so that a task which nobody waits for needs no list of its own. */
export const NO_WAITERS: Task[] = []
Object.freeze(NO_WAITERS)

type Given = Pick<Task, 'inputs' | 'explicitKey' | 'producer'> & { readonly state: TaskState }

/** What few tasks have. */
interface Rarities {
  readonly explicitKey: string | undefined
  failures: number
  unstarted: number
  presumedUnstarted: number
  hasStarted: boolean
  isOverdue: boolean
  deaths: number
  misses: number
  staysBack: boolean
  publications: number
  aliases: Alias[] | undefined
  isDetached: boolean
}

const NO_RARITIES: Rarities = Object.freeze({
  explicitKey: undefined,
  failures: 0,
  unstarted: 0,
  presumedUnstarted: 0,
  hasStarted: false,
  isOverdue: false,
  deaths: 0,
  misses: 0,
  staysBack: false,
  publications: 0,
  aliases: undefined,
  isDetached: false,
})

/** What only tasks of a graph have, not those of a plain `map`: what they need, and who needs them. */
interface Links {
  readonly inputs: readonly Task[]
  readonly producer: Task | undefined
  waiters: Task[]
  staleWaiters: number
  pendingDependants: number
  dependants: number
}

const NO_LINKS: Links = Object.freeze({
  inputs: NO_INPUTS,
  producer: undefined,
  waiters: NO_WAITERS,
  staleWaiters: 0,
  pendingDependants: 0,
  dependants: 0,
})

/** There may be millions of these: what the segment knows is read there, and what not all have are objects of their own. */
class TaskRecord implements Task {
  readonly #segment: Segment
  readonly place: number
  readonly template: Template
  state: TaskState
  attempt = attempt(0)
  #links: Links
  #rarities: Rarities | undefined

  constructor(segment: Segment, place: number, template: Template, { inputs, explicitKey, producer, state }: Given) {
    this.#segment = segment
    this.place = place
    this.template = template
    this.state = state
    this.#links = inputs.length === 0 && producer === undefined ? NO_LINKS : { ...NO_LINKS, inputs, producer }
    this.#rarities = explicitKey === undefined ? undefined : { ...NO_RARITIES, explicitKey }
  }

  get id(): TaskId {
    return taskId(this.#segment.array.id, this.index)
  }

  get array(): TaskArray {
    return this.#segment.array
  }

  get index(): number {
    return this.#segment.first + this.place
  }

  get args(): Packed {
    return this.#segment.args
  }

  get inputs(): readonly Task[] {
    return this.#links.inputs
  }

  get producer(): Task | undefined {
    return this.#links.producer
  }

  get waiters(): Task[] {
    return this.#links.waiters
  }

  set waiters(waiters: Task[]) {
    if (waiters !== this.#links.waiters) this.#ownLinks().waiters = waiters
  }

  get staleWaiters(): number {
    return this.#links.staleWaiters
  }

  set staleWaiters(count: number) {
    if (count !== this.#links.staleWaiters) this.#ownLinks().staleWaiters = count
  }

  get pendingDependants(): number {
    return this.#links.pendingDependants
  }

  set pendingDependants(count: number) {
    if (count !== this.#links.pendingDependants) this.#ownLinks().pendingDependants = count
  }

  get dependants(): number {
    return this.#links.dependants
  }

  set dependants(count: number) {
    if (count !== this.#links.dependants) this.#ownLinks().dependants = count
  }

  get explicitKey(): string | undefined {
    return this.#rarities?.explicitKey
  }

  get failures(): number {
    return this.#rarities === undefined ? 0 : this.#rarities.failures
  }

  set failures(failures: number) {
    if (failures !== this.failures) this.#makeRarities().failures = failures
  }

  get unstarted(): number {
    return this.#rarities === undefined ? 0 : this.#rarities.unstarted
  }

  set unstarted(unstarted: number) {
    if (unstarted !== this.unstarted) this.#makeRarities().unstarted = unstarted
  }

  get presumedUnstarted(): number {
    return this.#rarities === undefined ? 0 : this.#rarities.presumedUnstarted
  }

  set presumedUnstarted(attempt: number) {
    if (attempt !== this.presumedUnstarted) this.#makeRarities().presumedUnstarted = attempt
  }

  get hasStarted(): boolean {
    return this.#rarities !== undefined && this.#rarities.hasStarted
  }

  set hasStarted(hasStarted: boolean) {
    if (hasStarted !== this.hasStarted) this.#makeRarities().hasStarted = hasStarted
  }

  get isOverdue(): boolean {
    return this.#rarities !== undefined && this.#rarities.isOverdue
  }

  set isOverdue(isOverdue: boolean) {
    if (isOverdue !== this.isOverdue) this.#makeRarities().isOverdue = isOverdue
  }

  get deaths(): number {
    return this.#rarities === undefined ? 0 : this.#rarities.deaths
  }

  set deaths(deaths: number) {
    if (deaths !== this.deaths) this.#makeRarities().deaths = deaths
  }

  get misses(): number {
    return this.#rarities === undefined ? 0 : this.#rarities.misses
  }

  set misses(misses: number) {
    if (misses !== this.misses) this.#makeRarities().misses = misses
  }

  get staysBack(): boolean {
    return this.#rarities !== undefined && this.#rarities.staysBack
  }

  set staysBack(staysBack: boolean) {
    if (staysBack !== this.staysBack) this.#makeRarities().staysBack = staysBack
  }

  get publications(): number {
    return this.#rarities === undefined ? 0 : this.#rarities.publications
  }

  set publications(publications: number) {
    if (publications !== this.publications) this.#makeRarities().publications = publications
  }

  get aliases(): Alias[] | undefined {
    return this.#rarities?.aliases
  }

  set aliases(aliases: Alias[] | undefined) {
    if (aliases !== this.aliases) this.#makeRarities().aliases = aliases
  }

  get isDetached(): boolean {
    return this.#rarities === undefined ? false : this.#rarities.isDetached
  }

  set isDetached(isDetached: boolean) {
    if (isDetached !== this.isDetached) this.#makeRarities().isDetached = isDetached
  }

  #ownLinks(): Links {
    if (this.#links === NO_LINKS) this.#links = { ...NO_LINKS }
    return this.#links
  }

  #makeRarities(): Rarities {
    return (this.#rarities ??= { ...NO_RARITIES })
  }
}

/** The template of a task without a record. */
export function templateAt(array: TaskArray, index: number): Template {
  const segment = segmentOf(array, index)
  const run = segment.runs.find(({ end }) => index - segment.first < end)
  assert(run !== undefined, `array ${array.id} has no template at ${index}`)
  return run.template
}

/** One place is free for good: with the last of its segment the arguments go. */
export function leavePlace(array: TaskArray, index: number): Segment {
  const segment = segmentOf(array, index)
  segment.live--
  if (segment.live === 0) segment.args = NO_BYTES
  array.live--
  return segment
}

export function segmentOf(array: TaskArray, index: number): Segment {
  for (const segment of array.segments) {
    if (index >= segment.first && index < segment.first + segment.count) return segment
  }
  throw new Error(`array ${array.id} has nothing at ${index}`)
}
