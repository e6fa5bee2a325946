/** What must hold between records, checked after every event in tests and in the simulator. */
import { assert } from '../../common/assert.js'
import { MAX_RELAYS, MAX_RELAYS_PER_MEMBER, MAX_REPLICATED_VALUES } from '../../protocol/limits.js'
import { SKIPPED, type InlinePage } from './data/inline-cache.js'
import { isWithheld } from './clients/client-record.js'
import { workerOf } from './placing/ahead.js'
import { fits, isCapable, isNamed, type Demand } from './placing/demand.js'
import { checkLimit } from './placing/limits.js'
import type { Relocation } from './data/moves.js'
import type { Member } from './data/relays.js'
import type { Stop } from './tasks/cancel.js'
import { saysTheSame } from './tasks/failure-map.js'
import { isNeeded } from './tasks/retention.js'
import { hasRoomToServe } from './data/spread.js'
import type { SchedulerState } from './state.js'
import { HELD } from './tasks/task-array.js'
import { furtherThreadsOf, isPending, takesThread, type Task, type TaskState } from './tasks/task.js'
import type { FunctionStatistics, Template } from './tasks/template.js'
import { hoards, rankOf, slotsToComeOf, type WorkerRecord } from './workers/worker-record.js'

export function checkInvariants(state: SchedulerState): void {
  const tasks = allTasks(state)
  checkTasks(state, tasks)
  checkVictims(state, tasks)
  checkErrors(state, tasks)
  checkLinks(tasks)
  checkWorkers(state, tasks)
  checkDemands(state, tasks)
  checkLimits(state)
  checkRoots(state, tasks)
  checkArrays(state)
  checkCounts(state, tasks)
  checkInline(state, tasks)
  checkRelays(state)
  checkCopying(state)
  checkSpreads(state)
  checkScatters(state, tasks)
  checkStops(state)
  checkNews(state)
  checkRecalls(state)
  checkDatasets(state, tasks)
  checkMoves(state)
  checkLeaving(state)
  checkNestings(state)
  checkMissing(state, tasks)
  for (const task of state.progress.keys()) {
    assert(task.state.type === 'processing', () => `${task.id} is kept as one that reported, and does not run`)
  }
  for (const task of state.streamed) {
    assert(task.template.rules.isStream, () => `${task.id} is no stream, and is kept as one`)
    assert(task.state.type === 'processing', () => `${task.id} is kept as a stream that gave values, and does not run`)
  }
}

/** What somebody needs who is here is not kept from starting for want of a client. */
function checkMissing({ clients, absentClients, missingClients }: SchedulerState, tasks: ReadonlySet<Task>): void {
  for (const client of clients.values()) {
    const isMissing = missingClients.has(client)
    assert(
      isMissing === (client.mayStart !== undefined),
      () => `client ${client.name} is missing, and its work is not known`,
    )
    assert(!isMissing || absentClients.has(client), () => `client ${client.name} is missing, and not absent`)
  }
  if (missingClients.size === 0) return
  for (const task of tasks) {
    if (!isPending(task) || isWithheld(task.array.client, task)) continue
    for (const input of task.inputs) {
      assert(!isWithheld(input.array.client, input), () => `${task.id} may start, and its input ${input.id} may not`)
    }
  }
}

function checkNews({ clients, clientsWithNews }: SchedulerState): void {
  for (const client of clients.values()) {
    const { name, outbox, isDirty } = client
    assert(outbox.hasNews || !clientsWithNews.has(client), () => `client ${name} waits for news that it was told`)
    assert(!outbox.hasNews || isDirty || clientsWithNews.has(client), () => `client ${name} is never told its news`)
  }
  for (const client of clientsWithNews) assert(clients.get(client.id) === client, `news waits for a client that left`)
}

function checkRecalls({ workers, hoarders, recallsUnderWay }: SchedulerState): void {
  let asked = 0
  for (const worker of workers.values()) {
    const { join, recalled, processing, isHoarding } = worker
    for (const [task, answer] of recalled) {
      assert(processing.has(task), () => `${task.id} is asked back from ${join.name}, which has not got it`)
      if (answer === 'asked') asked++
    }
    assert(isHoarding === hoards(worker), () => `worker ${join.name} has other tasks to spare than is known`)
    assert(
      isHoarding === hoarders.has(worker),
      () => `worker ${join.name} is not among those with tasks to spare, or is`,
    )
  }
  for (const worker of hoarders) assert(workers.get(worker.id) === worker, 'a worker that is gone has tasks to spare')
  assert(asked === recallsUnderWay, () => `${asked} tasks are asked back, and ${recallsUnderWay} are counted`)
}

