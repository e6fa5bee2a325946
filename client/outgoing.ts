/**
 * What the client has to say: new tasks in the order they were submitted, then what became of interest and what became of
 * none. All of one turn of the event loop leaves together, in few messages.
 *
 * Tasks wait here, and with them all that was submitted later, while their module is being bundled or while the items of
 * a large `map`, or the calls of a graph, are encoded. Nothing is released meanwhile: what waits may need it.
 */
import { Fifo } from '../common/fifo.js'
import { ARRAY_CAPACITY, taskId, type CodeHash, type TaskId } from '../protocol/ids.js'
import { MAX_IN_FLIGHT_BYTES } from '../protocol/limits.js'
import type { ClientToScheduler } from '../protocol/messages/client.js'
import { PRIORITY_BASE } from '../protocol/urgency.js'
import type { Connection } from '../protocol/transport/connection.js'
import { Announcement } from './announcement.js'
import { Attachment } from './attachment.js'
import type { Failure } from './failure.js'
import { GraphSubmission, type GraphOutlet } from './graph-submission.js'
import type { Leases } from './leases.js'
import type { TaskParent } from './parent.js'
import type { MapSlice } from './map-slice.js'
import { PureKeys } from './pure-keys.js'
import { Submission } from './submission.js'
import { TaskArray } from './task-array.js'
import { placesOf, type Code, type CodeSource, type Template } from './template.js'

/** How long encoding may keep other work of the program waiting. */
const TURN_MS = 10
/** A message that names so many tasks is large enough: lists of a million are slow to make, and to take apart. */
const ENOUGH_IDS = 8_192
/** With so much on its way to the scheduler, the next items of a `map` wait. */
const ENOUGH_QUEUED_BYTES = 4 * MAX_IN_FLIGHT_BYTES

/** Where all this goes. */
export type Outlet = Pick<Connection<ClientToScheduler>, 'send' | 'queuedBytes' | 'whenDrained'>

export class Outgoing {
  readonly #connection: Outlet
  readonly #leases: Leases
  readonly #arrays: Map<number, TaskArray>
  readonly #queue = new Fifo<Submission | MapSlice | Announcement | Attachment | GraphSubmission>()
  /** Where the next task goes. */
  #open: Submission | undefined
  /** The code that all tasks of the open submission share, when it is not there yet: the whole array may fail. */
  #openSource: CodeSource | undefined
  /** Arrays with values to ask for. */
  #asks: TaskArray[] = []
  #releases: TaskArray[] = []
  #retries: TaskId[] = []
  #closedTemplates: Template[] = []
  /** What is to be said once all that was submitted before has been sent. */
  #afterwards: (() => void)[] = []
  readonly #definedCodes = new Set<CodeHash>()
  /** Tasks that failed here. What was encoded before and needs them is still in the queue. */
  readonly #failures = new Map<TaskId, Failure>()
  #noTask: TaskId | undefined
  readonly #graphOutlet: GraphOutlet
  readonly pureKeys: PureKeys
  #turn = 0
  #isFlushDue = false
  /** Is more of the queue to be sent when other work of the program had its turn? */
  #isRestDue = false
  #isClosed = false

