/**
 * A journal begins with the state at that time, in the same records that it goes on with: so there is one way to read it.
 * What clients said is said again, as far as something of it is left, in the order it was said in; then what became of it;
 * and then that they let go of the rest. Places of an array that nothing stands for any more cost next to nothing.
 */
import { entryOf, Packer } from '../../../common/packed.js'
import { codeHash, taskId, type CodeHash, type TaskId } from '../../../protocol/ids.js'
import type { ClientToScheduler, Submit } from '../../../protocol/messages/client.js'
import { NO_NEEDS } from '../../../protocol/messages/needs.js'
import { depthOf, PRIORITY_BASE, priorityOf } from '../../../protocol/urgency.js'
import type { ClientRecord } from '../clients/client-record.js'
import { JournalPage } from './journal-page.js'
import { TASKS_OF_A_WORKER, type JournalRecord } from './journal-record.js'
import type { SchedulerState } from '../state.js'
import { HELD, recordOf, type Segment, type TaskArray } from '../tasks/task-array.js'
import { keyOf, type Task } from '../tasks/task.js'
import type { Template } from '../tasks/template.js'

/** Templates that their clients have forgotten get numbers from here on, which no client comes to. */
const CLOSED_TEMPLATES = 2 ** 40
const NOTHING = new Uint8Array(0)

export function* snapshotOf(state: SchedulerState): Generator<JournalRecord> {
  yield { type: 'begun', peerSecret: state.config.peerSecret, nextArray: state.nextArray }
  // Some may be gone, and what they submitted is held by others or goes on by itself.
  const owners = new Set(state.clients.values())
  for (const { client } of state.arrays.values()) owners.add(client)
  const clients = [...owners].filter(({ session }) => session !== '')
  for (const client of clients) yield* beginClient(state, client)
  const segments = clients.flatMap(({ arrays }) => [...arrays].flatMap((array) => array.segments))
  const numbers = new Map(clients.map((client) => [client, numbersOf(client)]))
  yield* definitions(state, segments, numbers)
  const keys = new Map<string, Task>()
  for (const segment of segments.sort((a, b) => a.order - b.order)) {
    yield* freeKeys(keys, segment)
    yield* submission(state, segment, (template) => numberOf(numbers, segment.array.client, template))
  }
  for (const [key, task] of keys) if (state.keys.get(key) !== task) yield { type: 'key-freed', key }
  yield* outcomes(clients)
  yield* unitsOf(state, clients)
  for (const [name, { id, array }] of state.datasets) {
    if (array.client.session !== '') yield say(array.client, { type: 'publish', request: 0, name, task: id })
  }
  for (const client of clients) yield* endClient(state, client, numbers)
  for (const { first } of state.pastLeases) yield { type: 'leased', client: TASKS_OF_A_WORKER, first }
  for (const { id, join, lease } of state.workers.values()) {
    yield { type: 'leased', client: TASKS_OF_A_WORKER, first: lease.first }
    yield { type: 'worker-came', worker: id, incarnation: join.incarnation }
  }
  for (const [incarnation, worker] of state.awaitedWorkers) yield { type: 'worker-came', worker, incarnation }
}

type Numbers = ReadonlyMap<ClientRecord, ReadonlyMap<Template, number>>

function say({ id }: ClientRecord, message: ClientToScheduler): JournalRecord {
  return { type: 'said', client: id, message }
}

function* beginClient(state: SchedulerState, client: ClientRecord): Generator<JournalRecord> {
  const { id, session, name, codes } = client
  yield { type: 'client-came', client: id, session, name }
  // Its arrays may be of leases that are used up otherwise.
  yield { type: 'leases', client: id, firsts: [] }
  for (const { define } of codes) yield say(client, define)
  const isGone = state.clients.get(id) !== client
  for (const { declaration, declaredBy } of state.limits.values()) {
    // A limit that tasks name is there though whoever declared it is gone.
    const declares = declaredBy.has(client) || (isGone && declaredBy.size === 0)
    if (declares) yield say(client, { type: 'declare-limit', limit: declaration })
  }
}

/** The client's own numbers of its templates. */
function numbersOf({ templates }: ClientRecord): ReadonlyMap<Template, number> {
  return new Map([...templates].map(([number, template]) => [template, number]))
}

function numberOf(numbers: Numbers, client: ClientRecord, template: Template): number {
  return numbers.get(client)?.get(template) ?? CLOSED_TEMPLATES + template.id
}