/** Who submits in a task is known while the task runs or is to run again, and no longer. */
function checkNestings(state: SchedulerState): void {
  for (const [id, { parent }] of state.nestings) {
    assert(parent.id === id && isPending(parent), () => `${id} has ended and has children`)
    assert(parent.array.tasks[parent.index] === parent, () => `${id} is gone and has children`)
  }
  for (const array of state.arrays.values()) {
    const { nesting, client } = array
    const isOpen = state.clients.get(client.id) === client
    const isKept = nesting !== undefined && state.nestings.get(nesting.parent.id) === nesting
    const isEnding = nesting !== undefined && state.endedNestings.includes(nesting)
    const isOthers = array.tasks.some((task) => task !== undefined && (task.dependants > 0 || isNeeded(task)))
    assert(isOpen || isKept || isEnding || isOthers, () => `array ${array.id} belongs to nobody`)
  }
}

function allTasks(state: SchedulerState): Set<Task> {
  const tasks = new Set<Task>()
  for (const array of state.arrays.values()) for (const task of array.tasks) if (task !== undefined) tasks.add(task)
  return tasks
}

function checkTasks(state: SchedulerState, tasks: ReadonlySet<Task>): void {
  let delayed = 0
  for (const task of tasks) {
    const { id, state: at } = task
    assert(at.type === 'released' || isNeeded(task), () => `${id} is ${at.type} and nobody needs it`)
    assert(
      at.type !== 'released' || task.dependants > 0,
      () => `${id} is released and has no dependants, but is still there`,
    )
    assert(at.type !== 'released' || !isNeeded(task), () => `${id} is needed and nothing is done about it`)
    assert(task.array.tasks[task.index] === task, () => `${id} is not where it lives`)
    checkProducer(task)
    if (at.type === 'processing') {
      assert(state.workers.get(at.worker.id) === at.worker, () => `${id} is processed by a worker that is gone`)
      assert(at.worker.processing.has(task), () => `${id} is not among the tasks of its worker`)
      assert(task.attempt > 0, () => `${id} is processing without a start`)
    }
    assert(task.hasLeft !== true || workerOf(at) !== undefined, () => `an old value of ${id} is never freed`)
    if (at.type === 'delayed') {
      delayed++
      assert(at.task === task && at.heapPlace >= 0, () => `${id} is delayed, and nobody wakes it`)
      const { condemned } = at
      if (condemned !== undefined) {
        const { incarnation } = condemned.worker.join
        assert(state.condemned.get(incarnation) === condemned, () => `${id} is condemned, and nobody knows of it`)
        assert(condemned.tasks.includes(at), () => `${id} is not among those that fail with its worker`)
      }
    }
    if (at.type === 'waiting') {
      assert(at.missing > 0, () => `${id} waits for nothing`)
      assert(
        at.ahead?.worker.ahead.has(task) !== false,
        () => `${id} was sent ahead, and its worker does not know of it`,
      )
    }
    const maySkip = task.template.rules.onDependencyError === 'skip'
    assert(maySkip || at.type !== 'in-memory' || at.page !== SKIPPED, () => `${id} was skipped, and should have failed`)
    if (at.type === 'in-memory') {
      for (const holder of at.holders)
        assert(state.workers.get(holder.id) === holder, () => `${id} is held by a worker that is gone`)
      const mayComeBack = state.reattachUntilMs !== undefined
      assert(at.holders.length > 0 || at.page?.bytes !== undefined || mayComeBack, () => `${id} is in memory nowhere`)
      assert(new Set(at.holders).size === at.holders.length, () => `${id} is held twice by one worker`)
    }
    assert(task.failures <= task.template.rules.retries.count, () => `${id} failed more often than it may be tried`)
  }
  assert(
    delayed === state.delayed.length,
    () => `${delayed} tasks are delayed, and ${state.delayed.length} are to be woken`,
  )
}

function checkProducer({ id, state: at, inputs, producer, template, array, index }: Task): void {
  if (producer !== undefined) {
    assert(inputs.length === 1 && inputs[0] === producer, () => `output ${id} has other inputs than its producer`)
    assert(
      at.type !== 'ready' && at.type !== 'processing' && at.type !== 'delayed',
      () => `output ${id} is ${at.type}, and would be run`,
    )
  } else if (template.outputs > 0) {
    assert(at.type !== 'in-memory', () => `${id} has outputs, and a value of its own`)
    assert((array.flags[index]! & HELD) === 0, () => `${id} has outputs, and is held itself`)
  }
}