  /** `arrays` has each array from its first task until the last is released. */
  constructor(connection: Outlet, leases: Leases, arrays: Map<number, TaskArray>) {
    this.#connection = connection
    this.#leases = leases
    this.#arrays = arrays
    this.pureKeys = new PureKeys(arrays)
    this.#graphOutlet = {
      noTask: () => this.#noTask!,
      newHiddenArray: () => (leases.left === 0 ? undefined : new TaskArray(leases.take())),
      refuse: this.refuse,
      send: (submission) => this.#send(submission),
      release: (tasks) => connection.send({ type: 'release', tasks }),
    }
  }

  /** Numbers the turns of the event loop, as far as something was submitted in them. */
  get turn(): number {
    return this.#turn
  }

  /** The submission that the next task of this template belongs into. It is for the caller to add it, to its array too. */
  openFor(template: Template, parent?: TaskParent): Submission {
    const source = template.source.state.type === 'ready' ? undefined : template.source
    const places = placesOf(template)
    const isOthers = this.#open !== undefined && this.#open.array.parent !== parent
    if (this.#open !== undefined && (isOthers || source !== this.#openSource || this.#open.array.room < places))
      this.#closeOpen(isOthers ? ARRAY_CAPACITY : places)
    else if (this.#open?.isLargeEnough === true) this.#continueOpen(this.#open)
    if (this.#open === undefined || isOthers || source !== this.#openSource)
      this.#open = new Submission(this.#emptyArray(parent), 0)
    this.#openSource = source
    this.flushSoon()
    return this.#open
  }

  /** Checks that there are ids for so many arrays, and ends the open one: what `addSlice` adds comes behind it. */
  beginSlices(count: number): void {
    this.#leases.ensure(count + 1)
    this.#noTask ??= taskId(this.#leases.take(), 0)
    this.#closeOpen()
    this.#sendRestAfter((send) => setImmediate(send)) // This turn has had enough to do.
  }

  newArray(parent?: TaskParent): TaskArray {
    const array = new TaskArray(this.#leases.take(), parent)
    this.#arrays.set(array.id, array)
    return array
  }

  addSlice(slice: MapSlice): void {
    this.#queue.push(slice)
  }

  /** Its outputs have their places, behind what `beginSlices` began. */
  addGraph(graph: GraphSubmission): void {
    this.#queue.push(graph)
  }

  /** Gives what a message of its own stands for its place behind all that was submitted, in an array of its own. */
  addAlone(make: (array: TaskArray) => Announcement | Attachment, parent?: TaskParent): void {
    this.#closeOpen()
    this.#queue.push(make(this.newArray(parent)))
    this.flushSoon()
  }

  /** The values of tasks of this array are to be asked for. */
  ask(array: TaskArray): void {
    this.#asks.push(array)
    this.flushSoon()
  }

  /** On a new connection: asks once more for all values that did not come. */
  askAgain(): void {
    this.#asks = []
    for (const array of this.#arrays.values()) if (array.askAgain()) this.ask(array)
  }

  /** Tasks of this array were released. */
  release(array: TaskArray): void {
    this.#releases.push(array)
    this.flushSoon()
  }

  /** This task failed in the cluster, and shall run again: before anything that needs it. */
  retry(task: TaskId): void {
    this.#retries.push(task)
    this.flushSoon()
  }

  /** Calls back once all that was submitted has been sent. */
  whenSubmitted(say: () => void): void {
    this.#afterwards.push(say)
    this.flushSoon()
  }

  /** Nothing new will use the template. */
  forget(template: Template): void {
    this.#closedTemplates.push(template)
    this.flushSoon()
  }

  /** The task at place `index` failed here, with all its outputs. */
  readonly refuseTask = (array: TaskArray, index: number, { outputs }: Template, failure: Failure): void => {
    if (outputs === 0) this.refuse(array, index, failure)
    for (let output = 1; output <= outputs; output++) this.refuse(array, index + output, failure)
  }

  /** A task failed here. `array` knows it, and whatever needs the task will fail for the same reason. */
  readonly refuse = (array: TaskArray, index: number, failure: Failure): void => {
    this.#failures.set(array.idOf(index), failure)
    array.onFailed(index, failure)
  }

  close(): void {
    this.#isClosed = true
  }

  /**
   * Once the code that runs now is through, with every promise it settled: `nextTick` from a microtask comes after all
   * microtasks.
   */
  flushSoon(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    queueMicrotask(this.#afterMicrotasks)
  }

  readonly #afterMicrotasks = (): void => process.nextTick(this.#flush)

  readonly #flush = (): void => {
    this.#isFlushDue = false
    this.#turn += 1
    if (this.#isClosed) return
    this.#sendRetries()
    this.#closeOpen()
    this.#sendQueued(performance.now() + TURN_MS)
    this.#sendAsks()
    if (this.#queue.length > 0) return
    this.#failures.clear()
    this.#sayAfterwards()
    this.#sendReleases()
    this.#forgetTemplates()
  }

  #sayAfterwards(): void {
    if (this.#afterwards.length === 0) return
    const afterwards = this.#afterwards
    this.#afterwards = []
    for (const say of afterwards) say()
  }

  #sendQueued(deadlineMs: number): void {
    for (let next = this.#queue.peek(); next !== undefined; next = this.#queue.peek()) {
      if (next instanceof Announcement || next instanceof Attachment) {
        next.array.sentCount = 1
        this.#connection.send(next instanceof Announcement ? next.message : next.toMessage())
        this.#queue.shift()
        continue
      }
      const state = next instanceof GraphSubmission ? undefined : sourceOf(next).state
      if (state?.type === 'bundling') return // Whoever bundles flushes again.
      if (performance.now() >= deadlineMs) {
        return this.#sendRestAfter((send) => setImmediate(send))
      }
      if (this.#connection.queuedBytes >= ENOUGH_QUEUED_BYTES) {
        return this.#sendRestAfter((send) => void this.#connection.whenDrained().then(send))
      }
      if (next instanceof GraphSubmission) {
        const progress = next.advance(this.#graphOutlet, deadlineMs, () => performance.now())
        if (progress === 'waits') return // Whoever bundles, or brings ids, flushes again.
        if (progress === 'done') {
          this.pureKeys.forgetHidden()
          this.#queue.shift()
        }
      } else if (state?.type === 'failed') {
        this.#abandon(next, { type: 'local', error: state.error })
        this.#queue.shift()
      } else if (next instanceof Submission) {
        this.#send(next)
        this.#queue.shift()
      } else {
        this.#send(next.encodeSome(deadlineMs, this.#noTask!, this.refuseTask))
        if (!next.isEncoded) continue
        next.template.unsent -= 1
        this.#queue.shift()
      }
    }
  }

  #sendRestAfter(wait: (send: () => void) => void): void {
    if (this.#isRestDue) return
    this.#isRestDue = true
    wait(() => {
      this.#isRestDue = false
      this.#flush()
    })
  }

  #send(submission: Submission): void {
    const { array, tasks, runs } = submission
    if (this.#failures.size > 0) {
      for (const { index, template, because } of submission.tasksNeeding(this.#failures, dooms)) {
        this.refuseTask(array, index, template, because)
      }
    }
    for (const { template } of runs) {
      template.unsent -= 1
      this.#define(template)
    }
    this.pureKeys.giveAll(submission)
    array.sentCount += tasks.count
    const { parent } = array
    if (parent !== undefined) {
      const call = parent.takeCalls(tasks.count)
      this.#connection.send({ type: 'submit-under', parent: parent.task, attempt: parent.attempt, call })
    }
    this.#connection.send(submission.toMessage())
  }

  #define(template: Template): void {
    const { id, name, source, exportName, priority, depth, constants, outputs, needs, rules } = template
    if (template.standing !== 'new' || source.state.type !== 'ready') return
    const { code } = source.state
    this.#defineCode(code)
    if (rules.filterCode !== undefined) this.#defineCode(rules.filterCode)
    template.standing = 'defined'
    this.#connection.send({
      type: 'define-template',
      template: id,
      name,
      code: code.code,
      exportName,
      constants: constants.bytes,
      constantInputs: constants.inputs,
      priority: priority + PRIORITY_BASE,
      depth,
      outputs,
      needs,
      rules,
    })
  }

  #defineCode({ code, kind, source, sourceMap }: Code): void {
    if (this.#definedCodes.has(code)) return
    this.#definedCodes.add(code)
    this.#connection.send({ type: 'define-code', code, kind, source, sourceMap })
  }

  /** The code of these tasks is not to be had. The scheduler never hears of them. */
  #abandon(entry: Submission | MapSlice, failure: Failure): void {
    const { array } = entry
    array.isAbandoned = true
    const [first, end] =
      entry instanceof Submission ? [entry.firstIndex, entry.firstIndex + entry.tasks.count] : [0, array.count]
    for (let index = first; index < end; index++) this.refuse(array, index, failure)
    const templates = entry instanceof Submission ? entry.runs.map(({ template }) => template) : [entry.template]
    for (const template of templates) template.unsent -= 1
  }

  /** Asks for the values of tasks that the scheduler was told of; the others' turn comes. */
  #sendAsks(): void {
    let ids: TaskId[] = []
    const later: TaskArray[] = []
    for (const array of this.#asks) {
      if (array.isAbandoned) continue
      if (array.sentCount < array.count) later.push(array)
      else array.takeAsks(ids)
      if (ids.length < ENOUGH_IDS) continue
      this.#connection.send({ type: 'want', tasks: ids })
      ids = []
    }
    this.#asks = later
    if (ids.length > 0) this.#connection.send({ type: 'want', tasks: ids })
  }

  #sendRetries(): void {
    for (let start = 0; start < this.#retries.length; start += ENOUGH_IDS) {
      this.#connection.send({ type: 'retry', tasks: this.#retries.slice(start, start + ENOUGH_IDS) })
    }
    if (this.#retries.length > 0) this.#retries = []
  }

  #sendReleases(): void {
    let ids: TaskId[] = []
    const later: TaskArray[] = []
    for (const array of this.#releases) {
      // An array that gets more tasks must not end before.
      if (array === this.#open?.array) {
        later.push(array)
        continue
      }
      if (array.isAbandoned) array.takeReleases([])
      else array.takeReleases(ids)
      if (array.liveCount === 0) this.#arrays.delete(array.id)
      if (ids.length < ENOUGH_IDS) continue
      this.#connection.send({ type: 'release', tasks: ids })
      ids = []
    }
    this.#releases = later
    if (ids.length > 0) this.#connection.send({ type: 'release', tasks: ids })
  }

  #forgetTemplates(): void {
    if (this.#closedTemplates.length === 0) return
    const isIdle = (template: Template): boolean => template.unsent === 0
    const forgotten = this.#closedTemplates.filter((template) => isIdle(template) && template.standing === 'defined')
    this.#closedTemplates = this.#closedTemplates.filter((template) => !isIdle(template))
    if (forgotten.length > 0) {
      this.#connection.send({ type: 'forget-templates', templates: forgotten.map(({ id }) => id) })
    }
  }

  /** Ends the open submission, and its array too: an array is given back as a whole. With few ids left it goes on. */
  #closeOpen(places = 1): void {
    const open = this.#open
    if (open === undefined || open.array.count === 0) return
    const goesOn = this.#leases.isScarce && open.array.room >= places && this.#openSource === undefined
    if (goesOn) return this.#continueOpen(open)
    if (open.tasks.count > 0) this.#queue.push(open)
    this.#open = undefined
  }

  /** Ends the open submission; further tasks go into another of the same array. */
  #continueOpen(open: Submission): void {
    if (open.tasks.count === 0) return
    this.#queue.push(open)
    this.#open = new Submission(open.array, open.array.count)
  }

  /** The array of an open submission that got no task, or a new one. */
  #emptyArray(parent: TaskParent | undefined): TaskArray {
    const array = this.#open?.array
    return array?.count === 0 && array.parent === parent ? array : this.newArray(parent)
  }
}

function sourceOf(entry: Submission | MapSlice): CodeSource {
  // All that waits for one source shares no array with others.
  return entry instanceof Submission ? entry.runs[0]!.template.source : entry.template.source
}

/**
 * Does what needs a task fail here that failed here? One that was cancelled is in the cluster still, and is cancelled there when
 * all that was submitted before has arrived: so that decides what goes on without it.
 */
function dooms({ type }: Failure, { rules }: Template): boolean {
  return type !== 'cancelled' || rules.onDependencyError === 'fail'
}
