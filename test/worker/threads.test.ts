/** Batches in real threads: order, outcomes, and what tasks can do wrong. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { HeddleError, NotSerializableError } from '../../protocol/errors.js'
import { arrayId, generatedKey, taskId } from '../../protocol/ids.js'
import { MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'
import type * as TaskModule from '../../worker/thread/task.js'
import { InlinePool } from '../../worker/inline-pool.js'
import { decodeValue } from '../../protocol/values/decode.js'
import { encodeError, encodeValue } from '../../protocol/values/encode.js'
import { registerType } from '../../protocol/values/register.js'
import { eventually } from '../support/eventually.js'
import { errorAt, Future, PoolHarness, task, tasksOf, valuesOf, WORKER } from './pool-harness.js'

const TASK_MODULE = new URL('../../worker/thread/task.js', import.meta.url).href
const places = (count: number): number[][] => Array.from({ length: count }, (_, place) => [place])

const SHARED = taskId(arrayId(9), 99)

/** Numbers that the test and the tasks that get `SHARED` see in the same memory. */
function sharedInts({ store }: PoolHarness): Int32Array {
  store.put(SHARED, encodeValue(new Int32Array(2 ** 18), { path: 'result', shared: true }))
  return decodeValue(store.get(SHARED)!, { shared: true }) as Int32Array
}