/** Every failed task with inputs is known as a victim of its failure, and nothing else is. */
function checkErrors({ errors }: SchedulerState, tasks: ReadonlySet<Task>): void {
  const counts = new Map<{ readonly failedNow: number }, number>()
  for (const [task, group] of errors.failed) {
    assert(
      task.state.type === 'failed' && tasks.has(task),
      () => `task ${task.id} is said to be failed, and is ${task.state.type}`,
    )
    counts.set(group, (counts.get(group) ?? 0) + 1)
  }
  for (const [group, count] of counts) assert(group.failedNow === count, 'a kind of error counts other failed tasks')
}

function checkVictims({ victims }: SchedulerState, tasks: ReadonlySet<Task>): void {
  let known = 0
  for (const { failure, value: failed } of victims) {
    assert(failed.size > 0, () => `a failure has no victims: ${failure.culpritKey}`)
    for (const task of failed) {
      assert(tasks.has(task), () => `${task.id} is a victim, and gone: ${failure.culpritKey}`)
      assert(
        task.state.type === 'failed' && saysTheSame(task.state.failure, failure),
        () => `${task.id} did not fail for its failure`,
      )
    }
    known += failed.size
  }
  const failed = [...tasks].filter(({ state, inputs }) => state.type === 'failed' && inputs.length > 0)
  assert(
    failed.length === known,
    () => `${known} victims are known, and ${failed.length} tasks failed that have inputs`,
  )
  for (const task of tasks)
    assert(!task.isDetached || isPending(task), () => `${task.id} is detached, and has an outcome`)
}

function checkLinks(tasks: ReadonlySet<Task>): void {
  const dependants = new Map<Task, number>()
  const pending = new Map<Task, number>()
  for (const task of tasks) {
    for (const input of task.inputs) {
      dependants.set(input, (dependants.get(input) ?? 0) + 1)
      if (isPending(task)) pending.set(input, (pending.get(input) ?? 0) + 1)
      assert(tasks.has(input), () => `${task.id} has an input ${input.id} that is gone`)
    }
  }
  checkWaiters(tasks)
  for (const task of tasks) {
    assert(task.dependants === (dependants.get(task) ?? 0), () => `${task.id} counts ${task.dependants} dependants`)
    assert(
      task.pendingDependants === (pending.get(task) ?? 0),
      () => `${task.id} counts ${task.pendingDependants} pending`,
    )
  }
}

/**
 * A waiting task stands in as many lists of waiters as it misses inputs. An input that was lost after the task began to
 * wait does not have it: the task learns of that loss when it would be placed.
 */
function checkWaiters(tasks: ReadonlySet<Task>): void {
  const entries = new Map<Task, number>()
  for (const input of tasks) {
    for (const waiter of input.waiters) {
      if (waiter.state.type !== 'waiting') continue
      assert(isPending(input), () => `${waiter.id} waits for ${input.id}, which is ${input.state.type}`)
      entries.set(waiter, (entries.get(waiter) ?? 0) + 1)
    }
  }
  for (const task of tasks) {
    if (task.state.type !== 'waiting' || task.template.isScattered) continue
    const { missing } = task.state
    const known = entries.get(task) ?? 0
    assert(known === missing, () => `${task.id} waits for ${missing} inputs, and ${known} know of it`)
  }
}

