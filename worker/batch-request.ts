/** Puts the tasks of a batch, and the values that they need, into the columns that a thread gets. */
import { present } from '../common/assert.js'
import { NO_BYTES, Packer } from '../common/packed.js'
import { codeHash, type CodeHash, type TaskId } from '../protocol/ids.js'
import type { FailureRecord } from '../protocol/messages/common.js'
import type { WorkerTemplate } from '../protocol/messages/worker.js'
import type { BatchTask } from './core/instructions.js'
import type { BatchRequest, ThreadTemplate } from './thread/batch.js'
import { isShared, onSharedMemory } from './thread/shared-memory.js'

export interface BatchRequestOptions {
  readonly thread: number
  /** Tells it from others if more may be added. */
  readonly number?: number | undefined
  /** The tasks to which these are added. */
  readonly before?: readonly BatchTask[]
  readonly worker: string
  readonly tasks: readonly BatchTask[]
  readonly isLarge: boolean
  /** Tasks of the batch that make inputs of later ones. They may be among those `before`. */
  readonly makers?: ReadonlySet<TaskId> | undefined
  /** Places of tasks whose outcomes the main thread is told of at once. */
  readonly wanted?: readonly number[] | undefined
  /** The main thread need not be told of any other before the batch has ended, but of errors. */
  readonly isPatient?: boolean
  /** The value of an input, which is here: the core starts no task before. */
  readonly valueOf: (input: TaskId) => Uint8Array | undefined
  readonly urlOf: (code: CodeHash) => string
}

export function createBatchRequest(options: BatchRequestOptions): BatchRequest {
  const {
    thread,
    number,
    before = [],
    worker,
    tasks,
    isLarge,
    makers,
    wanted,
    isPatient = false,
    valueOf,
    urlOf,
  } = options
  const count = tasks.length
  const first = before.length
  const templates = new Templates(urlOf)
  const inputs = new Inputs(valueOf)
  const templateOf = new Array<number>(count)
  const taskIds = new Array<TaskId>(count)
  const attempts = new Array<number>(count)
  let starts: Map<number, number> | undefined
  const keys = new Map<number, string>()
  const args = new Packer()
  if (makers !== undefined) {
    for (let place = 0; place < first; place++) {
      const { task } = before[place]!
      if (makers.has(task)) inputs.willMake(task, place)
    }
  }
  for (let place = 0; place < count; place++) {
    const task = tasks[place]!
    templateOf[place] = templates.placeOf(task)
    taskIds[place] = task.task
    attempts[place] = task.attempt
    if (task.start !== task.attempt) (starts ??= new Map()).set(place, task.start)
    if (task.key !== undefined) keys.set(place, task.key)
    args.add(task.args.bytes, task.place === 0 ? 0 : task.args.ends[task.place - 1], task.args.ends[task.place])
    for (const input of task.inputs) inputs.add(input, task.failures?.get(input))
    if (makers?.has(task.task) === true) inputs.willMake(task.task, first + place)
  }
  return {
    thread,
    number,
    first,
    worker,
    isLarge,
    templates: templates.list,
    templateOf,
    taskIds,
    attempts,
    starts,
    keys,
    args: args.take(),
    inputCounts: inputs.count === 0 ? [] : tasks.map((task) => task.inputs.length),
    ...inputs.take(),
    wanted,
    isPatient,
  }
}

/** The templates of a batch: usually one. */
class Templates {
  readonly list: ThreadTemplate[] = []
  readonly #urlOf: (code: CodeHash) => string
  readonly #places = new Map<WorkerTemplate, number>()
  #last: WorkerTemplate | undefined
  #lastPlace = 0

  constructor(urlOf: (code: CodeHash) => string) {
    this.#urlOf = urlOf
  }

  /** All tasks of a template have one urgency. */
  placeOf({ template, priority }: Pick<BatchTask, 'template' | 'priority'>): number {
    if (template === this.#last) return this.#lastPlace
    let place = this.#places.get(template)
    if (place === undefined) {
      place = this.list.push(threadTemplate(template, this.#urlOf, priority)) - 1
      this.#places.set(template, place)
    }
    this.#last = template
    this.#lastPlace = place
    return place
  }
}

function threadTemplate(template: WorkerTemplate, urlOf: (code: CodeHash) => string, urgency: number): ThreadTemplate {
  const { name, code, exportName, constantInputs, outputs, timeoutMs, isStream } = template
  const filter = codeHash(template.retryFilter)
  return {
    name,
    code,
    url: urlOf(code),
    exportName,
    constants: sharedConstants(template),
    constantInputCount: constantInputs.length,
    urgency,
    outputs,
    timeoutMs,
    isStream,
    retryFilter:
      template.retryFilter === ''
        ? undefined
        : { name: 'retries.on', code: filter, url: urlOf(filter), exportName: 'default' },
  }
}

/** Constants go along with every batch: in shared memory, they are copied once and not each time. */
const constantsByTemplate = new WeakMap<WorkerTemplate, Uint8Array>()

function sharedConstants(template: WorkerTemplate): Uint8Array {
  if (template.constants.length === 0) return template.constants
  let constants = constantsByTemplate.get(template)
  if (constants === undefined) {
    constants = onSharedMemory(template.constants)
    constantsByTemplate.set(template, constants)
  }
  return constants
}

/** The inputs of all tasks of a batch, each value once. */
class Inputs {
  readonly #valueOf: (input: TaskId) => Uint8Array | undefined
  readonly #places = new Map<TaskId, number>()
  readonly #inputs: number[] = []
  readonly #values = new Packer()
  readonly #shared = new Map<number, Uint8Array>()
  #failed: Map<number, FailureRecord> | undefined
  readonly #makers = new Map<TaskId, number>()
  #made: Map<number, number> | undefined

  constructor(valueOf: (input: TaskId) => Uint8Array | undefined) {
    this.#valueOf = valueOf
  }

  get count(): number {
    return this.#inputs.length
  }

  /** One that failed for one task may have a value by the time that another was sent. */
  add(input: TaskId, failure: FailureRecord | undefined): void {
    const place = failure === undefined ? (this.#places.get(input) ?? this.#addValue(input)) : this.#addFailure(failure)
    this.#inputs.push(place)
  }

  /** From here on the value comes from the task at `place`, even if an older one is in the store. */
  willMake(input: TaskId, place: number): void {
    this.#makers.set(input, place)
    this.#places.delete(input)
  }

  take(): Pick<BatchRequest, 'inputs' | 'inputValues' | 'sharedInputs' | 'failedInputs' | 'madeInputs'> {
    const inputValues = this.#inputs.length === 0 ? NO_BYTES : this.#values.take()
    return {
      inputs: this.#inputs,
      inputValues,
      sharedInputs: this.#shared,
      failedInputs: this.#failed,
      madeInputs: this.#made,
    }
  }

  #addFailure(failure: FailureRecord): number {
    const place = this.#values.count
    this.#values.add(failure.error, 0, 0)
    this.#failed ??= new Map()
    this.#failed.set(place, failure)
    return place
  }

  #addValue(input: TaskId): number {
    const place = this.#values.count
    this.#places.set(input, place)
    const maker = this.#makers.get(input)
    if (maker !== undefined) {
      this.#values.add(NO_BYTES.bytes)
      this.#made ??= new Map()
      this.#made.set(place, maker)
      return place
    }
    const value = present(this.#valueOf(input), `input ${input}`)
    if (isShared(value)) {
      this.#shared.set(place, value)
      this.#values.add(value, 0, 0)
    } else {
      this.#values.add(value)
    }
    return place
  }
}