/** Every template that a client may submit with, or that something is left of. */
function* definitions(state: SchedulerState, segments: readonly Segment[], numbers: Numbers): Generator<JournalRecord> {
  const used = new Map([...numbers].map(([client, own]) => [client, new Set(own.keys())]))
  const constants = new Map<Template, readonly TaskId[]>()
  for (const segment of segments) {
    if (isAttached(segment)) continue
    for (const { template, tasks } of liveRunsOf(segment)) {
      if (!template.isScattered) used.get(segment.array.client)?.add(template)
      if (template.constantInputs.length === 0 || constants.has(template)) continue
      const task = tasks.find((each) => each?.template === template && each.producer === undefined)
      const inputs = task?.inputs.slice(-template.constantInputs.length)
      if (inputs?.length === template.constantInputs.length)
        constants.set(
          template,
          inputs.map(({ id }) => id),
        )
    }
  }
  for (const [client, templates] of used) {
    for (const template of templates) {
      yield* codeOf(state, client, template.code)
      const { filter } = template.rules.retries
      if (filter !== '') yield* codeOf(state, client, codeHash(filter))
      const { name, code, exportName, priority: urgency, outputs, demand, rules } = template
      yield say(client, {
        type: 'define-template',
        template: numberOf(numbers, client, template) as never,
        name,
        code,
        exportName,
        constants: template.constants,
        // As its tasks have them: a future of one may have been another's, and be gone.
        constantInputs: constants.get(template) ?? template.constantInputs,
        priority: priorityOf(urgency) + PRIORITY_BASE,
        depth: depthOf(urgency),
        outputs,
        needs: demand?.needs ?? NO_NEEDS,
        rules,
      })
    }
  }
}

function* codeOf(state: SchedulerState, client: ClientRecord, code: CodeHash): Generator<JournalRecord> {
  const record = state.codes.get(code)
  if (record !== undefined && !client.codes.has(record)) yield say(client, record.define)
}

/** The runs of which something is left, with the records of their places. */
function* liveRunsOf({ array, first, runs }: Segment): Generator<{
  readonly template: Template
  readonly tasks: readonly (Task | undefined)[]
}> {
  let start = 0
  for (const { template, end } of runs) {
    const from = first + start
    const to = first + end
    let isLive = false
    for (let index = from; index < to && !isLive; index++) isLive = isLiveAt(array, index)
    if (isLive) yield { template, tasks: array.tasks.slice(from, to) }
    start = end
  }
}

function isLiveAt(array: TaskArray, index: number): boolean {
  return (array.flags[index]! & HELD) !== 0 || array.tasks[index] !== undefined
}

/** Is it one future of a task that was there already? It has no arguments of its own. */
function isAttached({ array, first, args }: Segment): boolean {
  const task = array.tasks[first]
  return args.ends.length === 0 && task !== undefined && task.array !== array
}

/**
 * A key may have stood for one task and then for another, where the cluster was restarted between. `keys` is what they stand for
 * by the records so far, and then by those of the segment.
 */
function* freeKeys(keys: Map<string, Task>, { array, first, count }: Segment): Generator<JournalRecord> {
  for (let index = first; index < first + count; index++) {
    const task = array.tasks[index]
    const key = task?.explicitKey
    if (task === undefined || key === undefined) continue
    const before = keys.get(key)
    if (before !== undefined && before !== task) yield { type: 'key-freed', key }
    keys.set(key, task)
  }
}

/** What made the places of this segment, as far as something is left of them. */
function* submission(
  state: SchedulerState,
  segment: Segment,
  numberOf: (template: Template) => number,
): Generator<JournalRecord> {
  const { array, first, count, runs } = segment
  const { client, id } = array
  if (runs.length === 0) {
    // The snapshot that this scheduler began with had a hole here.
    yield { type: 'emptied', array: id, client: client.id, count }
    return
  }
  const task = array.tasks[first]
  if (count === 1 && task?.template.isScattered === true && task.array === array) {
    yield say(client, scatterOf(state, task))
    return
  }
  if (task !== undefined && isAttached(segment)) {
    yield say(client, { type: 'attach', array: id, key: keyOf(task) })
    return
  }
  let stretch: Stretch | undefined
  let start = 0
  for (const { template, end } of runs) {
    const step = 1 + template.outputs
    for (let place = start; place < end; place += step) {
      let isLive = false
      for (let index = first + place; index < first + place + step; index++) isLive ||= isLiveAt(array, index)
      if (stretch?.isLive !== isLive) {
        if (stretch !== undefined) yield stretch.toRecord()
        stretch = new Stretch(state, segment, place, isLive)
      }
      stretch.add(template, numberOf(template), step)
    }
    start = end
  }
  if (stretch !== undefined) yield stretch.toRecord()
}

function scatterOf({ scatters }: SchedulerState, { id, array, state }: Task): ClientToScheduler {
  const scatter = scatters.get(id)
  const known = state.type === 'in-memory' ? state.sizeBytes : 0
  return {
    type: 'scatter',
    array: array.id,
    sizeBytes: scatter?.sizeBytes ?? known,
    copies: scatter?.isBroadcast === true ? 'every' : 'one',
    workers: [...(scatter?.allowed ?? [])],
  }
}

/** Neighbours of one segment that are all needed, or none of them. */
class Stretch {
  readonly isLive: boolean
  readonly #state: SchedulerState
  readonly #segment: Segment
  readonly #start: number
  #count = 0
  readonly #runs: number[] = []
  readonly #args = new Packer()
  readonly #inputCounts: number[] = []
  readonly #inputs: TaskId[] = []
  readonly #keys: { place: number; key: string }[] = []