function checkWorkers(state: SchedulerState, tasks: ReadonlySet<Task>): void {
  const staying = [...state.workers.values()].filter(({ isLeaving }) => !isLeaving).length
  const queuedUs = [...state.workers.values()].reduce((sum, worker) => sum + worker.queuedUs, 0)
  assert(
    Math.abs(queuedUs - state.queuedUs) < 1,
    () => `workers have ${queuedUs} us, and ${state.queuedUs} is known of`,
  )
  assert(staying === state.stayingWorkers, () => `${state.stayingWorkers} workers are said to stay, and ${staying} do`)
  assert(state.workersByName.size === state.workers.size, 'a worker that is gone still has its name')
  for (const worker of state.workers.values()) {
    for (const task of worker.processing) {
      assert(tasks.has(task), () => `worker ${worker.id} has a task that is gone`)
      assert(
        task.state.type === 'processing' && task.state.worker === worker,
        () => `${task.id} is not processed by ${worker.id}`,
      )
    }
    for (const task of worker.ahead) {
      assert(
        tasks.has(task) && task.state.type === 'waiting' && task.state.ahead?.worker === worker,
        () => `${task.id} was not sent ahead to ${worker.id}`,
      )
    }
    assert(!worker.isLeaving || worker.ahead.size === 0, () => `worker ${worker.id} leaves, and has tasks ahead`)
    assert(worker.heapPlace >= 0 !== worker.isLeaving, () => `worker ${worker.id} is open and leaving, or neither`)
    assert(worker.isLeaving || worker.rank === rankOf(worker), () => `worker ${worker.id} has the rank of another load`)
    assert(state.workersByName.get(worker.join.name) === worker, () => `worker ${worker.id} is not found by its name`)
    for (const task of worker.suspended)
      assert(worker.processing.has(task), () => `${task.id} is suspended and not run`)
    for (const template of worker.templates) {
      assert(
        template.knownBy.has(worker),
        () => `template ${template.id} does not know that worker ${worker.id} has it`,
      )
    }
    for (const task of worker.patient.keys()) {
      assert(worker.processing.has(task), () => `${task.id} can wait at worker ${worker.id}, and is not there`)
    }
    const { untimed, queuedUs, aheadUs, patient, patientUs } = worker
    assert(Math.min(untimed, queuedUs, aheadUs, patientUs) >= 0, () => `worker ${worker.id} has a negative load`)
    assert(patient.size > 0 || patientUs === 0, () => `worker ${worker.id} has a load of nothing that can wait`)
    assert(worker.ahead.size > 0 || aheadUs === 0, () => `worker ${worker.id} has a load of nothing ahead`)
  }
}

/** What workers have to spare, counted afresh; and nothing is taken that a worker does not have. */
function checkDemands(state: SchedulerState, tasks: ReadonlySet<Task>): void {
  const templates = new Map<Demand, number>()
  for (const template of liveTemplates(state, tasks)) {
    if (template.demand !== undefined) templates.set(template.demand, (templates.get(template.demand) ?? 0) + 1)
  }
  for (const demand of state.demands.values()) {
    assert(
      demand.templates >= (templates.get(demand) ?? 0) && demand.templates > 0,
      () => `demand ${demand.label} is not in use`,
    )
    for (const worker of state.workers.values()) {
      assert(
        demand.capable.has(worker) === isCapable(demand, worker),
        () => `demand ${demand.label} mistakes worker ${worker.id}`,
      )
      if (state.touched.has(worker) || worker.isLeaving) continue
      const isFitting = demand.capable.has(worker) && fits(demand, worker)
      assert(
        demand.fitting.has(worker) === isFitting,
        () => `demand ${demand.label} mistakes what worker ${worker.id} has to spare`,
      )
      const isPreferred = isFitting && demand.needs.allowsOthers && isNamed(demand.needs, worker.join)
      assert(
        demand.preferred.has(worker) === isPreferred,
        () => `demand ${demand.label} mistakes its wish for ${worker.id}`,
      )
    }
    for (const worker of [...demand.capable, ...demand.fitting, ...demand.taken.keys()]) {
      assert(state.workers.get(worker.id) === worker, () => `demand ${demand.label} knows a worker that is gone`)
    }
    const { reserved } = demand
    assert(
      reserved === undefined || reserved.reservedFor === demand,
      () => `demand ${demand.label} has a worker that is another's`,
    )
  }
  for (const worker of state.workers.values()) checkSpare(worker)
}

