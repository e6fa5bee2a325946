/**
 * A client that does what comes to its mind: defines functions, submits tasks, wants values, lets futures go. It knows
 * what every task must give, and checks every answer.
 */
import assert from 'node:assert/strict'
import { entryOf, Packer } from '../../common/packed.js'
import type { Rng } from '../../common/rng.js'
import {
  ARRAY_CAPACITY,
  arrayId,
  generatedKey,
  outputOf,
  taskId,
  taskInKey,
  templateId,
  workerId,
  type ArrayId,
  type TaskId,
  type TemplateId,
} from '../../protocol/ids.js'
import { MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'
import type { LimitDeclaration } from '../../protocol/messages/limit.js'
import { NO_RULES, type RetryRules, type Rules } from '../../protocol/messages/rules.js'
import type { DataCall } from '../../protocol/messages/data.js'
import { NO_NEEDS, type Needs } from '../../protocol/messages/needs.js'
import type { ClientToScheduler, SchedulerToClient } from '../../protocol/messages/client.js'
import { PRIORITY_BASE } from '../../protocol/urgency.js'
import {
  areUnforeseen,
  CHILD_LOST,
  codeOf,
  decodeNumber,
  describe,
  encodeNumber,
  isOneOf,
  isRefusal,
  NOTHING,
  retriesOf,
  type Description,
  type Operation,
  type Pace,
} from './expression.js'
import { LastingLink } from './lasting-link.js'
import { SimulatedRelays } from './simulated-relays.js'
import type { Sizes } from './sizes.js'
import type { StoredValue } from './simulated-thread.js'
import { slownessOf } from './simulated-worker.js'
import { canReach, happen, mayFailUnforeseen, useUnits, type World } from './world.js'

type Failed = SchedulerToClient & { readonly type: 'failed' }
type ScatterTo = SchedulerToClient & { readonly type: 'scatter-to' }
type Question = Extract<
  ClientToScheduler,
  { readonly type: Exclude<DataCall['type'], 'open-dataset'> | 'cancel' | 'replicate' }
>
type Located = SchedulerToClient & { readonly type: 'located' }

interface SimulatedTemplate {
  readonly id: TemplateId
  readonly name: string
  readonly operation: Operation
  readonly constant: number
  readonly constantInputs: readonly Future[]
  readonly outputs: number
  readonly limits: Needs['limits']
  readonly rules: Rules
}

/** A future as a simulated client knows it. */
export interface Future {
  readonly id: TaskId
  /** Its own, also of an output. */
  readonly key: string
  readonly description: Description
  /** Asked for, and not answered yet. */
  isWanted: boolean
  /** It failed, as far as the client knows. */
  isFailed?: boolean
  /** It has an outcome, as far as the client knows. */
  isOver?: boolean
  /** The outcome that the client was told last: that it has its value, or why it failed. */
  told?: string
  /** When that was, and after how many connections that broke. */
  toldAtMs?: number
  toldOn?: number
  /** Somebody had it run again: then news of the runs cross. */
  wasRetried?: boolean
  /** This client could not fetch its value, which says nothing of the task. */
  isOutOfReach?: boolean
  /** It was known by its key alone. */
  isAttached?: boolean
  /** The name under which its value is published, of a future that was got by that. */
  readonly dataset?: string
  /** The number of its submission, of all that its client said and that must not be lost; 0 where nothing is kept. */
  saidAs?: number
}

/** What the least worker has of memory. */
const LEAST_MEMORY_BYTES = MAX_INLINE_RESULT_BYTES + 1
const CANCELLED = encodeNumber(499)
/** What a client is told that its future has. */
const VALUE = 'its value'
/** Threads know what may be tried again; only its way is what matters here. */
const FILTER = codeOf('filter')
/** Under which clients publish. */
const NAMES: readonly string[] = ['a', 'b', 'c']

/** What a scattered value counts as. */
const LARGE_BYTES = 1_000_000

/** No more than the least worker has: the memory of one large value, one gpu, and so many threads. */
function drawNeeds({ needsRng: rng, leastThreads, limits, hasDeaths }: World): Needs {
  const memoryBytes = rng.pick([0, 0, 1, 40_000, LEAST_MEMORY_BYTES])!
  const gpu = rng.pick([0, 0, 500, 1_000])!
  return {
    ...NO_NEEDS,
    threads: rng.pick([0, 1, 1, leastThreads])!,
    memoryBytes,
    others: gpu === 0 ? [] : [{ name: 'gpu', thousandths: gpu }],
    limits: limits
      .filter(() => rng.chance(0.25))
      .map(({ name, kind, units }) => ({ name, units: kind === 'rate' ? 1 : rng.integer(1, units) })),
    ...drawWorkers(rng, hasDeaths),
  }
}

/** A rule that the first worker keeps, which is always there unless workers die; or a wish. */
function drawWorkers(rng: Rng, hasDeaths: boolean): Pick<Needs, 'workers' | 'allowsOthers'> {
  if (!rng.chance(0.2)) return { workers: [], allowsOthers: false }
  if (!hasDeaths && rng.chance(0.5)) return { workers: ['worker-0', 'zone=a'], allowsOthers: false }
  return { workers: [rng.pick(['zone=a', 'zone=b', 'nobody'])!], allowsOthers: true }
}

/** What a client is like: how much of each thing it does. */
export interface Temper {
  readonly actions: number
  /** All actions happen within this time. */
  readonly spanMs: number
  /** The largest array, in tasks. */
  readonly maxArray: number
  readonly operations: readonly Operation[]
  readonly paces: readonly Pace[]
  /** It defines no more functions than these. */
  readonly maxTemplates?: number
}

export class SimulatedClient {
  readonly #world: World
  readonly #rng: Rng
  readonly #temper: Temper
  readonly #name: string
  readonly #connection: LastingLink
  readonly #relays = new SimulatedRelays((message) => {
    this.#connection.send(message)
    this.#connection.flush()
  })
  readonly #templates: SimulatedTemplate[] = []
  /** That of rows of tasks. */
  #weaver: SimulatedTemplate | undefined
  /** Those it holds. */
  readonly #futures = new Map<TaskId, Future>()
  /** The same in the order they were made, for drawing; those let go are taken out when they are drawn. */
  #recent: Future[] = []
  #lease: { next: ArrayId; readonly end: number } | undefined
  #lastArray: { readonly id: ArrayId; count: number } | undefined
  /** Units of limits that it waits for or has. */
  readonly #unitRequests = new Map<number, { readonly limit: LimitDeclaration; isTaken: boolean }>()
  #lastUnitRequest = 0
  /** Questions that were not answered, by number. */
  readonly #questions = new Map<number, Question>()
  #lastRequest = 0
  /** Work that goes on though its futures were let go: it must have run in the end. */
  readonly #detached: Future[] = []
  /** What it brings to workers, until the scheduler says that it need not be kept. */
  readonly #scattered = new Map<TaskId, number>()
  #hasLeft = false
  /** How many of its connections broke. */
  #cuts = 0

  constructor(world: World, name: string, temper: Temper) {
    this.#world = world
    this.#rng = world.rng.fork()
    this.#temper = temper
    this.#name = name
    this.#connection = new LastingLink({
      world,
      rng: world.crashRng,
      name,
      onMessage: (message) => this.#receive(message),
      onLost: () => this.#onLost(),
      onReturned: () => this.#onReturned(),
    })
  }

  get hasLeft(): boolean {
    return this.#hasLeft
  }

  /** How many records it keeps, by field. */
  get sizes(): Sizes {
    return {
      templates: this.#templates.length,
      futures: this.#futures.size,
      recent: this.#recent.length,
      unitRequests: this.#unitRequests.size,
      questions: this.#questions.size,
      detached: this.#detached.length,
      scattered: this.#scattered.size,
      unacknowledged: this.#connection.unacknowledgedCount,
    }
  }

  /** Does so much within the next time. */
  goOn(actions: number, spanMs: number): void {
    for (let i = 0; i < actions; i++) {
      const name = `${this.#name}/${i}`
      this.#world.agenda.in(this.#rng.between(0, spanMs), () => happen(this.#world, name, () => this.#act()))
    }
  }

  /** Forgets what it let go of, and would have looked at in the end. */
  forgetPast(): void {
    this.#detached.length = 0
    this.#recent = this.#recent.filter(({ id }) => this.#futures.has(id))
  }

  /** Asks for everything it holds. */
  wantAll(): void {
    this.#want([...this.#futures.values()])
    this.#connection.flush()
  }

  releaseAll(): void {
    this.#release([...this.#futures.values()])
    for (const name of NAMES) this.#connection.send({ type: 'unpublish', request: ++this.#lastRequest, name })
    this.#connection.flush()
  }

  /** Goes, with everything it holds. */
  leave(): void {
    if (this.#hasLeft) return
    this.#hasLeft = true
    for (const id of this.#futures.keys()) this.#world.letGo.add(id)
    for (const id of this.#scattered.keys()) this.#world.leftBehind.add(generatedKey('scatter', id))
    for (const { limit, isTaken } of this.#unitRequests.values()) {
      if (isTaken) useUnits(this.#world, [{ name: limit.name, units: 1 }], -1)
    }
    this.#connection.end()
  }

  /** Its connection breaks, and is had again. */
  disconnect(): void {
    if (!this.#hasLeft) this.#connection.disconnect()
  }

  #onLost(): void {
    assert(this.#world.hasCrashes, 'a client lost its connection')
    this.#cuts++
    this.#relays.reset()
  }

  /** As client/session.ts: what was under way is asked again. What must not be lost has been said. */
  #onReturned(): void {
    this.#checkAcknowledged()
    for (const [request, message] of this.#questions) {
      // It has begun, or will: to say it again could cancel what was submitted since.
      if (message.type === 'restart') this.#questions.delete(request)
      else this.#connection.send(message)
    }
    for (const [request, { limit, isTaken }] of this.#unitRequests) {
      if (!isTaken) this.#connection.send({ type: 'take-unit', request, limit })
    }
    for (const task of this.#scattered.keys()) this.#connection.send({ type: 'not-scattered', task, worker: 0 })
    const wanted = [...this.#futures.values()].filter(({ isWanted }) => isWanted)
    if (wanted.length > 0) this.#connection.send({ type: 'want', tasks: wanted.map(({ id }) => id) })
  }

  /** What was acknowledged and is still held is known to the scheduler, whichever that is by now. */
  #checkAcknowledged(): void {
    const { acknowledgedCount } = this.#connection
    for (const { id, key, saidAs = 0 } of this.#futures.values()) {
      if (saidAs === 0 || saidAs > acknowledgedCount) continue
      assert(this.#world.scheduler.isHeld(id), `the submission of ${key} was acknowledged, and is lost`)
    }
  }

  /** Everything it asked for was answered. */
  checkSettled(): void {
    if (this.#hasLeft) return
    this.#checkAcknowledged()
    assert.equal(this.#scattered.size, 0, 'scattered values are kept for ever')
    const waiting = [...this.#futures.values()].filter(({ isWanted }) => isWanted)
    assert.deepEqual(
      waiting.map(({ id }) => id),
      [],
      'wanted futures never settled',
    )
    // With deaths, as many workers as were restarted may never be there again.
    const isSure = !this.#world.hasDeaths
    const open = [...this.#questions.values()].map(({ type }) => type).filter((type) => isSure || type !== 'restart')
    assert.deepEqual(open, [], 'questions were never answered')
    assert.equal(this.#unitRequests.size, 0, 'units of limits never came')
  }

  /** What it detached ran, where nothing could keep it from that. */
  checkDetached(): void {
    const { hasDeaths, cancelledKeys, hurriedKeys, stoppingKeys, counts, ranTasks } = this.#world
    // What a client said last before it left may never have arrived.
    if (hasDeaths || this.#hasLeft || counts.restarts > 0) return
    if (cancelledKeys.size + hurriedKeys.size + stoppingKeys.size > 0) return
    for (const { id, description } of this.#detached) {
      const { outcome, output, key } = description
      if (outcome.type === 'failure' || output !== undefined || outcome.number === NOTHING) continue
      assert(ranTasks.has(id), `${key} was detached, and never ran`)
    }
  }

  #receive(message: SchedulerToClient): void {
    if (this.#hasLeft) return
    switch (message.type) {
      case 'lease':
        this.#lease = { next: message.first, end: message.first + message.count }
        for (const limit of this.#world.limits) this.#connection.send({ type: 'declare-limit', limit })
        this.goOn(this.#temper.actions, this.#temper.spanMs)
        break
      case 'finished':
        for (const task of message.tasks) this.#checkValue(task, undefined)
        break
      case 'values':
        message.tasks.forEach((task, i) => this.#settle(task, decodeNumber(entryOf(message.values, i))))
        break
      case 'scatter-to':
        this.#put(message)
        break
      case 'scattered':
        for (const task of message.tasks) this.#scattered.delete(task)
        break
      case 'located':
        this.#fetch(message)
        break
      case 'failed':
        for (const task of message.tasks) this.#fail(task, message)
        break
      case 'accepted':
      case 'status':
      case 'workers-present':
        break
      case 'retirement-waits':
        this.#world.counts.stayed++
        break
      case 'progressed':
        for (const task of message.tasks)
          this.#checkReport(task, Math.round(1 / message.fraction - 1) - message.attempt)
        break
      case 'retried':
        for (const task of message.tasks) this.#noteRetried(this.#futures.get(task))
        break
      case 'rebalanced':
        this.#world.counts.moved += message.values
        this.#questions.delete(message.request)
        break
      case 'replicated':
      case 'published':
      case 'held-by':
      case 'unpublished':
      case 'datasets':
      case 'retired':
      case 'restarted':
        this.#questions.delete(message.request)
        break
      case 'workers-told':
      case 'dump':
      case 'stream-chunk':
        throw new Error(`${message.type} answers a question that was not asked`)
      case 'cancelled':
        this.#onCancelled(message.request, message.stoppedBy.length)
        break
      case 'unit-taken':
        this.#onUnitTaken(message.request)
        break
      case 'limit-refused':
      case 'unit-refused':
        assert.fail(message.reason)
        break
      case 'blocked':
      case 'explained':
        break
      case 'relay-opened':
      case 'relay-offered':
      case 'relay-closed':
      case 'relay-frame':
      case 'relay-taken':
        this.#relays.receive(message)
    }
  }

  #act(): void {
    if (this.#hasLeft) return
    const rng = this.#rng
    for (let more = true; more; more = rng.chance(0.3)) {
      const dice = rng.next()
      const mayDefine = this.#templates.length < (this.#temper.maxTemplates ?? Infinity)
      if (this.#templates.length === 0 || (dice < 0.1 && mayDefine)) this.#define()
      else if (dice < 0.15) this.#scatter()
      else if (dice < 0.6) this.#submit()
      else if (dice < 0.8) this.#want(this.#draw(rng.integer(1, 20)))
      else this.#release(this.#draw(rng.chance(0.1) ? 1_000 : rng.integer(1, 20)))
    }
    if (this.#world.separationRng.chance(this.#world.replicating)) this.#replicate()
    if (this.#world.cancelRng.chance(this.#world.cancelling)) this.#cancel()
    if (this.#world.operatorRng.chance(this.#world.operating)) this.#askOperator()
    if (this.#world.limits.length > 0 && this.#world.needsRng.chance(0.3)) this.#takeUnit()
    if (this.#world.futureRng.chance(this.#world.retrying)) this.#retry()
    if (this.#world.futureRng.chance(this.#world.attaching)) {
      this.#detach()
      this.#attach()
    }
    this.#weaveSome()
    this.#callAboutData()
    this.#connection.flush()
  }

  #define(): void {
    const rng = this.#rng
    const drawn = rng.pick(this.#temper.operations)!
    const pace = rng.pick(this.#temper.paces)!
    const operation = this.#world.nestingRng.chance(this.#world.nesting) ? 'nest' : drawn
    const name = `${operation}-${operation === 'endless' ? 'instant' : pace}`
    const constantInputs = rng.chance(0.3) ? this.#draw(rng.integer(1, 3)) : []
    const constant = constantInputs.length > 0 || rng.chance(0.5) ? rng.integer(1, 9) : 0
    const outputs = rng.chance(0.25) ? rng.integer(1, rng.pick([3, 3, 30])!) : 0
    const needs = this.#world.needsRng.chance(this.#world.needing) ? drawNeeds(this.#world) : NO_NEEDS
    const rules = this.#drawRules(operation, constant)
    const id = templateId(this.#templates.length + 1)
    const template = { id, name, operation, constant, constantInputs, outputs, limits: needs.limits, rules }
    this.#sendTemplate(template, needs, rng.integer(-1, 1))
  }

  #sendTemplate(template: SimulatedTemplate, needs: Needs, priority: number): void {
    this.#templates.push(template)
    const { id, name, operation, constant, constantInputs, outputs, rules } = template
    const define = codeOf(operation)
    this.#connection.send(define)
    this.#connection.send(FILTER)
    this.#connection.send({
      type: 'define-template',
      template: id,
      name,
      code: define.code,
      exportName: operation,
      constants: constant === 0 ? new Uint8Array(0) : encodeNumber(constant),
      constantInputs: constantInputs.map((input) => input.id),
      priority: PRIORITY_BASE + priority,
      depth: 0,
      outputs,
      needs,
      rules,
    })
  }

  #drawRules(operation: Operation, constant: number): Rules {
    const { cancelRng: rng, stopping, errorRng, tolerating } = this.#world
    return {
      ...NO_RULES,
      timeoutMs: this.#drawTimeoutMs(operation),
      retries: this.#drawRetries(retriesOf(operation, constant)),
      queueTimeoutMs: rng.chance(stopping) ? rng.pick([1, 20, 500])! : 0,
      maxFailures: rng.chance(stopping) ? rng.pick([1, 3])! : 0,
      onDependencyError: errorRng.chance(tolerating) ? errorRng.pick(['skip', 'pass-error'] as const)! : 'fail',
    }
  }

  /**
   * Far less than an endless task runs, or far more than any other does; but one that waits for others may wait for a sign of
   * life, and those come when nothing else is left to happen, however much later that is.
   */
  #drawTimeoutMs(operation: Operation): number {
    const rng = this.#world.cancelRng
    if (operation === 'endless') return rng.pick([2, 50])!
    return rng.chance(0.1) && operation !== 'nest' ? 100_000 : 0
  }

  #drawRetries(count: number): RetryRules {
    const rng = this.#world.cancelRng
    return {
      count,
      delayMs: rng.pick([0, 0, 3, 100])!,
      isExponential: rng.chance(0.5),
      maxDelayMs: 200,
      jitterThousandths: rng.pick([0, 500])!,
      filter: rng.chance(0.2) ? FILTER.code : '',
    }
  }

  #submit(): void {
    const rng = this.#rng
    // A template whose constants were let go is of no more use.
    const usable = this.#templates.filter(({ constantInputs }) =>
      constantInputs.every(({ id }) => this.#futures.has(id)),
    )
    const { id: array, count: firstIndex } = this.#arrayToFill()
    const size = rng.chance(0.1) ? rng.integer(1, this.#temper.maxArray) : rng.integer(1, 12)
    const room = Math.min(size, ARRAY_CAPACITY - firstIndex, this.#world.program?.mostTasks ?? Infinity)
    const withInputs = rng.chance(0.6)
    const shared = rng.chance(0.3) ? this.#draw(rng.integer(1, 3)) : []
    const args = new Packer()
    const runs: number[] = []
    const inputCounts: number[] = []
    const inputs: TaskId[] = []
    const keys: { place: number; key: string }[] = []
    const made: Future[] = []
    let template = rng.pick(usable)
    for (let place = 0; place < room;) {
      if (rng.chance(0.05)) template = rng.pick(usable)
      if (template === undefined) return
      const { operation, constant, name, constantInputs, outputs, limits, rules } = template
      if (place + 1 + outputs > room) break
      if (runs.at(-2) === template.id) runs[runs.length - 1]! += 1 + outputs
      else runs.push(template.id, 1 + outputs)
      // Small numbers, so that the same work is sometimes submitted twice under its key.
      const isKeyed = constantInputs.length === 0 && outputs === 0 && rng.chance(0.02)
      const argument = isKeyed ? rng.integer(1, 5) : rng.integer(1, 1_000)
      const own = withInputs && !isKeyed ? [...this.#draw(rng.integer(0, 3)), ...shared] : []
      const id = taskId(array, firstIndex + place)
      const key = isKeyed ? `${operation}:${constant}:${argument}` : generatedKey(name, id)
      if (isKeyed) keys.push({ place, key })
      if (rules.queueTimeoutMs > 0) this.#world.hurriedKeys.add(key)
      if (rules.maxFailures > 0) this.#world.stoppingKeys.add(key)
      args.add(encodeNumber(argument))
      inputCounts.push(own.length)
      inputs.push(...own.map((input) => input.id))
      const all = [...own, ...constantInputs].map(({ description }) => description)
      const task = { operation, constant, argument, inputs: all, key, rule: rules.onDependencyError }
      if (limits.length > 0) this.#world.limitsOfTask.set(id, limits)
      place += 1 + outputs
      if (outputs === 0) made.push({ id, key, description: describe({ ...task, output: undefined }), isWanted: false })
      for (let output = 0; output < outputs; output++) {
        args.add(new Uint8Array(0))
        inputCounts.push(0)
        const ownId = outputOf(id, output)
        const description = describe({ ...task, output })
        made.push({ id: ownId, key: generatedKey(name, ownId), description, isWanted: false })
      }
    }
    const count = inputCounts.length
    if (count === 0) return
    this.#lastArray!.count += count
    this.#world.counts.submitted += count
    this.#connection.send({
      type: 'submit',
      array,
      firstIndex,
      runs,
      args: args.take(),
      inputCounts: inputs.length === 0 ? [] : inputCounts,
      inputs,
      keys,
    })
    for (const future of made) {
      const { outcome } = future.description
      future.saidAs = this.#connection.saidCount
      if (outcome.type === 'failure') this.#world.foreseen.set(future.id, outcome.culprits)
      this.#futures.set(future.id, future)
      this.#recent.push(future)
    }
    if (this.#world.attaching > 0) this.#world.known.push(...made)
    if (rng.chance(0.3)) this.#want(made)
  }

  #weaveSome(): void {
    const { weaveRng, weaving, growRng, growing } = this.#world
    if (weaveRng.chance(weaving)) this.#weave(weaveRng, { width: [2, 8], rows: [3, 12] })
    if (growRng.chance(growing)) this.#weave(growRng, { width: [1, 3], rows: [20, 200] })
  }

  /** Rows of short tasks, each of which needs its neighbours of the row before: they go ahead, and values are pushed to them. */
  #weave(rng: Rng, between: { readonly width: [number, number]; readonly rows: [number, number] }): void {
    const { program, counts } = this.#world
    const { id: template, name, operation } = (this.#weaver ??= this.#defineWeaver())
    const width = rng.integer(...between.width)
    const room = Math.min(width * rng.integer(...between.rows), program?.mostTasks ?? Infinity, ARRAY_CAPACITY)
    const lease = this.#lease!
    const array = lease.next
    lease.next = arrayId(lease.next + 1)
    const args = new Packer()
    const inputCounts: number[] = []
    const inputs: TaskId[] = []
    const made: Future[] = []
    for (let place = 0; place < room; place++) {
      const column = place % width
      const own = made
        .slice(Math.max(place - column - width, 0), place - column)
        .filter((_, i) => Math.abs(i - column) < 2)
      const id = taskId(array, place)
      const key = generatedKey(name, id)
      const argument = rng.integer(1, 1_000)
      args.add(encodeNumber(argument))
      inputCounts.push(own.length)
      inputs.push(...own.map((input) => input.id))
      const task = { operation, constant: 0, argument, key, output: undefined }
      made.push({
        id,
        key,
        description: describe({ ...task, inputs: own.map(({ description }) => description) }),
        isWanted: false,
      })
    }
    counts.submitted += room
    counts.woven += room
    this.#connection.send({
      type: 'submit',
      array,
      firstIndex: 0,
      runs: [template, room],
      args: args.take(),
      inputCounts: inputs.length === 0 ? [] : inputCounts,
      inputs,
      keys: [],
    })
    for (const future of made) {
      future.saidAs = this.#connection.saidCount
      this.#futures.set(future.id, future)
      this.#recent.push(future)
    }
    if (rng.chance(0.5)) this.#want(made.slice(-width))
    if (rng.chance(0.3)) this.#release(made.slice(0, -width))
  }

  /** Without needs and rules, or none of them would go ahead. */
  #defineWeaver(): SimulatedTemplate {
    const id = templateId(this.#templates.length + 1)
    const pace = this.#world.weaveRng.pick(['instant', 'brisk', 'short'])!
    const plain = { constant: 0, constantInputs: [], outputs: 0, limits: [], rules: NO_RULES }
    const template: SimulatedTemplate = { id, name: `sum-${pace}`, operation: 'sum', ...plain }
    this.#sendTemplate(template, NO_NEEDS, 0)
    return template
  }

  /** A number of its own, for one worker or all, or for one of those that may be there some day. */
  #scatter(): void {
    const rng = this.#rng
    const lease = this.#lease!
    const array = lease.next
    lease.next = arrayId(lease.next + 1)
    const id = taskId(array, 0)
    const argument = rng.integer(1, 1_000)
    const key = generatedKey('scatter', id)
    const description = describe({ operation: 'sum', constant: 0, argument, inputs: [], key, output: undefined })
    const future: Future = { id, key, description, isWanted: false }
    const copies = rng.chance(0.3) ? 'every' : 'one'
    // The first worker may die for good: then it must be another one's.
    const workers = rng.chance(0.2) && !this.#world.hasDeaths ? ['worker-0'] : []
    this.#connection.send({ type: 'scatter', array, sizeBytes: LARGE_BYTES, copies, workers })
    future.saidAs = this.#connection.saidCount
    this.#world.counts.scattered++
    this.#scattered.set(id, argument)
    this.#futures.set(id, future)
    this.#recent.push(future)
    if (rng.chance(0.3)) this.#want([future])
  }

  /** The last array, or a new one. */
  #arrayToFill(): { readonly id: ArrayId; count: number } {
    if (this.#lastArray !== undefined && this.#lastArray.count < ARRAY_CAPACITY && this.#rng.chance(0.2)) {
      // An array whose every place was let go is forgotten, and can't be filled up.
      if ([...this.#futures.keys()].some((id) => Math.floor(id / ARRAY_CAPACITY) === this.#lastArray!.id))
        return this.#lastArray
    }
    const lease = this.#lease!
    assert(lease.next < lease.end, 'the lease is used up')
    this.#lastArray = { id: lease.next, count: 0 }
    lease.next = arrayId(lease.next + 1)
    return this.#lastArray
  }

  /** Some futures that it holds, rather recent ones. */
  #draw(count: number): Future[] {
    const drawn: Future[] = []
    for (let i = 0; i < count && this.#recent.length > 0; i++) {
      const back = Math.floor(this.#rng.next() ** 2 * this.#recent.length)
      const place = this.#recent.length - 1 - back
      const future = this.#recent[place]!
      if (this.#futures.has(future.id)) drawn.push(future)
      else this.#recent.splice(place, 1)
    }
    return drawn
  }

  #want(futures: readonly Future[]): void {
    const wanted = futures.filter((future, i) => !future.isWanted && futures.indexOf(future) === i)
    if (wanted.length === 0) return
    for (const future of wanted) future.isWanted = true
    this.#connection.send({ type: 'want', tasks: wanted.map(({ id }) => id) })
  }

  #replicate(): void {
    const rng = this.#world.separationRng
    const held = [...this.#futures.keys()]
    const tasks = Array.from({ length: Math.min(held.length, rng.integer(1, 5)) }, () => rng.pick(held)!)
    if (tasks.length === 0) return
    this.#world.counts.replicated += tasks.length
    this.#ask({ type: 'replicate', request: ++this.#lastRequest, tasks, copies: rng.integer(1, 9) })
  }

  /** It waits for a unit of a limit, has it for a while, and gives it back; now and then it gives up before. */
  #takeUnit(): void {
    const { needsRng: rng, limits, agenda } = this.#world
    const request = ++this.#lastUnitRequest
    const limit = rng.pick(limits)!
    this.#connection.send({ type: 'take-unit', request, limit })
    this.#unitRequests.set(request, { limit, isTaken: false })
    if (rng.chance(0.2)) agenda.in(rng.between(0, 50), () => this.#returnUnit(request))
  }

  #onUnitTaken(request: number): void {
    const { needsRng: rng, agenda, counts } = this.#world
    const asked = this.#unitRequests.get(request)
    if (asked === undefined || asked.isTaken) return // It gave up meanwhile, or was told before its connection broke.
    counts.unitsTaken++
    asked.isTaken = true
    useUnits(this.#world, [{ name: asked.limit.name, units: 1 }], 1)
    agenda.in(rng.between(0, 50), () => this.#returnUnit(request))
  }

  #returnUnit(request: number): void {
    const asked = this.#unitRequests.get(request)
    if (asked === undefined || this.#hasLeft) return
    this.#unitRequests.delete(request)
    if (asked.isTaken) useUnits(this.#world, [{ name: asked.limit.name, units: 1 }], -1)
    this.#connection.send({ type: 'return-unit', request })
    this.#connection.flush()
  }

  #callAboutData(): void {
    const { dataRng: rng, publishing, rebalancing, retiring, restarting, workers, counts } = this.#world
    if (rng.chance(publishing)) this.#publish()
    if (rng.chance(publishing)) this.#openDataset()
    if (rng.chance(publishing / 3))
      this.#ask({ type: 'unpublish', request: ++this.#lastRequest, name: rng.pick(NAMES)! })
    if (rng.chance(rebalancing)) {
      counts.rebalanced++
      this.#ask({ type: 'rebalance', request: ++this.#lastRequest })
    }
    const others = [...workers.values()].filter(mayGo)
    const leaver = rng.chance(retiring) ? rng.pick(others) : undefined
    if (leaver !== undefined) {
      counts.retired++
      this.#ask({ type: 'retire-workers', request: ++this.#lastRequest, workers: [leaver.name], deadlineMs: 0 })
    }
    if (rng.chance(restarting)) {
      counts.restarts++
      this.#ask({ type: 'restart', request: ++this.#lastRequest, timeoutMs: 60_000 })
    }
  }

  #ask(question: Question): void {
    this.#questions.set(question.request, question)
    this.#connection.send(question)
  }

  /** What it can become is noted at once: another client may get it before this one hears that it is published. */
  #publish(): void {
    const { dataRng: rng, published, counts } = this.#world
    const future = rng.pick([...this.#futures.values()].filter(({ dataset }) => dataset === undefined))
    if (future === undefined) return
    const name = rng.pick(NAMES)!
    counts.published++
    const known = published.get(name)
    if (known === undefined) published.set(name, [future.description])
    else known.push(future.description)
    this.#ask({ type: 'publish', request: ++this.#lastRequest, name, task: future.id })
  }

  #openDataset(): void {
    const { dataRng: rng, counts } = this.#world
    const lease = this.#lease!
    const array = lease.next
    lease.next = arrayId(lease.next + 1)
    const id = taskId(array, 0)
    const name = rng.pick(NAMES)!
    const key = generatedKey('dataset', id)
    const description = describe({ operation: 'sum', constant: 0, argument: 0, inputs: [], key, output: undefined })
    counts.opened++
    this.#connection.send({ type: 'open-dataset', array, name })
    const future: Future = { id, key, description, isWanted: false, dataset: name }
    this.#futures.set(id, future)
    if (rng.chance(0.5)) this.#want([future])
  }

  /** Lets go of them in the same breath: that they are cancelled is all that it will ever know. */
  #cancel(): void {
    const rng = this.#world.cancelRng
    const held = [...this.#futures.values()].filter(({ dataset }) => dataset === undefined)
    const few = Array.from({ length: Math.min(held.length, rng.integer(1, 5)) }, () => rng.pick(held)!)
    const futures = rng.chance(0.05) ? held : [...new Set(few)]
    if (futures.length === 0) return
    this.#world.counts.cancelled += futures.length
    for (const { key } of futures) this.#world.cancelledKeys.add(key)
    const graceMs = rng.pick([0, 10, 500])!
    const tasks = futures.map(({ id }) => id)
    this.#ask({ type: 'cancel', request: ++this.#lastRequest, tasks, graceMs, error: CANCELLED })
    this.#release(futures)
  }

  /** Some of what failed runs again, and is asked for. What must fail fails again; what was cancelled has its value. */
  #retry(): void {
    const rng = this.#world.futureRng
    const failed = [...this.#futures.values()].filter(({ isFailed, isAttached }) => isFailed && !isAttached)
    const futures = new Set(Array.from({ length: Math.min(failed.length, rng.integer(1, 5)) }, () => rng.pick(failed)!))
    if (futures.size === 0) return
    this.#world.counts.retried += futures.size
    for (const future of futures) this.#noteRetried(future)
    this.#connection.send({ type: 'retry', tasks: [...futures].map(({ id }) => id) })
    this.#want([...futures])
  }

  /**
   * Somebody cancels a task of its, has one run again, or all that failed in one way, without a word to it; or has a worker
   * leave, or start afresh, where workers may.
   */
  #askOperator(): void {
    const { operatorRng: rng, scheduler, cancelledKeys, counts, retiring, workers } = this.#world
    const others = [...workers.values()].filter(mayGo)
    const leaver = retiring > 0 && rng.chance(0.2) ? rng.pick(others) : undefined
    if (leaver !== undefined) {
      counts.operated++
      scheduler.operate(rng.pick(['drain', 'restart', 'restart'] as const)!, leaver.name, () => undefined)
    }
    const kinds = rng.chance(0.2) ? scheduler.state.errors.list(0).groups : []
    const kind = rng.pick(kinds)
    if (kind !== undefined) {
      scheduler.operate('retry-kind', kind.fingerprint, (culprit) => {
        counts.operated++
        cancelledKeys.add(culprit)
      })
    }
    const held = [...this.#futures.values()]
    if (held.length === 0) return
    const { key, isFailed } = rng.pick(held)!
    scheduler.operate(isFailed ? 'retry' : 'cancel', key, (culprit) => {
      counts.operated++
      cancelledKeys.add(culprit)
    })
  }

  #onCancelled(request: number, answers: number): void {
    const question = this.#questions.get(request)
    // It may have been asked again before the first answer came.
    if (question === undefined && this.#world.hasCrashes) return
    assert.equal(question?.type === 'cancel' && question.tasks.length, answers, 'not every task has an answer')
    this.#questions.delete(request)
  }

  #noteRetried(future: Future | undefined): void {
    if (future === undefined) return
    future.isFailed = false
    future.isOver = false
    future.wasRetried = true
  }

  /** Some futures are let go, and their work is to go on. */
  #detach(): void {
    const rng = this.#world.futureRng
    const held = [...this.#futures.values()]
    const futures = Array.from({ length: Math.min(held.length, rng.integer(1, 5)) }, () => rng.pick(held)!)
    if (futures.length === 0) return
    this.#world.counts.detached += futures.length
    this.#connection.send({ type: 'detach', tasks: futures.map(({ id }) => id) })
    for (const future of new Set(futures)) {
      // One of a key may stand for a task that ran under another id, and a scattered value never runs.
      if (nameOf(future.key) === 'scatter' || future.isAttached || future.dataset !== undefined) continue
      if (future.key === generatedKey(nameOf(future.key), future.id)) this.#detached.push(future)
    }
    this.#release(futures)
  }

  /** A further future of a task that any client made, if it is there still. */
  #attach(): void {
    const rng = this.#world.futureRng
    const known = rng.pick(this.#world.known)
    if (known === undefined) return
    const lease = this.#lease!
    const array = lease.next
    lease.next = arrayId(lease.next + 1)
    const { key, description } = known
    const future: Future = { id: taskId(array, 0), key, description, isWanted: false, isAttached: true }
    this.#world.counts.attached++
    this.#connection.send({ type: 'attach', array, key })
    // Nothing is made of it: there may be no such task, which it learns only later.
    this.#futures.set(future.id, future)
    if (rng.chance(0.5)) this.#want([future])
  }

  #release(futures: readonly Future[]): void {
    const released = futures.filter(({ id }) => this.#futures.delete(id))
    if (released.length === 0) return
    for (const { id } of released) this.#world.letGo.add(id)
    this.#connection.send({ type: 'release', tasks: released.map(({ id }) => id) })
  }

  /** A value is too large to come along: the client fetches it from its holder, or says that it could not. */
  #fetch({ task, heldAs, holders, workers: ids }: Located): void {
    const { agenda, counts, workers, fetchFailure, scheduler } = this.#world
    const future = this.#futures.get(task)
    assert(future?.isWanted !== false || this.#mayHearAgain(future), `${task} is located though nobody asked`)
    counts.located++
    // The scheduler that said that it failed may have forgotten it.
    if (future !== undefined) future.isFailed = false
    const place = this.#rng.integer(0, holders.length - 1)
    const holder = holders[place] ?? ''
    if (holder === '' || !canReach(this.#world, this.#name, holder)) {
      counts.relayed++
      const worker = workerId(ids[place]!)
      const slowness = slownessOf(this.#world, scheduler.addressOf(worker), this.#name)
      let value: StoredValue | undefined
      this.#relays.ask({
        holder: worker,
        failed: () => this.#fetched(task, undefined, holder),
        opened: (finish) => {
          if (!this.#rng.chance(fetchFailure)) value = workers.get(scheduler.addressOf(worker))?.valueOf(heldAs)
          agenda.in(this.#rng.between(0.1, 10) * slowness, () => {
            if (finish()) this.#fetched(task, value, holder)
          })
        },
      })
      return
    }
    const slowness = slownessOf(this.#world, holder, this.#name)
    agenda.in(this.#rng.between(0.1, 10) * slowness, () => {
      const peer = workers.get(holder)
      const value = this.#rng.chance(fetchFailure) ? undefined : peer?.valueOf(heldAs)
      agenda.in(this.#rng.between(0.1, 10) * slowness, () => {
        // What is long under way is lost with its holder.
        this.#fetched(task, slowness > 1 && peer?.isGone === true ? undefined : value, holder)
      })
    })
  }

  #fetched(task: TaskId, value: StoredValue | undefined, holder: string): void {
    // It may have failed meanwhile: a scattered value was lost with its last holder, or the cluster was restarted. Then it stays
    // that failure, though it was asked for again.
    const future = this.#futures.get(task)
    if (this.#hasLeft || future?.isWanted !== true || future.isFailed === true) return
    if (value !== undefined) {
      this.#settle(task, decodeNumber(value.bytes))
      return
    }
    this.#world.counts.missing++
    this.#connection.send({ type: 'missing', task, holder })
    this.#connection.flush()
  }

  /** It brings a scattered value to the worker, straight or by a relay, or can't. */
  #put({ task, worker: id }: ScatterTo): void {
    const { agenda, workers, fetchFailure, scheduler, counts } = this.#world
    counts.puts++
    agenda.in(this.#rng.between(0.1, 20), () => {
      const number = this.#scattered.get(task)
      if (this.#hasLeft || number === undefined) return
      const worker = this.#rng.chance(fetchFailure) ? undefined : workers.get(scheduler.addressOf(workerId(id)))
      if (worker === undefined) {
        this.#connection.send({ type: 'not-scattered', task, worker: id })
        this.#connection.flush()
      } else {
        worker.put(task, { bytes: encodeNumber(number), sizeBytes: LARGE_BYTES })
      }
    })
  }

  #settle(task: TaskId, number: number): void {
    const future = this.#futures.get(task)
    if (future === undefined) return // Let go while the answer was under way.
    assert(future.isWanted || this.#mayHearAgain(future), `${task} has a value though nobody asked`)
    future.isWanted = false
    this.#world.counts.values++
    this.#checkValue(task, number)
  }

  /** News of runs cross; and who comes back asks again for what the scheduler may be about to tell. */
  #mayHearAgain({ wasRetried }: Future): boolean {
    return wasRetried === true || this.#world.hasCrashes
  }

  #checkValue(task: TaskId, number: number | undefined): void {
    const future = this.#futures.get(task)
    if (future === undefined) return
    future.isOver = true
    this.#checkCommitted(future, VALUE)
    if (future.dataset !== undefined) return this.#checkPublished(future.dataset, number)
    const { outcome, key } = future.description
    if (number === NOTHING) this.#world.counts.skipped++
    if (outcome.mayDiffer && mayFailUnforeseen(this.#world) && (number === undefined || areUnforeseen([number]))) return
    assert.equal(outcome.type, 'value', `${key} finished, and should have failed`)
    if (number !== undefined && outcome.type === 'value')
      assert.equal(number, outcome.number, `${key} has a wrong value`)
  }

  /**
   * An outcome that was told is never another one, unless somebody asked for a retry: a failure stays that failure, and a value
   * that was lost is made again, where nobody cancels that and all that it was made of is there.
   */
  #checkCommitted(future: Future, outcome: string, code = ''): void {
    const { told, wasRetried, isOutOfReach, key } = future
    const { agenda, retrying, operating, scheduler } = this.#world
    const isNewConnection = future.toldOn !== this.#cuts
    const mayBeForgotten = scheduler.mayHaveForgotten(future.toldAtMs ?? 0)
    Object.assign(future, { told: outcome, toldAtMs: agenda.nowMs, toldOn: this.#cuts })
    if (told === undefined || told === outcome || wasRetried === true || mayBeForgotten) return
    // As client/task-array.ts, which does not look at what is told of one that failed.
    if (isOutOfReach === true) return
    // What was made of an input's error is made again of its value, where somebody had the input run again.
    if (future.description.outcome.mayDiffer && retrying + operating > 0) return
    // That it is to run again was said on a connection that broke.
    if (isNewConnection && retrying + operating > 0) return
    const isLost = code === 'ERR_HEDDLE_WORKER_LOST' || code === 'ERR_HEDDLE_TASK_CANCELLED'
    // What runs far too long gives its value where its thread can't be stopped, and is stopped when it runs elsewhere.
    const isStopped = this.#world.hasDeaths && code === 'ERR_HEDDLE_TASK_TIMEOUT'
    assert(told === VALUE && (isLost || isStopped), `${key} was said to be "${told}", and then "${outcome}"`)
  }

  /** Only what runs says how far it is; a value that was lost is made again. */
  #checkReport(task: TaskId, surplus: number): void {
    const { counts, hasDeaths, hasCrashes, retrying, operating } = this.#world
    counts.reports++
    // A scheduler that begins again does not know which attempts had come back unstarted.
    assert(surplus === 0 || hasCrashes, `a report of ${task}, of another run`)
    const future = this.#futures.get(task)
    const mayRunAgain = hasDeaths || hasCrashes || counts.restarts > 0 || retrying + operating > 0
    assert(future?.isOver !== true || mayRunAgain, `${task} says how far it is, and is over`)
  }

  /** It is one of those that were published under the name. */
  #checkPublished(name: string, number: number | undefined): void {
    const candidates = this.#world.published.get(name) ?? []
    const mayDiffer = candidates.some(({ outcome }) => outcome.mayDiffer) && mayFailUnforeseen(this.#world)
    if (mayDiffer && (number === undefined || areUnforeseen([number]))) return
    const values = candidates.flatMap(({ outcome }) => (outcome.type === 'value' ? [outcome.number] : []))
    assert(values.length > 0, `"${name}" has a value, and none was published`)
    assert(number === undefined || values.includes(number), `"${name}" is ${number}, which was never published`)
  }

  #checkNotPublished(name: string, code: string): void {
    if (code === 'ERR_HEDDLE_NO_DATASET') return
    // Only an operator cancels what others published.
    if (code === 'ERR_HEDDLE_TASK_CANCELLED' && this.#world.counts.operated > 0) return
    const candidates = this.#world.published.get(name) ?? []
    assert(
      candidates.some(({ outcome }) => outcome.type === 'failure'),
      `"${name}" failed by ${code}, and so did nothing that was published`,
    )
  }

  #fail(task: TaskId, failure: Failed): void {
    const { error, code, reason, culpritKey, attempt } = failure
    const future = this.#futures.get(task)
    if (future === undefined) return
    future.isWanted = false
    future.isFailed = true
    future.isOver = true
    this.#world.counts.failures++
    // That it stands for nothing may have been told on a connection that broke.
    const isUnknown = code === 'ERR_HEDDLE_UNKNOWN_KEY' || (this.#world.hasCrashes && code === 'ERR_HEDDLE_RELEASED')
    if (future.isAttached && isUnknown) {
      // If the scheduler died after it said so, its successor may find the task when it is asked again, and holds it.
      this.#release([future])
      return
    }
    const thrown = error.length === 0 ? '' : decodeNumber(error)
    if (code === 'ERR_HEDDLE_WORKER_LOST' && reason.includes('could not be fetched')) future.isOutOfReach = true
    this.#checkCommitted(future, `failed by ${culpritKey}: ${code} ${thrown}`, code)
    // What is retried, or attached to, may need a scattered value that was let go; and what others hold may need one whose
    // client has left.
    if (code === 'ERR_HEDDLE_WORKER_LOST') {
      const { hasDeaths, retrying, operating, attaching, leftBehind, letGo, counts } = this.#world
      const wasLetGo = attaching > 0 && letGo.has(taskInKey(culpritKey) ?? taskId(arrayId(0), 0))
      if (hasDeaths || retrying + operating > 0 || wasLetGo || leftBehind.has(culpritKey)) {
        counts.lostTasks++
        return
      }
    }
    if (code === 'ERR_HEDDLE_QUEUE_TIMEOUT' || code === 'ERR_HEDDLE_UNSATISFIABLE') {
      assert(this.#world.hurriedKeys.has(culpritKey), `${culpritKey} had all the time it needs: ${reason}`)
      this.#world.counts.late++
      return
    }
    const wasRestarted = code === 'ERR_HEDDLE_TASK_CANCELLED' && culpritKey === '' && this.#world.counts.restarts > 0
    if (wasRestarted) return
    if (code === 'ERR_HEDDLE_TASK_CANCELLED' && error.length === 0 && this.#world.cancelledKeys.has(culpritKey)) return
    if (code === 'ERR_HEDDLE_TASK_CANCELLED' && error.length === 0) {
      assert(this.#world.stoppingKeys.has(culpritKey), `${culpritKey} may fail as often as it likes: ${reason}`)
      this.#world.counts.stopped++
      return
    }
    if (code === 'ERR_HEDDLE_TASK_CANCELLED') {
      assert(this.#world.cancelledKeys.has(culpritKey), `${future.key} failed by ${culpritKey}, which nobody cancelled`)
      assert.deepEqual(error, CANCELLED)
      return
    }
    if (future.dataset !== undefined) return this.#checkNotPublished(future.dataset, code)
    // A parent whose child was lost three times throws; so does what needs the parent.
    if (error.length > 0 && decodeNumber(error) === CHILD_LOST && this.#world.hasDeaths) {
      this.#world.counts.lostTasks++
      return
    }
    const { outcome, key } = future.description
    if (outcome.mayDiffer && mayFailUnforeseen(this.#world) && isRefusal(failure)) return
    const story = `${key} failed by ${culpritKey}: ${code} ${reason}`
    assert(outcome.type === 'failure', `${story}, and should have a value`)
    const found = isOneOf(outcome.culprits, failure)
    assert(found !== undefined, `${story}, and that is not why it should`)
    assert(attempt >= found.leastAttempt, `${story} after ${attempt} runs, and not ${found.leastAttempt}`)
  }
}

/** The first worker stays, and where that may die those that come last: so that whatever waits can run. */
function mayGo({ name }: { readonly name: string }): boolean {
  return name !== 'worker-0' && !name.startsWith('last-worker')
}

function nameOf(key: string): string {
  return key.slice(0, key.lastIndexOf('-'))
}