  constructor(state: SchedulerState, segment: Segment, start: number, isLive: boolean) {
    this.#state = state
    this.#segment = segment
    this.#start = start
    this.isLive = isLive
  }

  /** The next `step` places: a task, and its outputs. */
  add(template: Template, number: number, step: number): void {
    const place = this.#start + this.#count
    this.#count += step
    if (!this.isLive) return
    if (this.#runs.at(-2) === number) this.#runs[this.#runs.length - 1]! += step
    else this.#runs.push(number, step)
    const { array, first, args } = this.#segment
    const task = array.tasks[first + place]
    this.#args.add(entryOf(args, place))
    for (let output = 1; output < step; output++) this.#args.add(NOTHING)
    const inputs = task === undefined ? [] : ownInputs(this.#state, task, template)
    if (inputs.length > 0) {
      while (this.#inputCounts.length < place - this.#start) this.#inputCounts.push(0)
      this.#inputCounts.push(inputs.length)
      this.#inputs.push(...inputs)
    }
    if (task?.explicitKey !== undefined) this.#keys.push({ place: place - this.#start, key: task.explicitKey })
  }

  toRecord(): JournalRecord {
    const { array, first } = this.#segment
    const { client, id } = array
    if (!this.isLive) return { type: 'emptied', array: id, client: client.id, count: this.#count }
    if (this.#inputs.length > 0) while (this.#inputCounts.length < this.#count) this.#inputCounts.push(0)
    const message: Submit = {
      type: 'submit',
      array: id,
      firstIndex: first + this.#start,
      runs: this.#runs,
      args: this.#args.take(),
      inputCounts: this.#inputCounts,
      inputs: this.#inputs,
      keys: this.#keys,
    }
    return say(client, message)
  }
}

/** Those that come before the constants of the template. One that had been let go of when the task came is in neither. */
function ownInputs(state: SchedulerState, { inputs }: Task, { constantInputs }: Template): TaskId[] {
  let count = inputs.length
  const hasAll = count >= constantInputs.length
  for (const constant of [...constantInputs].reverse()) {
    const isThere = hasAll || recordOf(state, constant) === inputs[count - 1]
    if (count > 0 && isThere) count--
  }
  return inputs.slice(0, count).map(({ id }) => id)
}

function triesOf({ id, failures, deaths, attempt, unstarted }: Task): JournalRecord {
  return { type: 'tried', task: id, failures, deaths, attempt, unstarted }
}

/** What became of all tasks; those that finished first, for what failed takes along what waits for it. */
function* outcomes(clients: readonly ClientRecord[]): Generator<JournalRecord> {
  const finished = new JournalPage()
  const failed = new JournalPage()
  for (const { arrays } of clients) {
    for (const array of arrays) {
      array.tasks.forEach((task, index) => {
        if (task?.array !== array || task.index !== index) return
        if (task.state.type === 'in-memory') finished.addFinished(task.id, task.state)
        else if (task.state.type === 'failed') failed.addFailed(task.id, task.state.failure)
        else if (task.failures + task.deaths > 0 || task.hasStarted) failed.add(triesOf(task))
      })
    }
    yield* finished.take()
  }
  yield* failed.take()
}

/** Units of limits: those that clients have come first, and so they get them first. */
function* unitsOf(state: SchedulerState, clients: readonly ClientRecord[]): Generator<JournalRecord> {
  for (const client of clients) {
    for (const { request, limit, isGranted } of client.unitRequests.values()) {
      if (isGranted) yield say(client, { type: 'take-unit', request, limit: limit.declaration })
    }
  }
  for (const { waiting, declaration } of state.limits.values()) {
    for (const { client, request } of waiting) {
      if (client.session !== '') yield say(client, { type: 'take-unit', request, limit: declaration })
    }
  }
}

/** What the client has let go of, and what else there is to say of it once all else is said. */
function* endClient(state: SchedulerState, client: ClientRecord, numbers: Numbers): Generator<JournalRecord> {
  const { id, arrays, leases, saidCount } = client
  const detached: TaskId[] = []
  const released: TaskId[] = []
  const closed = new Set<number>()
  for (const array of arrays) {
    for (const segment of array.segments) {
      if (isAttached(segment)) continue
      for (const { template } of liveRunsOf(segment)) {
        const number = numberOf(numbers, client, template)
        if (number >= CLOSED_TEMPLATES && !template.isScattered) closed.add(number)
      }
    }
    for (let index = 0; index < array.flags.length; index++) {
      const task = array.tasks[index]
      if (task?.array === array && task.index === index && task.isDetached) detached.push(task.id)
      if ((array.flags[index]! & HELD) === 0) released.push(taskId(array.id, index))
    }
  }
  if (detached.length > 0) yield say(client, { type: 'detach', tasks: detached })
  if (released.length > 0) yield say(client, { type: 'release', tasks: released })
  if (closed.size > 0) yield say(client, { type: 'forget-templates', templates: [...closed] })
  yield { type: 'leases', client: id, firsts: leases.map(({ first }) => first) }
  yield { type: 'said-before', client: id, count: saidCount }
  if (state.clients.get(id) !== client) yield { type: 'client-went', client: id }
}