function checkSpare(worker: WorkerRecord): void {
  const { ioTasks, memoryLimitBytes: memoryBytes } = worker.join
  const free = { ioTasks, memoryBytes, others: new Map<string, number>() }
  for (const { name, thousandths } of worker.join.resources) free.others.set(name, thousandths)
  let extraSlots = 0
  const demands = [...worker.processing].map(({ template }) => template.demand)
  for (const demand of [...demands, ...worker.lingering.values()]) {
    if (demand === undefined) continue
    if (demand.needs.threads === 0) free.ioTasks--
    else extraSlots += demand.needs.threads - 1
    free.memoryBytes -= demand.needs.memoryBytes
    for (const { name, thousandths } of demand.needs.others) {
      free.others.set(name, (free.others.get(name) ?? 0) - thousandths)
    }
  }
  for (const task of worker.suspended) extraSlots -= furtherThreadsOf(task)
  assert(worker.extraSlots === extraSlots, () => `worker ${worker.id} counts ${worker.extraSlots} further threads`)
  const withoutThread = [...worker.processing].filter(
    (task) => !takesThread(task) && !worker.suspended.has(task),
  ).length
  assert(worker.ioTasks === withoutThread, () => `worker ${worker.id} counts ${worker.ioTasks} tasks without a thread`)
  assert(worker.free.ioTasks === free.ioTasks, () => `worker ${worker.id} has other room for I/O tasks than it counts`)
  assert(free.ioTasks >= 0, () => `worker ${worker.id} has more I/O tasks than it takes`)
  assert(
    worker.free.memoryBytes === free.memoryBytes,
    () => `worker ${worker.id} has other memory to spare than it counts`,
  )
  assert(free.memoryBytes >= 0, () => `tasks take more memory than worker ${worker.id} has`)
  for (const [name, thousandths] of worker.free.others) {
    assert(
      free.others.get(name) === thousandths,
      () => `worker ${worker.id} has another amount of ${name} than it counts`,
    )
    assert(thousandths >= 0, () => `tasks take more ${name} than worker ${worker.id} has`)
  }
  const { reservedFor } = worker
  assert(
    reservedFor === undefined || reservedFor.reserved === worker,
    () => `worker ${worker.id} is kept free for nobody`,
  )
  if (extraSlots > 0 && !worker.hasLent) {
    const slots = slotsToComeOf(worker)
    assert(
      slots <= worker.join.threads + worker.lingering.size,
      () => `worker ${worker.id} has tasks for ${slots} threads`,
    )
  }
}

/** Whoever has units of a limit is counted there once: tasks on workers, what lingers of them, and clients. */
function checkLimits(state: SchedulerState): void {
  const taken = new Map<string, number>()
  const add = (name: string, units: number): void => void taken.set(name, (taken.get(name) ?? 0) + units)
  const demands: (Demand | undefined)[] = []
  for (const { processing, lingering } of state.workers.values()) {
    demands.push(...[...processing].map(({ template }) => template.demand), ...lingering.values())
  }
  for (const demand of demands) for (const { name, units } of demand?.needs.limits ?? []) add(name, units)
  for (const client of state.clients.values()) {
    for (const { limit, isGranted } of client.unitRequests.values()) if (isGranted) add(limit.declaration.name, 1)
  }
  for (const [name, limit] of state.limits) {
    checkLimit(limit, limit.declaration.kind === 'rate' ? 0 : (taken.get(name) ?? 0))
    assert(
      limit.reservedFor === undefined || limit.reservedFor.templates > 0,
      () => `"${name}" is kept for a demand that is gone`,
    )
  }
  for (const name of taken.keys())
    assert(state.limits.has(name), () => `units of "${name}" are taken, and it is not there`)
}

function liveTemplates(state: SchedulerState, tasks: ReadonlySet<Task>): Set<Template> {
  const templates = new Set<Template>()
  for (const client of state.clients.values()) for (const template of client.templates.values()) templates.add(template)
  for (const task of tasks) templates.add(task.template)
  return templates
}

/** What decides whether roots are held back. */
function checkRoots(state: SchedulerState, tasks: ReadonlySet<Task>): void {
  let awaitedBytes = 0
  for (const { state: at, pendingDependants } of tasks) {
    if (at.type === 'in-memory' && pendingDependants > 0) awaitedBytes += at.sizeBytes
  }
  assert(
    awaitedBytes === state.awaitedBytes,
    () => `${state.awaitedBytes} bytes are said to be awaited, not ${awaitedBytes}`,
  )
  let consuming = 0
  let memoryLimitBytes = 0
  let threads = 0
  for (const { processing, suspended, isLeaving, join } of state.workers.values()) {
    if (!isLeaving) memoryLimitBytes += join.memoryLimitBytes
    if (!isLeaving) threads += join.threads
    for (const task of processing) if (task.inputs.length > 0 && !suspended.has(task)) consuming++
  }
  assert(consuming === state.consuming, () => `${state.consuming} consumers are counted, not ${consuming}`)
  assert(memoryLimitBytes === state.memoryLimitBytes, 'the memory of all workers is another than is counted')
  assert(threads === state.threads, 'the workers have other threads than are counted')
}

