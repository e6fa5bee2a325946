/** Programs of users in a simulated cluster: those that stand what fails pass, and of the others the seed is told. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import test from 'node:test'
import type { Client } from '../../client/index.js'
import { simulate, SimulationError, type SimulateOptions } from '../../testing/index.js'

const shared = globalThis as typeof globalThis & { counted: number }

async function sumOfSquares(client: Client): Promise<number> {
  const numbers = Array.from({ length: 12 }, (_, i) => i)
  const squares = client.map((n: number) => n * n, numbers)
  const later = client.map(async (n: number) => {
    await new Promise((resolve) => setTimeout(resolve, 500))
    return n + 1
  }, squares)
  return await client.submit((all: number[]) => all.reduce((a, b) => a + b, 0), later)
}

async function failureOf(program: (client: Client) => unknown, options: SimulateOptions): Promise<SimulationError> {
  const failure: unknown = await simulate(program, options).catch((error: unknown) => error)
  assert.ok(failure instanceof SimulationError, `it passed, or failed in another way: ${String(failure)}`)
  return failure
}

test('a program that stands every failure passes, and it is told what failed', async (t) => {
  const report = await simulate(sumOfSquares, { seeds: 50 })
  t.diagnostic(JSON.stringify(report))
  const { seeds, workerCrashes, schedulerCrashes, cuts, runs, reruns } = report
  assert.equal(seeds, 50)
  assert.ok(workerCrashes > 0 && schedulerCrashes > 0 && cuts > 0 && reruns > 0)
  assert.ok(runs >= 51 * 25)
})

test('the same seeds have the same things happen', async () => {
  const traces: string[][] = []
  for (let round = 0; round < 2; round++) {
    const lines: string[] = []
    await simulate(sumOfSquares, { seeds: 5, trace: (line) => lines.push(line) })
    traces.push(lines)
  }
  assert.ok(traces[0]!.some((line) => /dies|breaks/.test(line)))
  assert.deepEqual(traces[0], traces[1])
})

test('a program that counts runs is found, and its seed fails alone as well', async () => {
  const program = async (client: Client): Promise<number> => {
    shared.counted = 0
    const counting = client.map(
      (n: number) => {
        const globals = globalThis as typeof globalThis & { counted: number }
        globals.counted++
        return n
      },
      [1, 2, 3, 4, 5, 6, 7, 8],
    )
    await client.gather(counting)
    return shared.counted
  }
  const { seed, message, code } = await failureOf(program, { seeds: 50, faults: { workerCrashes: true } })
  assert.equal(code, 'ERR_HEDDLE_SIMULATION')
  assert.match(message, /it returned \d+, and 8 as all went well/)
  assert.ok(message.includes(`simulate(program, { seed: ${seed}, faults: { workerCrashes: true } })`), message)
  const again = await failureOf(program, { seed: seed!, faults: { workerCrashes: true } })
  assert.equal(again.message, message)
})

test('a result that depends on the attempt is found', async () => {
  const program = (client: Client): Promise<number[]> =>
    client.gather(
      client.map(
        async (n: number) => {
          const { task } = await import('heddle/task')
          return n * task.attempt
        },
        [1, 2, 3, 4, 5, 6, 7, 8],
      ),
    )
  assert.match((await failureOf(program, { seeds: 50 })).message, /as all went well/)
})

test('what a program asserts is the cause of the failure', async () => {
  const wrong = new RangeError('seven is not eight')
  const { cause, seed } = await failureOf(() => Promise.reject(wrong), {})
  assert.equal(cause, wrong)
  assert.equal(seed, undefined)
})

test('chance is the same for a program in every run, whatever fails', async () => {
  const drawn: number[][] = []
  const program = async (client: Client): Promise<number[]> => {
    const numbers = [Math.random()]
    const rounds = client.map((n: number) => n + 1, [1, 2, 3, 4, 5, 6])
    for (const round of rounds) numbers.push((await round) * Math.random())
    drawn.push(numbers)
    return numbers
  }
  const { cuts, reruns } = await simulate(program, { seeds: 30 })
  assert.ok(cuts > 0 && reruns > 0)
  assert.equal(drawn.length, 31)
  assert.equal(new Set(drawn[0]).size, 7)
})

test('chance in tasks is the same for the same seed, and for no other', async () => {
  const drawn: number[] = []
  const program = async (client: Client): Promise<void> => {
    drawn.push(await client.submit(() => Math.random()))
  }
  for (const seed of [3, 3, 4]) await simulate(program, { seed, faults: {} })
  // Each has a run of its own as all goes well, and is the same without faults.
  const [one, , again, , other] = drawn
  assert.equal(drawn.length, 6)
  assert.equal(one, again)
  assert.notEqual(one, other)
})

test('what a timer of a task throws fails that task, if it runs still, and nothing else', async () => {
  const program = async (client: Client): Promise<unknown> => {
    const failing = client.submit(async () => {
      setTimeout(() => {
        throw new RangeError('too late')
      }, 10)
      await new Promise((resolve) => setTimeout(resolve, 1_000))
    })
    const leaving = client.submit(() => {
      setTimeout(() => {
        throw new RangeError('nobody waits')
      }, 2_000)
      return 'left'
    })
    const error = (await failing.error()) as Error
    const left = await leaving
    await pause(5_000)
    return [error.name, error.message, left]
  }
  let result: unknown
  const lines: string[] = []
  await simulate(async (client) => (result = await program(client)), { seeds: 5, trace: (line) => lines.push(line) })
  assert.deepEqual(result, ['RangeError', 'too late', 'left'])
  assert.ok(lines.some((line) => line.includes('after its task had ended: RangeError: nobody waits')))
})

test('tasks that submit tasks go on in the midst of failures', async () => {
  await simulate(
    (client) =>
      client.gather(
        client.map(
          async (n: number) => {
            const { task } = await import('heddle/task')
            const children = task.client().map((x: number) => x * 2, [n, n + 1])
            return (await task.client().gather(children)).reduce((a, b) => a + b, 0)
          },
          [1, 2, 3],
        ),
      ),
    { seeds: 10, workers: 2 },
  )
})

test('what ends with its thread holds up nobody else', async () => {
  const later = async (): Promise<void> => void (await new Promise((resolve) => setTimeout(resolve, 60_000)))
  const program = async (client: Client): Promise<unknown> => {
    const parents = client.map(
      async (n: number) => {
        const { task } = await import('heddle/task')
        return await task.client().gather(task.client().map((x: number) => x * 2, [n, n + 1]))
      },
      [1, 2, 3, 4, 5, 6, 7, 8],
    )
    const withoutThreads = client.with({ resources: { threads: 0 } })
    const cancelled = [client.submit(later), withoutThreads.submit(later)]
    const late = client.with({ timeoutMs: 500 }).submit(later)
    await pause(200)
    await client.cancel(cancelled)
    const errors = await Promise.all([...cancelled, late].map((future) => future.error()))
    return [await client.gather(parents), errors.map((error) => (error as Error).name)]
  }
  await simulate(program, { seeds: 20 })
})

test('time is virtual for program and tasks, and for nobody else', async () => {
  const before = performance.now()
  const hours = await new Promise<number>((resolve, reject) => {
    simulate(
      async (client) => {
        const startedAtMs = Date.now()
        await pause(20 * 60_000)
        await client.submit(async () => {
          const { setTimeout: sleep } = await import('node:timers/promises')
          await sleep(20 * 60_000)
        })
        resolve((Date.now() - startedAtMs) / 3_600_000)
        assert.ok(new Date().getTime() >= startedAtMs && performance.now() > before)
      },
      { seeds: 1, workers: 1 },
    ).catch(reject)
  })
  assert.ok(hours > 2 / 3 && hours < 1)
})

test('a program that never ends is found', async () => {
  const failure = await failureOf(() => new Promise(() => undefined), { timeoutMs: 5_000 })
  assert.match(failure.message, /had not ended after/)
})

test('options that make no sense are refused', async () => {
  const refused: [unknown, RegExp][] = [
    [{ seeds: 0 }, /seeds is 0/],
    [{ seeds: 2, seed: 1 }, /not both/],
    [{ faults: { workerCrash: true } }, /did you mean "workerCrashes"/],
    [{ faults: { cuts: 'many' } }, /faults.cuts is "many"/],
    [{ threads: 2 }, /no option "threads"/],
    [{ workers: 1.5 }, /workers is 1.5/],
  ]
  for (const [options, message] of refused) {
    await assert.rejects(
      simulate(() => 1, options as SimulateOptions),
      message,
    )
  }
  await assert.rejects(simulate(7 as never), /runs a program/)
})

test('a chain of short tasks gives what it should, whatever fails', async () => {
  const links = 100
  const program = async (client: Client): Promise<void> => {
    const inc = (a: number, b: number): number => a + b
    // By the second round its tasks are known to be short, and go to a thread together.
    for (let round = 0; round < 2; round++) {
      let future = client.submit(inc, 0, 1)
      for (let i = 1; i < links; i++) future = client.submit(inc, future, 1)
      assert.equal(await future, links)
    }
  }
  await simulate(program, { seeds: 10, workers: 2, threadsPerWorker: 1 })
})
