/** Runs batches of a test's own functions in a pool, and shows what came of them. */
import { contentHash } from '../../common/node/content-hash.js'
import { ScratchFolder } from '../../common/node/scratch-folder.js'
import { entryOf, Packer } from '../../common/packed.js'
import { arrayId, attempt, codeHash, taskId, templateId, type CodeHash, type TaskId } from '../../protocol/ids.js'
import type { WorkerTemplate } from '../../protocol/messages/worker.js'
import { urgencyOf } from '../../protocol/urgency.js'
import { decodeError, decodeValue } from '../../protocol/values/decode.js'
import { encodeValue } from '../../protocol/values/encode.js'
import { createBatchRequest, type BatchRequestOptions } from '../../worker/batch-request.js'
import { CodeCache } from '../../worker/code-cache.js'
import type { BatchTask } from '../../worker/core/instructions.js'
import { PiscinaPool } from '../../worker/piscina-pool.js'
import type { BatchEnd, PoolHost, ThreadPool } from '../../worker/thread-pool.js'
import { LaneReader, VALUE } from '../../worker/thread/lane.js'
import type { ThreadMessage } from '../../worker/thread/thread-message.js'
import { ValueStore } from '../../worker/value-store.js'
import { eventually } from '../support/eventually.js'

/** What one task gave. */
export type Outcome = { readonly place: number } & ({ readonly value: unknown } | { readonly error: unknown })

export interface FinishedBatch {
  readonly end: BatchEnd
  /** In the order in which they were read. */
  readonly outcomes: readonly Outcome[]
  readonly firstUnstarted: number
  /** Where a thread that died was. */
  readonly culprit: number | undefined
}

export interface BatchOptions {
  readonly thread?: number
  /** Constants behind the arguments of each task. */
  readonly constants?: readonly unknown[]
  /** Explicit keys of the tasks. */
  readonly keys?: readonly string[]
  /** How many outputs each task has. */
  readonly outputs?: number
  /** Has the thread collect what its tasks leave. */
  readonly isLarge?: boolean
  /** Tasks that make inputs of later ones. */
  readonly makers?: ReadonlySet<TaskId>
  /** Places of tasks behind which the thread rings. */
  readonly wanted?: readonly number[]
  /** It rings behind no others, but for errors. */
  readonly isPatient?: boolean
  /** By it, more is added to the batch while it runs. */
  readonly number?: number
}

/** What is added to a batch. */
export interface AddedTasks extends Pick<BatchOptions, 'thread' | 'makers' | 'wanted'> {
  readonly number: number
  /** What the batch had before. */
  readonly before: readonly BatchTask[]
  readonly tasks: readonly BatchTask[]
}

/** Stands in arguments for the value of a task. */
export class Future {
  readonly task: TaskId

  constructor(task: TaskId) {
    this.task = task
  }
}

/** The worker's name, as tasks see it. */
export const WORKER = 'w1'

export const task = (place: number): TaskId => taskId(arrayId(5), place)

export class PoolHarness implements AsyncDisposable {
  readonly pool: ThreadPool
  readonly messages: ThreadMessage[] = []
  readonly errors: unknown[] = []
  readonly store = new ValueStore()
  readonly lanes: readonly LaneReader[]
  readonly #scratch: ScratchFolder
  readonly #codes: CodeCache
  readonly #outcomes: Outcome[][]
  /** By thread: how many tasks its batch has had, with all that was added. */
  readonly #counts: number[] = []
  /** Called for every doorbell, before the lane is read. */
  onDoorbell: (thread: number) => unknown = () => undefined

  private constructor(
    scratch: ScratchFolder,
    codes: CodeCache,
    threads: number,
    createPool: (host: PoolHost) => ThreadPool,
  ) {
    this.#scratch = scratch
    this.#codes = codes
    this.lanes = Array.from({ length: threads }, () => new LaneReader())
    this.#outcomes = this.lanes.map(() => [])
    this.pool = createPool({
      worker: WORKER,
      scheduler: undefined,
      heap: { limitBytes: Infinity, maxBytes: Infinity, maxMs: 60_000 },
      lentIn: () => ({ count: 0, resumed: 0 }),
      onThreadExit: () => undefined,
      lanes: this.lanes.map(({ memory }) => memory),
      onMessage: (message) => {
        this.messages.push(message)
        if (message.type !== 'doorbell') return
        this.onDoorbell(message.thread)
        this.#read(message.thread)
      },
      onError: (error) => this.errors.push(error),
    })
  }

  static async start(
    threads = 1,
    createPool: (host: PoolHost) => ThreadPool = (host) => new PiscinaPool(host),
  ): Promise<PoolHarness> {
    const scratch = await ScratchFolder.create()
    const codes = await CodeCache.create({ scratch: scratch.path, workingDirectory: process.cwd() })
    return new PoolHarness(scratch, codes, threads, createPool)
  }

  /** Everything that tasks printed, a line each. */
  get lines(): string[] {
    return this.messages.flatMap((each) =>
      each.type === 'log' ? [`${each.level} ${each.task ?? '-'}: ${each.text}`] : [],
    )
  }

  /** What tasks printed, once it is `count` lines or more: lines and results come over channels of their own, in any order. */
  async printed(count: number): Promise<string[]> {
    await eventually(`${count} lines are printed`, () => this.lines.length >= count)
    return this.lines
  }