suite('a thread', { timeout: 60_000 }, () => {
  test('runs the tasks of a batch in their order, each with its own arguments', async () => {
    await using threads = await PoolHarness.start()
    const batch = await threads.run((n: number) => n * 2, places(1000))
    assert.deepEqual(
      valuesOf(batch),
      places(1000).map(([n]) => n! * 2),
    )
    assert.deepEqual(
      batch.outcomes.map(({ place }) => place),
      places(1000).flat(),
    )
    assert.deepEqual([batch.firstUnstarted, batch.culprit], [1000, undefined])
  })

  test('awaits what a task promises before it starts the next', async () => {
    await using threads = await PoolHarness.start()
    const batch = await threads.run(async (n: number) => {
      const log = ((globalThis as { log?: number[] }).log ??= [])
      log.push(n)
      await new Promise((resolve) => setImmediate(resolve))
      log.push(n)
      return [...log]
    }, places(3))
    assert.deepEqual(valuesOf(batch).at(-1), [0, 0, 1, 1, 2, 2])
  })

  test('passes the values of inputs in place of futures, a private copy to each task, and constants behind', async () => {
    await using threads = await PoolHarness.start()
    const [a, b] = [taskId(arrayId(9), 0), taskId(arrayId(9), 1)]
    threads.store.put(a, encodeValue([1, 2], { path: 'result' }))
    threads.store.put(b, encodeValue('b', { path: 'result' }))
    const run = (list: number[], nested: { deep: unknown[] }, constant: unknown[]): unknown[] => {
      list.push(3)
      return [list, nested, constant]
    }
    const batch = await threads.run(
      run,
      [
        [new Future(a), { deep: [new Future(b)] }],
        [new Future(a), { deep: [] }],
      ],
      {
        constants: [[new Future(b), 'c']],
      },
    )
    assert.deepEqual(valuesOf(batch), [
      [[1, 2, 3], { deep: ['b'] }, ['b', 'c']],
      [[1, 2, 3], { deep: [] }, ['b', 'c']],
    ])
  })

  test('passes the errors of inputs that failed, beside values, where a task takes errors', async () => {
    await using threads = await PoolHarness.start()
    const [good, bad, odd, lost] = [0, 1, 2, 3].map((index) => taskId(arrayId(9), index))
    threads.store.put(good!, encodeValue([1, 2], { path: 'result' }))
    const run = (...inputs: unknown[]): unknown[] =>
      inputs.flat().map((input) => {
        if (!(input instanceof Error)) return input
        const { name, message, cause, worker, attempt, taskKey } = input as Error & Record<string, unknown>
        return [name, message, cause, worker, attempt, taskKey]
      })
    const template = await threads.template(run)
    const [task] = tasksOf(template, [[new Future(good!), [new Future(bad!), new Future(odd!)], new Future(lost!)]])
    const where = { worker: 'w2', attempt: 3, culpritKey: 'f-1', death: undefined }
    const none = { code: '', reason: '' }
    const failures = new Map([
      [bad!, { error: encodeError(new RangeError('no ones', { cause: 7 })), ...none, ...where }],
      [odd!, { error: encodeError('a text'), ...none, ...where }],
      [lost!, { error: new Uint8Array(0), code: 'ERR_HEDDLE_WORKER_LOST', reason: 'it died', ...where, worker: '' }],
    ])
    const batch = await threads.runTasks([{ ...task!, failures }])
    assert.deepEqual(valuesOf(batch), [
      [
        1,
        2,
        ['RangeError', 'no ones', 7, 'w2', 3, 'f-1'],
        ['Error', 'Task f-1 threw something that is no Error; it is the cause of this one.', 'a text', 'w2', 3, 'f-1'],
        ['WorkerLostError', 'it died', undefined, undefined, undefined, 'f-1'],
      ],
    ])
  })

  test('shows large inputs in place, without a copy', async () => {
    await using threads = await PoolHarness.start()
    const input = taskId(arrayId(9), 0)
    threads.store.put(input, encodeValue(new Float64Array(2 ** 18).fill(1.5), { path: 'result', shared: true }))
    const run = (numbers: Float64Array): unknown[] => [
      numbers.buffer instanceof SharedArrayBuffer,
      numbers.length,
      numbers[7],
    ]
    assert.deepEqual(valuesOf(await threads.run(run, [[new Future(input)]])), [[true, 2 ** 18, 1.5]])
  })

  test('makes what a task throws its outcome, and runs the others', async () => {
    await using threads = await PoolHarness.start()
    const batch = await threads.run((n: number) => {
      if (n === 1) throw new RangeError('no ones', { cause: { n } })
      if (n === 2) return Promise.reject(new Error('late'))
      if (n === 3) throw 'a string'
      return n
    }, places(5))
    const [first, , , , last] = batch.outcomes
    assert.deepEqual(
      [first, last],
      [
        { place: 0, value: 0 },
        { place: 4, value: 4 },
      ],
    )
    const error = errorAt(batch, 1)
    assert.ok(error instanceof RangeError)
    assert.deepEqual([error.message, error.cause], ['no ones', { n: 1 }])
    assert.match(error.stack ?? '', /[0-9a-f]{64}\.mjs:\d+:/)
    assert.match(String(errorAt(batch, 2)), /late/)
    assert.equal(errorAt(batch, 3), 'a string')
  })

  test('fails a task whose result cannot be sent, naming the path to what cannot', async () => {
    await using threads = await PoolHarness.start()
    const error = errorAt(await threads.run(() => ({ rows: [{ parse: () => 1 }] }), [[]]), 0)
    assert.ok(error instanceof NotSerializableError)
    assert.equal(error.path, 'result.rows[0].parse')
  })

  test('fails a task whose argument cannot be decoded, saying why, and runs the others', async () => {
    class Unknown {}
    registerType(Unknown, { name: 'test/Unknown', encode: () => 1, decode: () => new Unknown() })
    await using threads = await PoolHarness.start()
    const batch = await threads.run((x: unknown) => typeof x, [[1], [[new Unknown()]], [2]])
    const error = errorAt(batch, 1) as HeddleError
    assert.equal(error.code, 'ERR_HEDDLE_NOT_SERIALIZABLE')
    assert.match(error.message, /"test\/Unknown"/)
    assert.deepEqual(
      [batch.outcomes[0], batch.outcomes[2]],
      [0, 2].map((place) => ({ place, value: 'number' })),
    )
  })

  test('fails the tasks whose code cannot be loaded, and no others', async () => {
    await using threads = await PoolHarness.start()
    const good = await threads.template((n: number) => n)
    const bad = { ...good, exportName: 'missing' }
    const [first, second, third] = tasksOf(good, places(3))
    const batch = await threads.runTasks([first!, { ...second!, template: bad }, third!])
    const error = errorAt(batch, 1)
    assert.ok(error instanceof HeddleError)
    assert.equal(error.code, 'ERR_HEDDLE_MODULE')
    assert.deepEqual(
      batch.outcomes.map(({ place }) => place),
      [0, 1, 2],
    )
  })

  test('ends the batch after a result too large for the lane, which comes along in shared memory', async () => {
    await using threads = await PoolHarness.start()
    const run = (n: number): Uint8Array => new Uint8Array(n === 1 ? 200_000 : 10).fill(n)
    const batch = await threads.run(run, places(4))
    assert.deepEqual(
      batch.outcomes.map(({ place }) => place),
      [0, 1],
    )
    assert.equal(batch.firstUnstarted, 2)
    assert.ok(batch.end.type === 'replied' && batch.end.reply.large?.values[0]?.buffer instanceof SharedArrayBuffer)
    assert.deepEqual(valuesOf(batch)[1], new Uint8Array(200_000).fill(1))
  })

  test('ends the batch when the lane is full', async () => {
    await using threads = await PoolHarness.start()
    const batch = await threads.run(() => 'x'.repeat(60_000), places(40))
    assert.ok(batch.firstUnstarted > 4 && batch.firstUnstarted < 40)
    assert.equal(batch.outcomes.length, batch.firstUnstarted)
  })

  for (const { what, ms } of [
    { what: 'while it runs, so that results do not wait for a slow task behind them', ms: 20 },
    // As long as a task must be at least, and shorter than what a batch rings for by itself.
    { what: 'behind a long task, so that its result does not wait for the next', ms: 6 },
  ])
    test(`rings ${what}`, async () => {
      await using threads = await PoolHarness.start()
      const gate = sharedInts(threads)
      // The second task goes on only once the first one's result was read.
      threads.onDoorbell = () => {
        Atomics.store(gate, 0, 1)
        Atomics.notify(gate, 0)
      }
      const run = (longMs: number, ints: Int32Array): string => {
        if (longMs === 0) return Atomics.wait(ints, 0, 0, 60_000)
        const startedAtMs = performance.now()
        while (performance.now() - startedAtMs < longMs);
        return 'told'
      }
      const batch = await threads.run(run, [
        [ms, new Future(SHARED)],
        [0, new Future(SHARED)],
      ])
      assert.equal(valuesOf(batch)[0], 'told')
      assert.ok(threads.messages.some(({ type }) => type === 'doorbell'))
    })

  test('hands on what a task gave to those behind it that need it, a copy to each', async () => {
    await using threads = await PoolHarness.start()
    const run = (n: number, ...lists: number[][]): number[] => {
      for (const list of lists) list.push(0)
      return [n, ...lists.flat()]
    }
    const [first, second] = [new Future(task(0)), new Future(task(1))]
    const batch = await threads.run(run, [[1], [2, first], [3, first, second], [4]], {
      makers: new Set([task(0), task(1)]),
    })
    assert.deepEqual(valuesOf(batch), [[1], [2, 1, 0], [3, 1, 0, 2, 1, 0, 0], [4]])
  })

  test('ends its batch before a task that needs what failed, or what is too large to be handed on', async () => {
    await using threads = await PoolHarness.start()
    const run = (size: number, ..._inputs: unknown[]): string => {
      if (size < 0) throw new Error('no value')
      return 'x'.repeat(size)
    }
    for (const size of [-1, MAX_INLINE_RESULT_BYTES]) {
      const batch = await threads.run(run, [[size], [1, new Future(task(0))], [1]], { makers: new Set([task(0)]) })
      assert.equal(batch.firstUnstarted, 1)
      assert.equal(batch.outcomes.length, 1)
    }
  })

  test('rings behind tasks that are wanted, and behind every one once it is to hurry', async () => {
    await using threads = await PoolHarness.start()
    const gate = sharedInts(threads)
    let rings = 0
    // A task goes on only once the outcome of the one before it was told of.
    threads.onDoorbell = (thread) => {
      threads.lanes[thread]!.hurry()
      const ring = ++rings
      // Once the lane was read: what ends before that is read with it, and rings no more.
      setImmediate(() => {
        Atomics.store(gate, 0, ring)
        Atomics.notify(gate, 0)
      })
    }
    const run = (ring: number, ints: Int32Array): string => {
      while (Atomics.load(ints, 0) < ring) if (Atomics.wait(ints, 0, ring - 1, 60_000) === 'timed-out') return 'late'
      return 'told'
    }
    const batch = await threads.run(
      run,
      [0, 0, 1, 2].map((ring) => [ring, new Future(SHARED)]),
      { wanted: [1] },
    )
    assert.deepEqual(valuesOf(batch), ['told', 'told', 'told', 'told'])
    assert.equal(rings, 2)
  })

  test('rings behind no task of a batch that can be told together, but for errors and what is wanted', async () => {
    await using threads = await PoolHarness.start()
    const run = (longMs: number, isBad: boolean): void => {
      const startedAtMs = performance.now()
      while (performance.now() - startedAtMs < longMs);
      if (isBad) throw new Error('bad')
    }
    const rings = async (bad: number, wanted: number[]): Promise<number> => {
      threads.messages.length = 0
      const lists = [0, 1, 2, 3].map((place) => [20, place === bad])
      await threads.run(run, lists, { isPatient: true, wanted })
      return threads.messages.filter(({ type }) => type === 'doorbell').length
    }
    assert.deepEqual([await rings(-1, []), await rings(-1, [1]), await rings(1, [])], [0, 1, 1])
  })

  test('does not start what was taken back', async () => {
    await using threads = await PoolHarness.start()
    let cutAt: number | undefined
    threads.onDoorbell = () => (cutAt ??= threads.lanes[0]!.takeBack(100_000))
    const batch = await threads.run((n: number) => n, places(100_000))
    assert.equal(batch.firstUnstarted, cutAt)
    assert.ok(batch.firstUnstarted < 100_000)
    assert.equal(batch.outcomes.length, batch.firstUnstarted)
  })

  test('tells a task who it is, and nobody else', async () => {
    await using threads = await PoolHarness.start()
    const run = async function whoAmI(url: string): Promise<unknown> {
      const { task: self } = (await import(url)) as typeof TaskModule
      await new Promise((resolve) => setImmediate(resolve))
      return { key: self.key, name: self.name, attempt: self.attempt, worker: self.worker }
    }
    const batch = await threads.run(run, [[TASK_MODULE], [TASK_MODULE]], { keys: ['mine'] })
    const common = { name: 'run', attempt: 1, worker: WORKER }
    const name = run.name
    assert.deepEqual(valuesOf(batch), [
      { ...common, name, key: 'mine' },
      { ...common, name, key: generatedKey(name, task(1)) },
    ])
    const { task: outside } = await import('../../worker/thread/task.js')
    assert.throws(() => outside.key, { code: 'ERR_HEDDLE_OUTSIDE_TASK' })
  })
})

