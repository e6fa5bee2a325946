/** The worker's own process, as a nanny starts it. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { suite, test } from 'node:test'
import { Child } from '../../common/node/child-process.js'
import { HeddleError } from '../../protocol/errors.js'
import { arrayId, taskId } from '../../protocol/ids.js'
import { decodeValue } from '../../protocol/values/decode.js'
import type { WorkerProcessOptions } from '../../worker/nanny.js'
import { WORKER_NICENESS } from '../../worker/niceness.js'
import { eventually } from '../support/eventually.js'
import { allGone } from '../support/processes.js'
import { FakeScheduler, runTasks } from './fake-scheduler.js'

const ENTRY = new URL('../../worker/main.js', import.meta.url)
const TOKEN = 'a-very-secret-token'
const MIB = 2 ** 20

function startProcess(scheduler: FakeScheduler, given: Partial<WorkerProcessOptions> = {}): Child {
  const options: WorkerProcessOptions = {
    schedulerUrl: scheduler.url,
    token: TOKEN,
    name: 'w',
    incarnation: 'i',
    threads: 1,
    logLevel: 'error',
    logFormat: 'text',
    ...given,
  }
  return new Child({ entry: ENTRY, env: { HEDDLE_WORKER_OPTIONS: JSON.stringify(options), HEDDLE_TOKEN: TOKEN } })
}

suite('a worker process', { timeout: 180_000 }, () => {
  test('reports that it joined, shows no secret to tasks, and leaves on SIGTERM', async () => {
    await using scheduler = await FakeScheduler.start({ token: TOKEN })
    const child = startProcess(scheduler)
    try {
      await child.ready
      const session = await scheduler.worker(1)
      assert.equal(session.join.pid, child.pid)
      const id = taskId(arrayId(1), 0)
      session.send(
        runTasks(
          session.define(() => JSON.stringify(process.env)),
          [id],
          [[]],
        ),
      )
      const environment = String(decodeValue((await session.finished([id])).get(id)!.bytes))
      assert.match(environment, /"PATH"/)
      assert.ok(!environment.includes(TOKEN) && !environment.includes('HEDDLE_WORKER_OPTIONS'))
      child.signal('SIGTERM')
      await session.hear('leaving')
      session.send({ type: 'farewell' })
      const { code, failure } = await child.exited
      assert.deepEqual([code, failure], [0, undefined])
    } finally {
      child.kill()
    }
  })

  test('gives way to others, by itself and as a session, as do its threads', async () => {
    await using scheduler = await FakeScheduler.start({ token: TOKEN })
    // Two at once: Linux lets them do so one after another.
    const children = [startProcess(scheduler), startProcess(scheduler, { name: 'v' })]
    try {
      for (const child of children) {
        await child.ready
        const niceness = Math.max(WORKER_NICENESS, getPriority())
        assert.equal(getPriority(child.pid), niceness)
        const file = `/proc/${child.pid}/autogroup`
        if (!existsSync(file)) continue
        const expected = ` nice ${niceness}\n`
        await eventually('its session gives way', () => readFileSync(file, 'latin1').endsWith(expected))
      }
      const session = await scheduler.worker(1)
      const id = taskId(arrayId(1), 0)
      session.send(
        runTasks(
          session.define(async () => {
            const { getPriority } = await import('node:os')
            return getPriority()
          }),
          [id],
          [[]],
        ),
      )
      assert.equal(decodeValue((await session.finished([id])).get(id)!.bytes), getPriority(children[0]!.pid))
    } finally {
      for (const child of children) child.kill()
    }
  })

  test('that no scheduler will take says why, and exits with 1', async () => {
    const refuse = new HeddleError('ERR_HEDDLE_NAME_IN_USE', 'Somebody is called "w" already.')
    await using scheduler = await FakeScheduler.start({ refuse })
    const { code, failure } = await startProcess(scheduler).exited
    assert.deepEqual([code, failure], [1, { code: refuse.code, message: refuse.message }])
  })

  test('that tasks left full ends, so that its nanny starts another', async () => {
    await using scheduler = await FakeScheduler.start({ token: TOKEN })
    const child = startProcess(scheduler, { memoryLimitBytes: 64 * MIB, maxPauseMs: 50 })
    try {
      const session = await scheduler.worker(1)
      const leak = session.define((bytes: number) => {
        Object.assign(globalThis, { ['leak' + bytes]: Buffer.alloc(bytes, 1) })
      })
      session.send(runTasks(leak, [taskId(arrayId(1), 0)], [[320 * MIB]]))
      await eventually('it is paused', () => session.all('pulse').at(-1)?.pausedBy === 'process')
      session.send(runTasks(leak, [taskId(arrayId(1), 1)], [[0]]))
      await session.hear('leaving')
      session.send({ type: 'farewell' })
      const { code, failure } = await child.exited
      assert.deepEqual([code, failure], [1, undefined])
    } finally {
      child.kill()
    }
  })

  test('that its nanny takes for too large tells the scheduler why it ends', async () => {
    await using scheduler = await FakeScheduler.start({ token: TOKEN })
    const child = startProcess(scheduler)
    try {
      await child.ready
      const session = await scheduler.worker(1)
      child.tell({ type: 'out-of-memory', reason: 'It took too much.' })
      await eventually('it says goodbye', () => session.closed !== undefined)
      assert.deepEqual(session.closed, { code: 'ERR_HEDDLE_OUT_OF_MEMORY', message: 'It took too much.' })
      assert.deepEqual([(await child.exited).code, (await child.exited).failure], [1, undefined])
    } finally {
      child.kill()
    }
  })

  test('that still waits for a scheduler ends on SIGTERM', async () => {
    const scheduler = await FakeScheduler.start()
    const child = startProcess(scheduler)
    await child.ready
    await scheduler[Symbol.asyncDispose]()
    child.signal('SIGTERM')
    assert.equal((await child.exited).code, 0)
    await allGone([child.pid!])
  })
})
