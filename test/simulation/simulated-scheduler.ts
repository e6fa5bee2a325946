/** The scheduler's core with a shell of links on virtual time. */
import assert from 'node:assert/strict'
import type { Rng } from '../../common/rng.js'
import {
  arrayId,
  arrayOf,
  clientId,
  indexOf,
  taskId,
  workerId,
  type ClientId,
  type TaskId,
  type WorkerId,
} from '../../protocol/ids.js'
import {
  clientToScheduler,
  schedulerToClient,
  type ClientToScheduler,
  type SchedulerToClient,
} from '../../protocol/messages/client.js'
import {
  schedulerToWorker,
  workerToScheduler,
  type SchedulerToWorker,
  type WorkerToScheduler,
} from '../../protocol/messages/worker.js'
import { JOURNAL_SYNC_MS } from '../../protocol/limits.js'
import type { Needs } from '../../protocol/messages/needs.js'
import { list, type Field } from '../../protocol/schema.js'
import { decodeList, encode } from '../../protocol/transport/codec.js'
import type { SchedulerEvent } from '../../scheduler/core/events.js'
import type { SchedulerInstruction } from '../../scheduler/core/instructions.js'
import { findByKey } from '../../scheduler/core/views/explain.js'
import { checkInvariants } from '../../scheduler/core/invariants.js'
import { endTurn, handleEvent, nextDeadlineMs } from '../../scheduler/core/machine.js'
import type { OperatorAction } from '../../scheduler/core/views/on-operator.js'
import { keyOf } from '../../scheduler/core/tasks/task.js'
import { journalRecord } from '../../scheduler/core/durable/journal-record.js'
import { endReplay, replay } from '../../scheduler/core/durable/replay.js'
import { snapshotOf } from '../../scheduler/core/durable/snapshot.js'
import { createState, type SchedulerState } from '../../scheduler/core/state.js'
import { HELD } from '../../scheduler/core/tasks/task-array.js'
import type { WorkerRecord } from '../../scheduler/core/workers/worker-record.js'
import type { Agenda } from '../../testing/agenda.js'
import { Link } from './link.js'
import { Loop, type Trace } from './loop.js'
import { SimulatedJournal, type KeptBy } from './simulated-journal.js'
import type { Bug } from './simulation.js'
import type { Counts } from './world.js'

const records = list(journalRecord)
const CONFIG = {
  peerSecret: 'secret',
  seed: 1,
  firstArray: arrayId(1),
  startedAtMs: 0,
  packageVersion: '0',
  nodeVersion: '0',
  // Here tasks take a millisecond and more, and are to go ahead all the same.
  maxChainedUs: 24_000,
}

/** The disk has by then what was written; and frames that were under way have arrived or never do. */
const FORGETFUL_MS = 3 * JOURNAL_SYNC_MS

interface Typed {
  readonly type: string
}

/** What may get lost on purpose, and how often. */
const LOST: ReadonlySet<string> = new Set(['run-tasks', 'free-tasks', 'tasks-finished', 'task-failed', 'task-exited'])
const LOSS = 0.02

/** What a client or a worker sees of its connection. */
export interface Connection<Outgoing> {
  send(message: Outgoing): void
  flush(): void
  /**
   * Ends the connection; what is under way is lost. Both sides learn of it, each in its time. `broken`: who was there may come
   * back.
   */
  cut(reason?: 'closed' | 'broken'): void
}

export interface Peer<Incoming> {
  receive(messages: readonly Incoming[]): void
  connectionLost(): void
}

interface Session<Outgoing> {
  readonly down: Link<Outgoing>
  cut(): void
  /** The scheduler is dead. */
  end(): void
}

/** The two ends of a new connection: `down` goes from the scheduler to its peer, `up` the other way. */
interface Ends<Down, Up, Id> {
  readonly downField: Field<Down>
  readonly upField: Field<Up>
  readonly peer: Peer<Down>
  readonly receive: (message: Up) => void
  readonly sessions: Map<Id, Session<Down>>
  readonly id: Id
  readonly onLost: (reason: 'closed' | 'broken') => void
  /** How many times longer than usual all is under way. */
  readonly slowness?: number
}