suite('what a task prints', { timeout: 60_000 }, () => {
  test('comes at once, with its key and level', async () => {
    await using threads = await PoolHarness.start()
    const run = (n: number): void => {
      console.log('line %d', n, { n })
      console.warn('careful')
      console.error(new Error('bad').message)
      console.group('group')
      console.info('inside')
      console.groupEnd()
    }
    await threads.run(run, [[1]], { keys: ['k'] })
    assert.deepEqual(await threads.printed(5), [
      'info k: line 1 { n: 1 }',
      'warn k: careful',
      'error k: bad',
      'info k: group',
      'info k:   inside',
    ])
  })

  test('is cut short and counted when it is too much', async () => {
    await using threads = await PoolHarness.start()
    await threads.run(() => {
      console.log('x'.repeat(100_000))
      for (let i = 0; i < 50_000; i++) console.log(i)
    }, [[]])
    const [first] = await threads.printed(1)
    assert.ok(first!.length < 10_000 && first!.endsWith('more characters'))
    await threads.pool.close() // Every line has come then.
    assert.ok(threads.lines.length <= 3_000)
  })

  test('includes errors that it left behind, and the thread lives on', async () => {
    await using threads = await PoolHarness.start()
    const leave = (): void => {
      void Promise.reject(new Error('left behind'))
      setImmediate(() => {
        throw new Error('thrown behind')
      })
    }
    await threads.run(leave, [[]])
    await eventually('both are told', () => threads.lines.filter((line) => line.includes('behind')).length === 2)
    const stay = async (): Promise<void> => {
      setImmediate(() => {
        throw new Error('thrown in time')
      })
      await new Promise(() => undefined)
    }
    assert.match(String(errorAt(await threads.run(stay, [[]]), 0)), /thrown in time/)
    assert.deepEqual(valuesOf(await threads.run(() => 1, [[]])), [1])
    assert.deepEqual(threads.errors, [])
  })
})