function checkArrays(state: SchedulerState): void {
  for (const array of state.arrays.values()) {
    let live = 0
    for (let index = 0; index < array.flags.length; index++) {
      if ((array.flags[index]! & HELD) !== 0 || array.tasks[index] !== undefined) live++
    }
    assert(live === array.live && live > 0, () => `array ${array.id} counts ${array.live} places and has ${live}`)
    assert(array.client.arrays.has(array), () => `array ${array.id} is unknown to its client`)
  }
}

function checkCounts(state: SchedulerState, tasks: ReadonlySet<Task>): void {
  const counted = new Map<FunctionStatistics, Record<TaskState['type'], number>>()
  const countOf = (statistics: FunctionStatistics): Record<TaskState['type'], number> => {
    let counts = counted.get(statistics)
    if (counts === undefined) {
      counts = { waiting: 0, ready: 0, processing: 0, 'in-memory': 0, failed: 0, released: 0, delayed: 0 }
      counted.set(statistics, counts)
    }
    return counts
  }
  const { kept } = state.records
  assert(kept === tasks.size, () => `${kept} tasks are counted as having a record, and ${tasks.size} have one`)
  for (const task of tasks) countOf(task.template.statistics)[task.state.type]++
  for (const array of state.arrays.values()) {
    for (const { first, count, runs } of array.segments) {
      for (let place = 0; place < count; place++) {
        const index = first + place
        if (array.tasks[index] !== undefined || (array.flags[index]! & HELD) === 0) continue
        const run = runs.find(({ end }) => place < end)
        assert(run !== undefined, () => `array ${array.id} has no template at ${index}`)
        countOf(run.template.statistics).ready++
      }
    }
  }
  const inputs = new Map<FunctionStatistics, number>()
  for (const task of tasks) {
    if (task.producer !== undefined) continue
    const { statistics } = task.template
    inputs.set(statistics, (inputs.get(statistics) ?? 0) + task.inputs.length)
  }
  for (const statistics of state.functions.values()) {
    const linked = [...statistics.inputs.values()]
    assert(
      linked.every((count) => count > 0),
      () => `${statistics.name} takes values of a function of which it takes none`,
    )
    const all = linked.reduce((sum, count) => sum + count, 0)
    assert(all === (inputs.get(statistics) ?? 0), () => `${statistics.name} counts ${all} inputs`)
    const counts = countOf(statistics)
    for (const type of Object.keys(counts) as TaskState['type'][]) {
      assert(
        statistics.tasks[type] === counts[type],
        () => `${statistics.name}: ${statistics.tasks[type]} ${type}, not ${counts[type]}`,
      )
    }
  }
}

function checkCopying(state: SchedulerState): void {
  const serving = new Map<WorkerRecord, number>()
  const receiving = new Map<WorkerRecord, number>()
  for (const [id, copying] of state.copying) {
    assert(copying.size > 0, () => `nobody gets a copy of ${id}, and it is noted`)
    for (const [receiver, { holder }] of copying) {
      assert(state.workers.get(receiver.id) === receiver, () => `a worker that is gone gets a copy of ${id}`)
      assert(
        receiver.copies.receiving.has(id),
        () => `worker ${receiver.id} does not know that it gets a copy of ${id}`,
      )
      receiving.set(receiver, (receiving.get(receiver) ?? 0) + 1)
      serving.set(holder, (serving.get(holder) ?? 0) + 1)
    }
  }
  for (const worker of state.workers.values()) {
    const { copies } = worker
    assert(
      copies.serving.count === (serving.get(worker) ?? 0),
      () => `worker ${worker.id} serves ${copies.serving.count}`,
    )
    assert(
      copies.receiving.size === (receiving.get(worker) ?? 0),
      () => `worker ${worker.id} gets ${copies.receiving.size}`,
    )
  }
}