export interface SimulatedSchedulerOptions {
  readonly agenda: Agenda
  readonly rng: Rng
  readonly maxInlineCacheBytes: number
  /** If it keeps its state: when that counts as kept. */
  readonly keptBy: KeptBy | undefined
  /** For its deaths, and what comes after them, alone. */
  readonly crashRng: Rng
  readonly counts: Counts
  readonly bug: Bug | undefined
  readonly trace: Trace | undefined
  /** Gets what is taken back after it was sent ahead of its inputs. */
  readonly takenBack: Set<TaskId>
  /** From this size on the journal's file is replaced; never when it is left out, until the scheduler is started again. */
  readonly replaceAtBytes?: number | undefined
  /** Of functions that take longer, only chains go ahead. */
  readonly maxAheadUs: number
  /** So much more one worker has than all on average when they share a graph. */
  readonly sharedUs: number
  /** So many rows of tasks are left for each thread before they can wait. */
  readonly rowsLeft: number
}

/** How it dies. */
export interface Death {
  /** At once; or as it writes its journal, or sends what a turn led to, the next time that it does so. */
  readonly at: 'once' | 'keep' | 'flush'
  /** With all that the disk was not told to keep. */
  readonly isPowerCut: boolean
  /** After so long there is another one. */
  readonly downMs: number
}

type SchedulerLoop = Loop<SchedulerEvent, SchedulerInstruction>

export class SimulatedScheduler {
  readonly #options: SimulatedSchedulerOptions
  readonly #agenda: Agenda
  readonly #rng: Rng
  readonly #journal: SimulatedJournal
  #state: SchedulerState
  #loop: SchedulerLoop
  #isUp = true
  #nextDeath: Death | undefined
  /** From this size on, another file takes the place of the journal's. */
  #replaceAtBytes: number
  readonly #workers = new Map<WorkerId, Session<SchedulerToWorker>>()
  readonly #clients = new Map<ClientId, Session<SchedulerToClient>>()
  readonly #operations = new Map<number, (key: string) => void>()
  #nextId = 1
  /** When they were. */
  readonly #powerCuts: number[] = []

  constructor(options: SimulatedSchedulerOptions) {
    const { agenda, rng, keptBy, crashRng, replaceAtBytes = Infinity } = options
    this.#replaceAtBytes = replaceAtBytes
    this.#options = options
    this.#agenda = agenda
    this.#rng = rng
    const { maxInlineCacheBytes, maxAheadUs, sharedUs, rowsLeft } = options
    const keepsState = keptBy !== undefined
    this.#state = createState({ ...CONFIG, maxInlineCacheBytes, maxAheadUs, sharedUs, rowsLeft, keepsState })
    this.#loop = this.#newLoop(rng.fork())
    this.#journal = new SimulatedJournal({ agenda, rng: crashRng, keptBy: keptBy ?? 'system' })
    this.#journal.replaceBy(this.#snapshot())
  }

  get state(): SchedulerState {
    return this.#state
  }

  get journalBytes(): number {
    return this.#journal.sizeBytes
  }