suite('what a task leaves behind', { timeout: 60_000 }, () => {
  type Scene = { waiting?: (text: string) => void; ticks: number }

  /** Ticks on when its task has ended; throws once while another task waits, and lets that go on with its next tick. */
  const leaveTimer = (): void => {
    const scene = globalThis as unknown as Scene
    scene.ticks = 0
    let hasThrown = false
    setInterval(() => {
      scene.ticks++
      if (scene.waiting === undefined) return
      if (!hasThrown) {
        hasThrown = true
        throw new Error('thrown behind')
      }
      scene.waiting('undisturbed')
    }, 1)
  }
  const waitForTimer = (): Promise<string> => new Promise((resolve) => Object.assign(globalThis, { waiting: resolve }))

  test('is not blamed on the next task, told apart or not, and ends with the pool', async () => {
    await using threads = await PoolHarness.start()
    await threads.run(leaveTimer, [[]])
    const batch = await threads.run(waitForTimer, [[]])
    assert.deepEqual([valuesOf(batch), batch.end.type], [['undisturbed'], 'replied'])
    await eventually('it is told', () =>
      threads.lines.some((line) => /^error -: An exception was thrown after its task.*thrown behind/.test(line)),
    )
    const ticks = (): number => (globalThis as unknown as Scene).ticks
    const [before] = valuesOf(await threads.run(ticks, [[]]))
    assert.ok(Number(before) > 0)
    await threads.pool.close()
    assert.deepEqual(threads.errors, [])
  })

  test('is told with the key of its task, once tasks are told apart', async () => {
    await using threads = await PoolHarness.start()
    const load = async (url: string): Promise<void> => void (await import(url))
    await threads.run(load, [[TASK_MODULE]])
    await threads.run(leaveTimer, [[]], { keys: ['ticker'] })
    assert.deepEqual(valuesOf(await threads.run(waitForTimer, [[]], { keys: ['waiter'] })), ['undisturbed'])
    await eventually('it is told', () =>
      threads.lines.some((line) => line.startsWith('error ticker: An exception was thrown')),
    )
  })

  test('though a later task of its batch waits', async () => {
    await using threads = await PoolHarness.start()
    const run = async (n: number): Promise<string> => {
      const scene = globalThis as unknown as Scene
      if (n === 1) return new Promise((resolve) => (scene.waiting = resolve))
      let hasThrown = false
      setInterval(() => {
        if (scene.waiting === undefined) return
        if (hasThrown) return scene.waiting('undisturbed')
        hasThrown = true
        throw new Error('thrown behind')
      }, 1)
      await new Promise((resolve) => setImmediate(resolve))
      return 'left'
    }
    assert.deepEqual(valuesOf(await threads.run(run, places(2))), ['left', 'undisturbed'])
  })
})