/** What nobody looks at again for want of an event would stay undone for ever. */
function checkSpreads(state: SchedulerState): void {
  for (const [id, spread] of state.spreads) {
    const { task, scatter, wishes, move } = spread
    assert(task.id === id && state.scatters.get(id) === scatter, () => `the spread of ${id} is of another value`)
    if (state.changedSpreads.has(spread)) continue
    assert(scatter !== undefined || wishes.size > 0 || move !== undefined, () => `nobody wants copies of ${id}`)
    const awaitsValue = scatter === undefined ? isPending(task) : scatter.holders.length === 0
    const isWoken =
      state.copying.has(id) ||
      [...state.workers.values()].some((worker) => {
        const { resting, waiting } = worker.copies
        const willHaveRoom = !hasRoomToServe(worker) || state.holdersWithRoom.has(worker)
        return resting.has(spread) || (waiting.has(spread) && willHaveRoom)
      })
    assert(awaitsValue || isWoken, () => `copies of ${id} are wanted, and nothing will have them made`)
  }
  for (const { id, replications, replicated, absentUntilMs, relays } of state.clients.values()) {
    const asks = replications.size + relays.placed + relays.heldBack.size
    assert(absentUntilMs === Infinity || asks === 0, () => `client ${id} asks for things, and is not there`)
    let open = 0
    for (const replication of replications) {
      open += replication.open.size
      for (const task of replication.open) {
        assert(
          state.spreads.get(task.id)?.wishes.has(replication) === true,
          () => `copies of ${task.id} are wanted, and not noted`,
        )
      }
    }
    assert(
      open === replicated && open <= MAX_REPLICATED_VALUES,
      () => `client ${id} wants ${open} copies, not ${replicated}`,
    )
  }
}

function checkRelays(state: SchedulerState): void {
  const stages = { 'held-back': 0, waiting: 0, offered: 0, open: 0 }
  const placed = new Map<Member['record'], number>()
  for (const [number, { number: own, asker, holder, stage }] of state.relays) {
    stages[stage]++
    if (stage !== 'held-back') placed.set(asker.record, (placed.get(asker.record) ?? 0) + 1)
    assert(number === own, () => `relay ${own} is kept as ${number}`)
    assert(state.workers.get(holder.id) === holder, () => `relay ${number} leads to a worker that is gone`)
    const isThere =
      asker.type === 'client'
        ? state.clients.get(asker.record.id) === asker.record
        : state.workers.get(asker.record.id) === asker.record
    assert(isThere, () => `relay ${number} comes from a member that is gone`)
  }
  const { waiting, offered, open } = stages
  assert(waiting === state.waitingRelays.size, 'relays wait and are not in the queue, or the other way round')
  assert(
    offered + open === state.startedRelays,
    () => `${state.startedRelays} relays are counted, not ${offered + open}`,
  )
  assert(state.startedRelays <= MAX_RELAYS, 'more relays are open than may be')
  let heldBack = 0
  for (const record of [...state.clients.values(), ...state.workers.values()]) {
    const { relays } = record
    heldBack += relays.heldBack.size
    assert(relays.placed === (placed.get(record) ?? 0), () => `a member counts ${relays.placed} relays`)
    assert(relays.placed <= MAX_RELAYS_PER_MEMBER, 'a member has more relays than it may have')
    assert(relays.heldBack.size === 0 || relays.placed === MAX_RELAYS_PER_MEMBER, 'a relay is held back for nothing')
  }
  assert(heldBack === stages['held-back'], 'relays are held back, and their askers do not know')
}

function checkScatters(state: SchedulerState, tasks: ReadonlySet<Task>): void {
  for (const task of tasks) {
    if (!task.template.isScattered) continue
    const { type } = task.state
    assert(type !== 'ready' && type !== 'processing', () => `the scattered value ${task.id} is to run`)
    assert(
      (type === 'waiting') === state.scatters.has(task.id),
      () => `${task.id} is ${type}, and its scatter is not known`,
    )
  }
  for (const [id, scatter] of state.scatters) {
    const { task, target, holders, spread } = scatter
    assert(tasks.has(task) && task.id === id, () => `the scatter ${id} is of a task that is gone`)
    assert(spread.scatter === scatter && state.spreads.get(id) === spread, () => `the scatter ${id} does not spread`)
    for (const worker of target === undefined ? holders : [...holders, target]) {
      assert(state.workers.get(worker.id) === worker, () => `the scatter ${id} goes to a worker that is gone`)
      assert(worker.scatters.has(scatter), () => `worker ${worker.id} does not know of the scatter ${id}`)
    }
    const isHomeless = target === undefined && holders.length === 0
    const isNoted = state.homelessScatters.has(scatter) || state.scattersToPlace.has(scatter)
    assert(!isHomeless || isNoted, () => `the scatter ${id} has no worker, and will get none`)
  }
  for (const worker of state.workers.values()) {
    for (const scatter of worker.scatters) {
      assert(state.scatters.get(scatter.task.id) === scatter, () => `worker ${worker.id} is brought what is let go`)
    }
  }
}

