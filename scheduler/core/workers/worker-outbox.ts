/**
 * What a worker is told at the end of the turn. What is freed or taken back goes first: a task that is sent again arrives in that
 * order.
 */
import { Packer, startOf } from '../../../common/packed.js'
import { codeHash, type CodeHash, type TaskId, type WorkerId } from '../../../protocol/ids.js'
import { CHUNK_BYTES } from '../../../protocol/limits.js'
import type { SchedulerToWorker } from '../../../protocol/messages/worker.js'
import type { SchedulerState } from '../state.js'
import { addHolder, argumentBytesOf, isGiven, isHolder, type Failure, type Task } from '../tasks/task.js'
import { workerOf } from '../placing/ahead.js'
import type { WorkerRecord } from './worker-record.js'

/** With arguments of this size a message is large enough: further tasks go into the next one. */
const ENOUGH_BYTES = CHUNK_BYTES / 2

/** A message that names so many tasks is large enough, too. */
const ENOUGH_IDS = 8_192

export class WorkerOutbox {
  #free: TaskId[] = []
  #hasFreed = false
  #tasks: Task[] = []
  #taskCount = 0
  #takenBack: TaskId[] = []
  #recalled: TaskId[] = []
  #forgotten: number[] = []
  #others: SchedulerToWorker[] = []