suite('a thread that dies', { timeout: 60_000 }, () => {
  test('by process.exit() tells the code and the task, and earlier outcomes are kept', async () => {
    await using threads = await PoolHarness.start()
    const batch = await threads.run((n: number) => {
      if (n === 2) process.exit(3)
      return n
    }, places(5))
    assert.deepEqual(valuesOf(batch), [0, 1])
    assert.ok(batch.end.type === 'exited')
    assert.deepEqual([batch.end.exitCode, batch.culprit, batch.firstUnstarted], [3, 2, 3])
    assert.deepEqual(valuesOf(await threads.run(() => 'alive', [[]])), ['alive'])
  })

  test('because it has loaded very much code loses no outcome, and blames no task', async () => {
    await using threads = await PoolHarness.start()
    const sources = Array.from({ length: 1001 }, (_, n) => Object.assign(() => n, { toString: () => `() => ${n}` }))
    const templates = await Promise.all(sources.map((run) => threads.template(run)))
    const batch = await threads.runTasks(
      templates.map((template, place) => ({ ...tasksOf(template, [[]])[0]!, task: task(place) })),
    )
    assert.deepEqual(
      valuesOf(batch),
      sources.map((run) => run()),
    )
    assert.deepEqual([batch.end.type, batch.culprit], ['exited', undefined])
    const next = await threads.run(() => 'alive', [[]])
    assert.deepEqual([next.end.type, valuesOf(next)], ['replied', ['alive']])
    assert.deepEqual(threads.errors, [])
  })

  test('because it was terminated in an endless loop is gone before its slot is free', async () => {
    await using threads = await PoolHarness.start(2)
    const turns = sharedInts(threads)
    const inLoop = eventually('the loop turns', () => Atomics.load(turns, 0) > 0)
    void inLoop.then(() => threads.pool.terminate(0))
    const run = (n: number, counter: Int32Array): number => {
      while (n === 1) Atomics.add(counter, 0, 1)
      return n
    }
    const other = threads.run((n: number) => n, places(3), { thread: 1 })
    const batch = await threads.run(
      run,
      places(3).map((list) => [...list, new Future(SHARED)]),
    )
    const turnsAtExit = Atomics.load(turns, 0)
    assert.ok(batch.end.type === 'exited')
    assert.deepEqual([valuesOf(batch), batch.culprit], [[0], 1])
    assert.deepEqual(valuesOf(await other), [0, 1, 2])
    assert.deepEqual(valuesOf(await threads.run(() => 'alive', [[]])), ['alive'])
    assert.equal(Atomics.load(turns, 0), turnsAtExit)
    assert.deepEqual(threads.errors, [])
  })
})