function checkDatasets({ datasets }: SchedulerState, tasks: ReadonlySet<Task>): void {
  const names = new Map<Task, number>()
  for (const task of datasets.values()) names.set(task, (names.get(task) ?? 0) + 1)
  for (const task of names.keys()) assert(tasks.has(task), () => `${task.id} is published and gone`)
  for (const task of tasks) {
    assert(task.publications === (names.get(task) ?? 0), () => `${task.id} counts ${task.publications} names`)
  }
}

function checkMoves({ spreads, workers, rebalance }: SchedulerState): void {
  const relocations = new Set<Relocation>()
  for (const { evacuation } of workers.values()) if (evacuation !== undefined) relocations.add(evacuation)
  if (rebalance !== undefined) relocations.add(rebalance.relocation)
  let count = 0
  for (const { task, move } of spreads.values()) {
    if (move === undefined) continue
    count++
    assert(move.task === task, () => `${task.id} moves as another value`)
    assert(move.relocation.moves.has(move), () => `${task.id} moves, and those who wait for it do not know`)
    assert(relocations.has(move.relocation), () => `${task.id} moves for nobody`)
  }
  for (const { moves } of relocations) count -= moves.size
  assert(count === 0, 'values are said to move that do not')
}

function checkLeaving(state: SchedulerState): void {
  for (const worker of state.workers.values()) {
    const { id, isLeaving, isDismissed, isCutShort, evacuation, processing, keeps } = worker
    assert(isLeaving === state.leaving.has(worker), () => `worker ${id} is leaving, or it is not`)
    assert(
      isLeaving === (evacuation !== undefined),
      () => `worker ${id} is leaving, and its values are not looked after`,
    )
    const mayGo = isLeaving && (isCutShort || processing.size === 0)
    assert(!isDismissed || mayGo, () => `worker ${id} is dismissed, and has work`)
    assert(keeps === undefined || (isLeaving && !isDismissed), () => `worker ${id} keeps a value, and may go`)
  }
  const areThere = (workers: ReadonlySet<WorkerRecord>): boolean =>
    [...workers].every((worker) => state.workers.get(worker.id) === worker)
  assert(areThere(state.leaving), 'a worker that is gone is leaving')
  for (const { client, open } of state.inquiries.values()) {
    assert(open.size > 0 && areThere(open), 'a worker that is gone is to answer')
    const isThere = client === undefined || state.clients.get(client.id) === client
    assert(isThere, 'a client that is gone is to be answered')
  }
  for (const { workers } of state.retirements) {
    assert(workers.size > 0 && areThere(workers), 'workers that are gone are waited for')
  }
  for (const { old, names } of state.restarts) {
    assert(areThere(old), 'workers that are gone are to end')
    assert(old.size > 0 || state.stayingWorkers < names.length, 'all workers are back, and who waits was not told')
  }
}

/** Every question of a client counts the tasks of it that workers have not stopped. */
function checkStops({ workers }: SchedulerState): void {
  const open = new Map<Stop['cancellation'], number>()
  for (const { stopping } of workers.values()) {
    for (const { cancellation } of stopping.values()) open.set(cancellation, (open.get(cancellation) ?? 0) + 1)
  }
  for (const [cancellation, count] of open) {
    assert(
      cancellation.open === count,
      () => `question ${cancellation.request} waits for ${cancellation.open}, not ${count}`,
    )
  }
}

function checkInline(state: SchedulerState, tasks: ReadonlySet<Task>): void {
  const pages = new Map<InlinePage, { live: number; lone: number }>()
  let sizeBytes = 0
  for (const { state: at } of tasks) {
    if (at.type !== 'in-memory' || at.page === undefined || at.page === SKIPPED) continue
    if (!pages.has(at.page)) sizeBytes += at.page.bytes?.length ?? 0
    const counts = pages.get(at.page) ?? { live: 0, lone: 0 }
    pages.set(at.page, counts)
    counts.live++
    if (at.holders.length === 0) counts.lone++
    assert(at.page.live >= counts.live, 'a page counts fewer values than live on it')
  }
  for (const [page, { lone }] of pages) assert(page.lone === lone, 'a page mistakes which of its values no worker has')
  assert(sizeBytes <= state.inline.maxBytes, 'the inline cache has more than it may')
  assert(
    sizeBytes === state.inline.sizeBytes,
    () => `the inline cache counts ${state.inline.sizeBytes} bytes and has ${sizeBytes}`,
  )
}