  get #isLossy(): boolean {
    return this.#options.bug === 'loses-messages'
  }

  get isKeptByDisk(): boolean {
    return this.#options.keptBy === 'disk'
  }

  /**
   * What was told then was not yet on the disk when the power failed: outcomes are told at once, and what came of them then
   * may be another thing now.
   */
  mayHaveForgotten(toldAtMs: number): boolean {
    return this.#powerCuts.some((atMs) => toldAtMs > atMs - FORGETFUL_MS && toldAtMs < atMs + FORGETFUL_MS)
  }

  get #keepsState(): boolean {
    return this.#options.keptBy !== undefined
  }

  #newLoop(rng: Rng): SchedulerLoop {
    const state = this.#state
    return new Loop({
      agenda: this.#agenda,
      rng,
      core: {
        handleEvent: (event: SchedulerEvent) => {
          this.#noteOperation(event)
          const left = event.type === 'worker-left' ? state.workers.get(event.worker) : undefined
          const kept = this.#options.bug === 'keeps-units' && left !== undefined ? unitsOf(left) : []
          const instructions = handleEvent(state, event)
          for (const { name, units } of kept) {
            const limit = state.limits.get(name)
            if (limit?.declaration.kind === 'semaphore') limit.taken += units
          }
          return instructions
        },
        endTurn: (nowMs) => endTurn(state, nowMs),
        nextDeadlineMs: () => nextDeadlineMs(state),
        checkInvariants: () => checkInvariants(state),
        costOfCheck: () => costOfCheck(state),
      },
      perform: (instruction) => this.#perform(instruction),
      flush: () => this.#flush(),
      trace: this.#options.trace,
    })
  }

  /** It dies, sooner or later. */
  die(death: Death): void {
    if (!this.#isUp) return
    if (death.at === 'once') this.#end(death)
    else this.#nextDeath = death
  }

  /** If it has not died by now as it was to, it does not. */
  spare(): void {
    this.#nextDeath = undefined
  }

  #end({ isPowerCut, downMs }: Death): void {
    this.#options.counts.crashes++
    if (isPowerCut) this.#powerCuts.push(this.#agenda.nowMs)
    this.#isUp = false
    this.#nextDeath = undefined
    this.#loop.stop()
    this.#operations.clear()
    this.#journal.endWriter({ isPowerCut })
    const sessions = [...this.#workers.values(), ...this.#clients.values()]
    this.#workers.clear()
    this.#clients.clear()
    for (const session of sessions) session.end()
    this.#agenda.in(downMs, () => this.#beginAgain())
  }

  /** As scheduler/journal/kept-state.ts does it. */
  #beginAgain(): void {
    const { state, lastMember } = this.#replayed()
    endReplay(state, this.#agenda.nowMs)
    checkInvariants(state)
    this.#state = state
    this.#nextId = lastMember + 1
    this.#isUp = true
    this.#loop = this.#newLoop(this.#options.crashRng.fork())
    this.#journal.replaceBy(this.#snapshot())
    this.#replaceAtBytes = this.#journal.sizeBytes * this.#options.crashRng.pick([1, 2, 100])!
    this.#loop.wake()
  }

  #replayed(): { readonly state: SchedulerState; readonly lastMember: number } {
    let state = createState(this.#state.config)
    let lastMember = 0
    const payloads = this.#journal.read()
    if (this.#options.bug === 'leaves-out-the-last-frame') payloads.pop()
    for (const payload of payloads) {
      for (const record of decodeList(journalRecord, payload)) {
        if (record.type === 'begun') {
          const { peerSecret, nextArray } = record
          state = createState({ ...state.config, peerSecret, firstArray: arrayId(nextArray) })
        }
        if (record.type === 'client-came') lastMember = Math.max(lastMember, record.client)
        if (record.type === 'worker-came') lastMember = Math.max(lastMember, record.worker)
        replay(state, record)
      }
    }
    return { state, lastMember }
  }

  *#snapshot(): Generator<Uint8Array> {
    for (const record of snapshotOf(this.#state)) yield encode(records, [record], 0)
  }

  #keep({ records: added, tell }: SchedulerInstruction & { readonly type: 'keep' }): void {
    const payload = encode(records, added, 0)
    const say = (): void => {
      for (const { client, message } of tell) this.#clients.get(client)?.down.send(message)
      if (this.isKeptByDisk) for (const { client } of tell) this.#clients.get(client)?.down.flush()
    }
    if (this.#options.bug === 'tells-before-it-keeps') {
      say()
      for (const { client } of tell) this.#clients.get(client)?.down.flush()
    }
    if (this.#nextDeath?.at === 'keep') {
      this.#journal.tear(payload)
      this.#end(this.#nextDeath)
      return
    }
    this.#journal.append(payload, () => {
      if (this.#options.bug !== 'tells-before-it-keeps') say()
    })
    if (this.#journal.sizeBytes < this.#replaceAtBytes) return
    this.#journal.replaceBy(this.#snapshot())
    this.#replaceAtBytes = Math.max(this.#options.replaceAtBytes ?? 0, 2 * this.#journal.sizeBytes)
  }

  /** What the turn led to leaves; of one that dies as it sends it, only some. */
  #flush(): void {
    const death = this.#nextDeath?.at === 'flush' ? this.#nextDeath : undefined
    const leaves = (): boolean => death === undefined || this.#options.crashRng.chance(0.5)
    for (const { down } of this.#workers.values()) if (leaves()) down.flush()
    for (const { down } of this.#clients.values()) if (leaves()) down.flush()
    if (death !== undefined) this.#end(death)
  }

  /** A worker dials; its first message must be `join`. */
  connectWorker(peer: Peer<SchedulerToWorker>, slowness: number): Connection<WorkerToScheduler> {
    if (!this.#isUp) return this.#refuse(peer)
    const worker = workerId(this.#nextId++)
    const loop = this.#loop
    const receive = (message: WorkerToScheduler): void => {
      if (message.type === 'relay-frame' || message.type === 'relay-taken') return
      if (message.type === 'runs' || message.type === 'logged') return
      if (message.type === 'join') loop.submit({ type: 'worker-joined', worker, join: message })
      else loop.submit({ type: 'worker-message', worker, message })
    }
    return this.#connect({
      downField: schedulerToWorker,
      upField: workerToScheduler,
      peer,
      receive,
      sessions: this.#workers,
      id: worker,
      onLost: () => loop.submit({ type: 'worker-left', worker, reason: 'connection cut' }),
      slowness,
    })
  }

  /** `session` is what the client shows if it comes back; `tasksOf` is the worker whose tasks speak. */
  connectClient(
    name: string,
    session: string,
    peer: Peer<SchedulerToClient>,
    tasksOf?: string,
  ): Connection<ClientToScheduler> {
    if (!this.#isUp) return this.#refuse(peer)
    const client = clientId(this.#nextId++)
    const loop = this.#loop
    const connection = this.#connect({
      downField: schedulerToClient,
      upField: clientToScheduler,
      peer,
      receive: (message: ClientToScheduler) => {
        if (message.type === 'relay-frame' || message.type === 'relay-taken') return
        loop.submit({ type: 'client-message', client, message })
      },
      sessions: this.#clients,
      id: client,
      onLost: (reason) => loop.submit({ type: 'client-left', client, isFinal: reason === 'closed' }),
    })
    loop.submit({ type: 'client-joined', client, name, session: this.#keepsState ? session : '', tasksOf })
    return connection
  }

  /** Somebody who looks after the cluster asks; told of each key that is cancelled or run again, before it is. */
  operate(action: OperatorAction, target: string, onKey: (key: string) => void): void {
    if (!this.#isUp) return
    const request = this.#nextId++
    this.#operations.set(request, onKey)
    this.#loop.submit({ type: 'operator-asked', request, action, target })
  }

  #noteOperation(event: SchedulerEvent): void {
    if (event.type !== 'operator-asked') return
    const { action, target, request } = event
    const onKey = this.#operations.get(request)!
    if (action === 'retry-kind') for (const task of this.state.errors.failedOf(target) ?? []) onKey(keyOf(task))
    if (action !== 'cancel' && action !== 'retry') return
    const task = findByKey(this.state, target)?.task
    onKey(task === undefined ? target : keyOf(task.producer ?? task))
  }

  /** Does it know that a client holds the future? */
  isHeld(id: TaskId): boolean {
    return ((this.state.arrays.get(arrayOf(id))?.flags[indexOf(id)] ?? 0) & HELD) !== 0
  }

  /** Where the values of a worker are, whether it listens there or not. */
  addressOf(worker: WorkerId): string {
    return `ws://${this.state.workers.get(worker)?.join.name ?? ''}`
  }

  /** There is nobody. */
  #refuse<Up>(peer: Peer<never>): Connection<Up> {
    this.#agenda.in(this.#options.crashRng.between(0.1, 20), () => peer.connectionLost())
    return { send: () => undefined, flush: () => undefined, cut: () => undefined }
  }

  #connect<Down extends Typed, Up extends Typed, Id>({
    downField,
    upField,
    peer,
    receive,
    sessions,
    id,
    onLost,
    slowness = 1,
  }: Ends<Down, Up, Id>): Connection<Up> {
    const agenda = this.#agenda
    const rng = this.#rng.fork()
    const overtakes = this.#options.bug === 'overtakes'
    const mayLose = this.#isLossy && (sessions as unknown) === this.#workers
    const isLost = ({ type }: Typed): boolean => mayLose && LOST.has(type) && this.#options.crashRng.chance(LOSS)
    const down = new Link<Down>({
      agenda,
      rng,
      field: downField,
      deliver: (messages) => peer.receive(messages),
      overtakes,
      isLost,
      slowness,
    })
    const up = new Link<Up>({
      agenda,
      rng,
      field: upField,
      deliver: (messages) => messages.forEach(receive),
      overtakes,
      isLost,
      slowness,
    })
    const cut = (reason: 'closed' | 'broken' = 'closed'): void => {
      if (sessions.get(id) !== session) return
      sessions.delete(id)
      down.cut()
      up.cut()
      agenda.in(rng.between(0, 20), () => onLost(reason))
      agenda.in(rng.between(0, 20), () => peer.connectionLost())
    }
    const end = (): void => {
      up.cut()
      // What the system had taken may still arrive.
      if (rng.chance(0.5)) down.cut()
      agenda.in(rng.between(0, 20), () => {
        down.cut()
        peer.connectionLost()
      })
    }
    const session: Session<Down> = { down, cut, end }
    sessions.set(id, session)
    return { send: (message) => up.send(message), flush: () => up.flush(), cut }
  }

  #perform(instruction: SchedulerInstruction): void {
    switch (instruction.type) {
      case 'keep':
        this.#keep(instruction)
        break
      case 'to-client':
        this.#clients.get(instruction.client)?.down.send(instruction.message)
        break
      case 'to-worker':
        if (instruction.message.type === 'recall') this.#noteTakenBack(instruction.worker, instruction.message.tasks)
        this.#workers.get(instruction.worker)?.down.send(instruction.message)
        break
      case 'close-worker':
        this.#workers.get(instruction.worker)?.cut()
        break
      case 'tell-blocked':
      case 'collect':
        break
      case 'tell-repaired':
        assert(this.#isLossy, `scheduler and worker disagreed: ${instruction.reason}`)
        this.#options.counts.repaired++
        break
      case 'answer-operator':
        assert(this.#operations.delete(instruction.request), 'an operator is answered once')
        break
      case 'answer-looker':
        assert.fail('nobody only looks')
        break
      case 'connect-relay':
      case 'cut-relay':
        break // What goes through relays is told by word of mouth here.
      case 'close-client':
        // A task of a worker that is gone, which will know of that soon; or who came back before its old connection was
        // seen to end.
        assert.equal(instruction.code, 'ERR_HEDDLE_CONNECTION_LOST', `a client was refused: ${instruction.reason}`)
        this.#clients.get(instruction.client)?.cut()
        break
    }
  }

  /** Others that are recalled are its tasks until it says that it has not begun them. */
  #noteTakenBack(id: WorkerId, tasks: readonly TaskId[]): void {
    const asked = new Set(Array.from(this.state.workers.get(id)?.recalled.keys() ?? [], (task) => task.id))
    for (const task of tasks) if (!asked.has(task)) this.#options.takenBack.add(task)
  }

  /** Does anything wait for a worker's next sign of life? */
  get awaitsPulses(): boolean {
    return [...this.state.workers.values()].some(({ copies, processing, lingering, review }) => {
      if (copies.resting.size > 0) return true
      const { quietCount, rightCount, asked } = review
      return (
        this.#isLossy &&
        (processing.size + lingering.size > 0 || asked !== undefined || (quietCount > 0 && quietCount !== rightCount))
      )
    })
  }

  /**
   * A scheduler that took the place of this one now, by its journal, would know of every task what this one does, but for what
   * workers have.
   */
  checkSuccessor(): void {
    if (!this.#keepsState) return
    const known = digestOf(this.state)
    const { state } = this.#replayed()
    endReplay(state, this.state.nowMs)
    checkInvariants(state)
    const found = digestOf(state)
    const lost = [...known].filter((line) => !found.has(line))
    const more = [...found].filter((line) => !known.has(line))
    assert.deepEqual({ lost, more }, { lost: [], more: [] }, 'a successor would know other things')
  }

  /** Nothing is left of any task. */
  checkHoldsNoTasks(): void {
    const { state } = this
    assert.equal(state.arrays.size, 0, 'the scheduler has arrays left')
    assert.equal(state.keys.size, 0, 'the scheduler has keys left')
    assert.equal(state.queueDeadlines.length, 0, 'the scheduler has deadlines of waits left')
    assert.equal(state.delayed.length, 0, 'the scheduler has tasks to try again left')
    assert.equal(state.inline.sizeBytes, 0, 'the scheduler has values left')
    assert.equal(state.nestings.size, 0, 'the scheduler has tasks with children left')
    assert.equal(state.ready.next(), undefined, 'the scheduler has ready tasks left')
    for (const worker of state.workers.values()) {
      assert.equal(worker.processing.size, 0, `the scheduler waits for tasks of worker ${worker.id}`)
      assert.equal(worker.suspended.size, 0, `worker ${worker.id} has tasks left that wait for others`)
      assert.equal(worker.lingering.size, 0, `tasks that are gone still take of worker ${worker.id}`)
      assert.equal(worker.reservedFor, undefined, `worker ${worker.id} is kept free for nothing`)
    }
  }

  /** Nothing is left of any client. */
  checkHoldsNoClients(): void {
    assert.equal(this.#operations.size, 0, 'operators wait for answers')
    assert.equal(this.state.clients.size, 0, 'the scheduler has clients left')
    assert.equal(this.state.spreads.size, 0, 'the scheduler has values to copy left')
    assert.equal(this.state.scatters.size, 0, 'the scheduler has values that clients bring left')
    assert.equal(this.state.copying.size, 0, 'the scheduler waits for copies')
    assert.equal(this.state.relays.size, 0, 'the scheduler has relays left')
    for (const { declaration, taken, waiting } of this.state.limits.values()) {
      assert.deepEqual([taken, waiting.size], [0, 0], `units of ${declaration.name} are taken by nobody`)
    }
    assert.equal(this.state.codes.size, 0, 'the scheduler has code left')
    for (const { name, templates } of this.state.functions.values()) {
      assert.equal(templates, 0, `the scheduler has templates of ${name} left`)
    }
  }
}

/** What is known of each task, and who holds it, line by line. What tasks submitted is not kept: they submit it again. */
function digestOf({ arrays, clients, datasets, nextArray }: SchedulerState): ReadonlySet<string> {
  const lines = new Set([`the next array is ${nextArray}`])
  for (const client of clients.values()) {
    if (client.session === '') continue
    lines.add(`"${client.session}" has said ${client.saidCount}`)
    for (const { define } of client.codes) lines.add(`there is code ${define.code}`)
  }
  for (const name of datasets.keys()) lines.add(`"${name}" is published`)
  for (const array of arrays.values()) {
    if (array.nesting !== undefined) continue
    array.flags.forEach((flags, index) => {
      const task = array.tasks[index]
      const isHeld = (flags & HELD) !== 0
      if (!isHeld && task === undefined) return
      const { type } = task?.state ?? { type: 'ready' }
      const isOver = type === 'in-memory' || type === 'failed' || type === 'released'
      const what = isOver ? type : 'pending'
      if (task?.state.type === 'failed') {
        const { code, culpritKey, attempt } = task.state.failure
        lines.add(`${task.id} failed by ${culpritKey}: ${code} after ${attempt} runs`)
      }
      const whose = `${isHeld ? 'held' : 'not held'}${task?.isDetached === true ? ', detached' : ''}`
      lines.add(`${taskId(array.id, index)} is ${what}, ${whose}, with ${task?.inputs.length ?? 0} inputs`)
    })
  }
  return lines
}

/** What the tasks of a worker have of limits. */
function unitsOf({ processing }: WorkerRecord): Needs['limits'] {
  return [...processing].flatMap(({ template }) => template.demand?.needs.limits ?? [])
}

function costOfCheck({ arrays, workers }: SchedulerState): number {
  let cost = 10 + 2 * workers.size
  for (const { flags } of arrays.values()) cost += 2 * flags.length
  return cost
}