suite('a pool of threads', { timeout: 60_000 }, () => {
  test('that is closed while they start lets them load first: cut off amid that, Node aborts the process', async () => {
    for (let step = 0; step < 8; step++) {
      await using threads = await PoolHarness.start(2)
      for (let turn = 0; turn < step * 40; turn++) await new Promise((resolve) => setImmediate(resolve))
      await threads.pool.close()
      assert.deepEqual(threads.errors, [])
    }
  })
})

suite('threads that are made to collect', { timeout: 60_000 }, () => {
  const makeGarbage = (): void => void Object.assign(globalThis, { weak: new WeakRef({}) })
  const isCollected = (): boolean => (globalThis as unknown as { weak: WeakRef<object> }).weak.deref() === undefined

  test('do so while they are idle, or else before their next batch', async () => {
    await using harness = await PoolHarness.start(1)
    await harness.run(makeGarbage, [[]])
    assert.deepEqual(valuesOf(await harness.run(isCollected, [[]])), [false])
    harness.pool.collect()
    assert.deepEqual(valuesOf(await harness.run(isCollected, [[]])), [true])

    const go = new Int32Array(new SharedArrayBuffer(4))
    const waitBusy = (gate: Int32Array): void => {
      Object.assign(globalThis, { weak: new WeakRef({}) })
      console.log('busy')
      Atomics.wait(gate, 0, 0)
    }
    const busy = harness.run(waitBusy, [[go]])
    await eventually('it is busy', () => harness.lines.length > 0)
    harness.pool.collect()
    Atomics.store(go, 0, 1)
    Atomics.notify(go, 0)
    await busy
    assert.deepEqual(valuesOf(await harness.run(isCollected, [[]])), [true])
  })

  test('do so before a batch of tasks that may take much is over', async () => {
    await using harness = await PoolHarness.start(1)
    const take = (sizeBytes: number): number => Buffer.alloc(sizeBytes).length
    const takenBytes = (): number => process.memoryUsage().arrayBuffers
    await harness.run(take, [[2 ** 27]], { isLarge: true })
    const [left] = valuesOf(await harness.run(takenBytes, [[]]))
    assert.ok(Number(left) < 2 ** 26, `${String(left)} bytes`)
  })
})

suite('a pool without threads', { timeout: 60_000 }, () => {
  test("calls the caller's own function, with values that went through the codec all the same", async () => {
    const given: unknown[] = []
    const own = (value: unknown): number => given.push(value)
    await using inline = await PoolHarness.start(1, (host) => new InlinePool({ host, functionOf: () => own }))
    const argument = { list: [1] }
    const batch = await inline.run(own, [[argument], [argument]])
    assert.deepEqual(valuesOf(batch), [1, 2])
    assert.deepEqual(given, [argument, argument])
    assert.notEqual(given[0], argument)
    assert.notEqual(given[0], given[1])
  })

  test('tells a stream while its code loads that nobody reads it any more, and does not begin it', async () => {
    let calls = 0
    const values = (): number[] => {
      calls += 1
      return [1]
    }
    let pool: InlinePool | undefined
    await using inline = await PoolHarness.start(1, (host) => {
      const functionOf = (): typeof values => {
        // It is asked for when the code is to be loaded.
        assert.ok(inline.lanes[0]!.isListening(0))
        pool!.tellToStop({ task: task(0), attempt: 1, cause: 'dropped' })
        return values
      }
      return (pool = new InlinePool({ host, functionOf }))
    })
    const template = { ...(await inline.template(values)), isStream: true }
    const batch = await inline.runTasks(tasksOf(template, [[]]))
    assert.equal((errorAt(batch, 0) as Error).name, 'AbortError')
    assert.equal(calls, 0)
  })

  test('loads other code as threads do, and lets the event loop turn before it runs', async () => {
    await using inline = await PoolHarness.start(1, (host) => new InlinePool({ host, functionOf: () => undefined }))
    let hasTurned = false
    setImmediate(() => (hasTurned = true))
    const batch = await inline.run((n: number) => `${n}!`, [[1]])
    assert.deepEqual([valuesOf(batch), hasTurned], [['1!'], true])
  })
})
