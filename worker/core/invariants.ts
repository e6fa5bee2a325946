/** What must hold between the records of a worker: checked after every event in tests and in the simulator. */
import { assert } from '../../common/assert.js'
import { isOpen, runningTask, type Batch } from './batch.js'
import { isOnItsWay, isWanted, OWN_TASK } from './fetch-plan.js'
import { labelOf } from './lending.js'
import { MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'
import type { WorkerState } from './state.js'
import type { Stop } from './stopping.js'
import type { Task } from './task.js'

export function checkInvariants(state: WorkerState): void {
  if (state.link.type === 'closed') return
  checkTasks(state)
  checkFetches(state)
  state.batches.forEach((batch, thread) => {
    if (batch !== undefined) checkBatch(state, batch, thread)
  })
  const { threads, ioTasks } = state.config
  assert(state.batches.length <= threads + ioTasks, () => `${state.batches.length} slots are more than there may be`)
  checkLent(state)
  let sizeBytes = 0
  for (const size of state.held.sizes) sizeBytes += size
  assert(
    sizeBytes === state.held.sizeBytes,
    () => `${sizeBytes} bytes are held and ${state.held.sizeBytes} are counted`,
  )
  checkSpills(state)
  if (state.link.type !== 'absent') return
  assert(state.link.keepsWork || state.tasks.size === 0, 'tasks without a scheduler')
  assert(state.templates.size === 0, 'templates without a scheduler')
}

/** Every large value is counted, once, where it is. */
function checkSpills({ held, spills }: WorkerState): void {
  let count = 0
  const bytes = { memory: 0, spilling: 0, disk: 0, loading: 0 }
  for (const { task, sizeBytes, place, pins } of spills.values) {
    count++
    bytes[place] += sizeBytes
    assert(
      held.sizeOf(task) === sizeBytes,
      () => `${task} is held as ${held.sizeOf(task)} bytes, and planned as ${sizeBytes}`,
    )
    assert(pins >= 0, () => `${task} is unpinned more often than pinned`)
    assert(place !== 'disk' || pins === 0, () => `${task} is in use and on disk`)
  }
  let large = 0
  for (const sizeBytes of held.sizes) if (sizeBytes > MAX_INLINE_RESULT_BYTES) large++
  assert(count === large, () => `${large} large values are held and ${count} are planned`)
  assert(bytes.disk === spills.diskBytes, () => `${bytes.disk} bytes are on disk and ${spills.diskBytes} are counted`)
  assert(bytes.spilling === spills.spillingBytes, 'bytes that are being spilled are miscounted')
  assert(bytes.loading === spills.loadingBytes, 'bytes that are being loaded are miscounted')
  assert(bytes.disk + bytes.spilling + bytes.loading === spills.fileBytes, 'bytes of files are miscounted')
}

function checkTasks(state: WorkerState): void {
  let readyCount = 0
  for (const [id, task] of state.tasks) {
    assert(task.task === id, () => `task ${task.task} is kept as ${id}`)
    switch (task.state.type) {
      case 'waiting':
        assert(task.state.missing.size > 0, () => `task ${id} waits for nothing`)
        for (const input of task.state.missing) {
          assert(
            !state.held.has(input) || state.spills.isAway(input),
            () => `task ${id} waits for ${input}, which is here`,
          )
          assert(
            state.fetches.find(input)?.waiters.has(task) === true,
            () => `task ${id} waits for ${input}, which nobody fetches`,
          )
        }
        break
      case 'ready':
        readyCount++
        break
      case 'batched':
        assert(state.batches[task.state.batch.thread] === task.state.batch, () => `task ${id} is in a batch that ended`)
        break
      case 'lent':
        assert(state.lent.get(labelOf(id, task.attempt)) === task, () => `task ${id} is lent, and not known to be`)
        assert(task.state.isWanted, () => `task ${id} is known and not wanted`)
        break
      case 'abandoned':
      case 'gone':
        assert(false, () => `task ${id} is ${task.state.type} and still known`)
    }
    if (state.link.type === 'leaving') assert(isRunning(task), () => `task ${id} is kept by a worker that leaves`)
  }
  const queued = state.ready.length + state.ioReady.length
  assert(readyCount === queued, () => `${readyCount} tasks are ready and ${queued} are queued`)
}

function isRunning({ state }: Task): boolean {
  return state.type === 'batched' || state.type === 'lent'
}

function checkLent({ lent, tasks }: WorkerState): void {
  for (const [label, task] of lent) {
    assert(
      label === labelOf(task.task, task.attempt) && task.state.type === 'lent',
      () => `${label} is kept as lent, and is not`,
    )
    assert((tasks.get(task.task) === task) === task.state.isWanted, () => `${label} is lent, and its outcome mistaken`)
  }
}

function checkFetches(state: WorkerState): void {
  const { planned } = state.fetches
  let askedBytes = 0
  for (const fetch of state.fetches.all) {
    const { input, waiters, asked, holders } = fetch
    if (isOnItsWay(fetch)) askedBytes += fetch.sizeBytes
    assert(state.fetches.own.has(fetch) === (asked === OWN_TASK), () => `the fetch of ${input} mistakes who makes it`)
    assert(planned.has(fetch) === (asked === undefined), () => `the fetch of ${input} is planned and asked for`)
    if (asked === undefined)
      assert(isWanted(fetch) && holders.length > 0, () => `the fetch of ${input} is planned for nothing`)
    for (const task of waiters) {
      assert(state.tasks.get(task.task) === task, () => `task ${task.task} is gone and waits for ${input}`)
      assert(
        task.state.type === 'waiting' && task.state.missing.has(input),
        () => `task ${task.task} has ${input} already`,
      )
    }
  }
  assert(
    askedBytes === state.fetches.askedBytes,
    () => `${askedBytes} bytes are asked for, not ${state.fetches.askedBytes}`,
  )
}

function checkBatch(state: WorkerState, batch: Batch, thread: number): void {
  const isBehindThreads = thread >= state.config.threads
  for (const { template } of batch.tasks) {
    assert(template.isIo === isBehindThreads, () => `slot ${thread} has a task that belongs elsewhere`)
  }
  assert(!isBehindThreads || batch.tasks.length === 1, () => `slot ${thread} has several tasks, and is for one`)
  assert(batch.thread === thread, () => `the batch of thread ${batch.thread} is kept as that of ${thread}`)
  for (const maker of batch.makers ?? [])
    assert(
      batch.tasks.some(({ task }) => task === maker),
      () => `thread ${thread}: ${maker} is to make an input elsewhere`,
    )
  let open = 0
  let abandoned = 0
  batch.tasks.forEach((task, place) => {
    const isOurs = isOpen(task.state) && task.state.batch === batch
    if (!isOurs) return
    assert(place < batch.end, () => `task ${task.task} was cut from thread ${thread} and is still there`)
    open++
    if (task.state.type === 'abandoned') abandoned++
    else assert(state.tasks.get(task.task) === task, () => `task ${task.task} is gone and not abandoned`)
  })
  assert(open === batch.open, () => `thread ${thread}: ${open} tasks are open and ${batch.open} are counted`)
  const { stopping, stops = new Map<Task, Stop>() } = batch
  for (const task of stops.keys())
    assert(batch.tasks.includes(task), () => `task ${task.task} is stopped in another's batch`)
  assert(
    stopping === undefined || stops.has(stopping.task),
    () => `thread ${thread} stops a task that nobody wants stopped`,
  )
  assert(
    stopping === undefined || batch.tail === 'cut',
    () => `thread ${thread} may start more while its task is stopped`,
  )
  const isWatched = batch.lookAtMs < Infinity || batch.lookingAt !== undefined
  assert(batch.isTimed || !isWatched, () => `thread ${thread} is watched, and none of its tasks has a time-out`)
  const running = runningTask(batch)
  const isTimed = running?.state.type === 'batched' && running.template.timeoutMs > 0
  assert(isWatched || !isTimed, () => `task ${running?.task} has a time-out, and nobody watches it`)
  assert(
    abandoned === batch.abandoned,
    () => `thread ${thread}: ${abandoned} tasks are abandoned, not ${batch.abandoned}`,
  )
}