  addFree(id: TaskId): void {
    this.#free.push(id)
    this.#hasFreed = true
    if (this.#free.length >= ENOUGH_IDS) this.#closeFree()
  }

  /** Of what this turn has it free, what `isCountedOn` is kept after all: it turned out to be there. */
  spare(isCountedOn: (id: TaskId) => boolean): void {
    if (this.#free.length > 0) this.#free = this.#free.filter((id) => !isCountedOn(id))
  }

  /** The task is sent when the turn ends, with what it needs and the worker has not got. */
  addTask(task: Task): void {
    this.#tasks.push(task)
    this.#taskCount++
  }

  /** Returns false when it was sent before this turn. */
  removeTask(task: Task): boolean {
    const place = this.#tasks.lastIndexOf(task)
    if (place < 0) return false
    this.#tasks.splice(place, 1)
    this.#taskCount--
    return true
  }

  /** How many tasks the worker was sent since it joined, those of this turn included. */
  get taskCount(): number {
    return this.#taskCount
  }

  /** It is to give the task back if that has not started, and may be sent it again in this turn. */
  addTakenBack(id: TaskId): void {
    this.#takenBack.push(id)
  }

  /** It is to give the task back if that has not started. It hears of the task first. */
  addRecalled(id: TaskId): void {
    this.#recalled.push(id)
  }

  addForgottenTemplate(id: number): void {
    this.#forgotten.push(id)
  }

  add(message: SchedulerToWorker): void {
    this.#others.push(message)
  }

  take(state: SchedulerState, worker: WorkerRecord): SchedulerToWorker[] {
    if (this.#free.length > 0) this.#closeFree()
    // What was right there has changed: whether it heard of that is to be seen.
    if (this.#hasFreed) worker.review.rightCount = -1
    this.#hasFreed = false
    const messages = this.#others
    this.#others = []
    if (this.#takenBack.length > 0) {
      messages.push({ type: 'recall', tasks: this.#takenBack })
      this.#takenBack = []
    }
    if (this.#forgotten.length > 0) messages.push({ type: 'forget-templates', templates: this.#forgotten })
    this.#forgotten = []
    const hasPatient = worker.patient.size > 0
    let start = 0
    while (start < this.#tasks.length) {
      const { priority } = this.#tasks[start]!.template
      const patienceUs = worker.patient.get(this.#tasks[start]!)
      let end = start + 1
      let argumentBytes = argumentBytesOf(this.#tasks[start]!)
      for (; end < this.#tasks.length && argumentBytes < ENOUGH_BYTES; end++) {
        if (this.#tasks[end]!.template.priority !== priority) break
        if (hasPatient && worker.patient.get(this.#tasks[end]!) !== patienceUs) break
        argumentBytes += argumentBytesOf(this.#tasks[end]!)
      }
      runTasks(state, worker, this.#tasks.slice(start, end), messages)
      start = end
    }
    if (this.#tasks.length > 0) this.#tasks = []
    if (this.#recalled.length > 0) messages.push({ type: 'recall', tasks: this.#recalled })
    if (this.#recalled.length > 0) this.#recalled = []
    return messages
  }

  #closeFree(): void {
    this.#others.push({ type: 'free-tasks', tasks: this.#free })
    this.#free = []
  }
}

/** Appends `run-tasks` for tasks of one priority and patience, behind the code, templates and addresses they need. */
function runTasks(state: SchedulerState, worker: WorkerRecord, tasks: readonly Task[], out: SchedulerToWorker[]): void {
  const ids = new Array<TaskId>(tasks.length)
  const attempts: number[] = []
  const runs: number[] = []
  const args = new Packer(tasks.length * 16)
  const inputs = new Inputs()
  const keys: { place: number; key: string }[] = []
  const unstarted: { place: number; count: number }[] = []
  const peers = { type: 'peers' as const, workers: [] as number[], addresses: [] as string[] }
  for (let place = 0; place < tasks.length; place++) {
    const task = tasks[place]!
    ids[place] = task.id
    if (task.attempt !== 1) while (attempts.length < place) attempts.push(1)
    if (task.attempt !== 1 || attempts.length > 0) attempts.push(task.attempt)
    const template = task.template.id
    if (runs[runs.length - 2] === template) runs[runs.length - 1]!++
    else {
      introduceTemplate(state, worker, task, out)
      runs.push(template, 1)
    }
    args.add(task.args.bytes, startOf(task.args, task.place), task.args.ends[task.place])
    if (task.unstarted > 0) unstarted.push({ place, count: task.unstarted })
    if (task.explicitKey !== undefined) keys.push({ place, key: task.explicitKey })
    inputs.add(task, worker, place)
  }
  for (const holder of inputs.holders) {
    if (worker.peers.has(holder)) continue
    worker.peers.add(holder)
    peers.workers.push(holder)
    peers.addresses.push(state.workers.get(holder)?.join.address ?? '')
  }
  if (peers.workers.length > 0) out.push(peers)
  inputs.give(out)
  const priority = tasks[0]?.template.priority ?? 0
  const patienceUs = tasks[0] === undefined ? 0 : (worker.patient.get(tasks[0]) ?? 0)
  const columns = { args: args.take(), keys, unstarted, ...inputs.columns() }
  out.push({ type: 'run-tasks', tasks: ids, attempts, runs, priority, patienceUs, ...columns })
}

function introduceTemplate(state: SchedulerState, worker: WorkerRecord, task: Task, out: SchedulerToWorker[]): void {
  const { template } = task
  if (worker.templates.has(template)) return
  worker.templates.add(template)
  template.knownBy.add(worker)
  const { id, name, code, exportName, constants, constantInputs, outputs, demand, rules } = template
  const memoryBytes = demand?.needs.memoryBytes ?? 0
  const isCounted = demand !== undefined
  const { timeoutMs, retries, isStream } = rules
  const retryFilter = retries.filter
  const isIo = demand?.needs.threads === 0
  introduceCode(state, worker, code, out)
  if (retryFilter !== '') introduceCode(state, worker, codeHash(retryFilter), out)
  const callable = { code, exportName, constants, constantInputs }
  const demands = { outputs, memoryBytes, isCounted, isIo, timeoutMs, retryFilter, isStream }
  out.push({ type: 'define-template', template: id, name, ...callable, ...demands })
}

function introduceCode(state: SchedulerState, worker: WorkerRecord, code: CodeHash, out: SchedulerToWorker[]): void {
  const record = state.codes.get(code)
  if (record === undefined || worker.codes.has(code)) return
  worker.codes.add(code)
  out.push(record.define)
}

/** Collects the inputs of a message's tasks; of those that the worker does not hold, where they are, themselves, or why they failed. */
class Inputs {
  readonly holders = new Set<WorkerId>()
  readonly #counts: number[] = []
  readonly #inputs: TaskId[] = []
  readonly #given: TaskId[] = []
  readonly #givenValues = new Packer()
  readonly #remote = new Map<TaskId, { readonly holder: WorkerId; readonly sizeBytes: number }>()
  /** Those that are not made yet, and who makes each. */
  readonly #pending = new Map<TaskId, WorkerRecord>()
  /** Those that failed, of tasks that take errors, if there are some. */
  #failed: Map<TaskId, Failure> | undefined

  add(task: Task, worker: WorkerRecord, place: number): void {
    if (task.inputs.length === 0 && this.#counts.length === 0) return
    while (this.#counts.length < place) this.#counts.push(0)
    this.#counts.push(task.inputs.length)
    for (const input of task.inputs) {
      this.#inputs.push(input.id)
      if (input.state.type === 'failed') (this.#failed ??= new Map()).set(input.id, input.state.failure)
      const maker = workerOf(input.state)
      if (maker !== undefined) {
        this.#pending.set(input.id, maker)
        if (maker !== worker) this.holders.add(maker.id)
      }
      if (input.state.type !== 'in-memory' || isHolder(input.state, worker) || this.#remote.has(input.id)) continue
      const { holders, sizeBytes, page, start } = input.state
      if (page?.bytes !== undefined && isGiven(input.state)) {
        this.#given.push(input.id)
        this.#givenValues.add(page.bytes, start, start + sizeBytes)
        addHolder(input.state, worker) // From here on, for what is told to a worker arrives in order.
        continue
      }
      const holder = holders[task.id % holders.length]
      if (holder === undefined) continue
      this.holders.add(holder.id)
      this.#remote.set(input.id, { holder: holder.id, sizeBytes })
    }
  }

  /** Appends the values that go along. */
  give(out: SchedulerToWorker[]): void {
    if (this.#given.length > 0) out.push({ type: 'give-values', tasks: this.#given, values: this.#givenValues.take() })
  }

  columns() {
    const remote = [...this.#remote.values()]
    return {
      inputCounts: this.#counts,
      inputs: this.#inputs,
      remoteInputs: [...this.#remote.keys()],
      remoteHolders: remote.map(({ holder }) => holder),
      remoteSizes: remote.map(({ sizeBytes }) => sizeBytes),
      ...(this.#pending.size === 0 ? NONE_PENDING : pendingColumns(this.#pending)),
      ...(this.#failed === undefined ? NONE_FAILED : columnsOf(this.#failed)),
    }
  }
}

const NONE_PENDING = Object.freeze({ pendingInputs: [], pendingHolders: [], pendingAfter: [] })

function pendingColumns(pending: ReadonlyMap<TaskId, WorkerRecord>) {
  const makers = [...pending.values()]
  return {
    pendingInputs: [...pending.keys()],
    pendingHolders: makers.map(({ id }) => id),
    pendingAfter: makers.map(({ outbox }) => outbox.taskCount),
  }
}

const NONE_FAILED = Object.freeze({ failedInputs: [], failedBy: [], failures: [] })

/** Many may have failed for one reason. */
function columnsOf(failed: ReadonlyMap<TaskId, Failure>) {
  const places = new Map<Failure, number>()
  const failedBy: number[] = []
  for (const failure of failed.values()) {
    if (!places.has(failure)) places.set(failure, places.size)
    failedBy.push(places.get(failure)!)
  }
  const failures = Array.from(places.keys(), (failure) => ({ death: undefined, ...failure }))
  return { failedInputs: [...failed.keys()], failedBy, failures }
}