  async template(
    run: (...args: never[]) => unknown,
    constants: readonly unknown[] = [],
    outputs = 0,
  ): Promise<WorkerTemplate> {
    const code = await this.#storeCode(String(run))
    const { bytes, inputs } =
      constants.length === 0 ? { bytes: new Uint8Array(0), inputs: [] } : encodeArguments(constants)
    return templateOf({ name: run.name, code, constants: bytes, constantInputs: inputs, outputs })
  }

  /** Runs one task for each list of arguments. */
  async run(
    run: (...args: never[]) => unknown,
    lists: readonly (readonly unknown[])[],
    options: BatchOptions = {},
  ): Promise<FinishedBatch> {
    const template = await this.template(run, options.constants, options.outputs)
    return this.runTasks(tasksOf(template, lists, options.keys), options)
  }

  async runTasks(
    tasks: readonly BatchTask[],
    { thread = 0, isLarge = false, makers, wanted, isPatient = false, number }: BatchOptions = {},
  ): Promise<FinishedBatch> {
    const lane = this.lanes[thread]!
    lane.reset()
    this.#outcomes[thread] = []
    this.#counts[thread] = tasks.length
    const kind = { isLarge, makers, wanted, isPatient, number }
    const request = createBatchRequest({ thread, worker: WORKER, tasks, ...kind, ...this.#places })
    const end = await this.pool.run(request)
    this.#read(thread)
    const outcomes = this.#outcomes[thread]
    if (end.type === 'replied' && end.reply.large !== undefined) {
      const { place, kind, values } = end.reply.large
      for (const value of values) outcomes.push(outcomeOf(place, kind !== VALUE, value))
    }
    return { end, outcomes, firstUnstarted: lane.takeBack(this.#counts[thread]), culprit: lane.running }
  }

  /** Adds to the batch that a thread runs. */
  extend({ thread = 0, ...added }: AddedTasks): void {
    this.#counts[thread] = Math.max(this.#counts[thread] ?? 0, added.before.length + added.tasks.length)
    this.pool.extend(createBatchRequest({ thread, worker: WORKER, isLarge: false, ...added, ...this.#places }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.close()
    await this.#scratch[Symbol.asyncDispose]()
  }

  /** Where values and code are. */
  get #places(): Pick<BatchRequestOptions, 'valueOf' | 'urlOf'> {
    return { valueOf: (input) => this.store.get(input), urlOf: (code) => this.#codes.urlOf(code) }
  }

  #read(thread: number): void {
    const read = this.lanes[thread]!.drain()
    read?.places.forEach((place, i) => {
      this.#outcomes[thread]!.push(outcomeOf(place, read.threw.has(i), entryOf(read.values, i)))
    })
  }

  async #storeCode(text: string): Promise<CodeHash> {
    const source = Buffer.from(text)
    const code = codeHash(contentHash('function', source))
    await this.#codes.store({ type: 'define-code', code, kind: 'function', source, sourceMap: undefined })
    return code
  }
}

/** A template of plain tasks, but for what is given. */
export function templateOf(given: Partial<WorkerTemplate> = {}): WorkerTemplate {
  return {
    type: 'define-template',
    template: templateId(1),
    name: 'f',
    code: codeHash('f'.repeat(64)),
    exportName: 'default',
    constants: new Uint8Array(0),
    constantInputs: [],
    outputs: 0,
    memoryBytes: 0,
    isCounted: false,
    isIo: false,
    timeoutMs: 0,
    retryFilter: '',
    isStream: false,
    ...given,
  }
}

/** One task for each list of arguments. */
export function tasksOf(
  template: WorkerTemplate,
  lists: readonly (readonly unknown[])[],
  keys: readonly string[] = [],
): BatchTask[] {
  const args = new Packer()
  const inputsOf = lists.map((list) => {
    const { bytes, inputs } = encodeArguments(list)
    args.add(bytes)
    return [...inputs, ...template.constantInputs]
  })
  const packed = args.take()
  return inputsOf.map((inputs, place) => {
    return {
      task: task(place),
      attempt: attempt(1),
      start: 1,
      priority: urgencyOf(0, 0),
      patienceUs: 0,
      template,
      key: keys[place],
      args: packed,
      place,
      inputs,
    }
  })
}

/** Encodes a list of arguments; the futures in it become inputs. */
export function encodeArguments(list: readonly unknown[]): {
  readonly bytes: Uint8Array
  readonly inputs: readonly TaskId[]
} {
  const inputs: TaskId[] = []
  const idOf = (object: object): TaskId | undefined => (object instanceof Future ? object.task : undefined)
  return { bytes: encodeValue(list, { path: 'args', inputs: { ids: inputs, idOf } }), inputs }
}

/** The values that every task of a batch gave; fails when one threw. */
export function valuesOf({ outcomes }: FinishedBatch): unknown[] {
  return outcomes.map((each) => {
    if ('error' in each) throw each.error
    return each.value
  })
}

/** The error that the task at `place` threw. */
export function errorAt({ outcomes }: FinishedBatch, place: number): unknown {
  const outcome = outcomes.find((each) => each.place === place)
  return outcome !== undefined && 'error' in outcome ? outcome.error : undefined
}

function outcomeOf(place: number, threw: boolean, bytes: Uint8Array): Outcome {
  return threw ? { place, error: decodeError(bytes) } : { place, value: decodeValue(bytes) }
}
