/** `task.local`: values that a thread keeps for its tasks. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type * as TaskModule from '../../worker/thread/task.js'
import { InlinePool } from '../../worker/inline-pool.js'
import { errorAt, PoolHarness, valuesOf } from './pool-harness.js'

const TASK_MODULE = new URL('../../worker/thread/task.js', import.meta.url).href

suite('values that tasks share', { timeout: 60_000 }, () => {
  test('are made once in each thread, also when several ask at the same time', async () => {
    await using threads = await PoolHarness.start(2)
    const count = async (url: string): Promise<readonly [number, boolean]> => {
      const { task } = (await import(url)) as typeof TaskModule
      const make = async (): Promise<{ made: number }> => {
        await new Promise((resolve) => setImmediate(resolve))
        const counter = globalThis as { made?: number }
        counter.made = (counter.made ?? 0) + 1
        return { made: counter.made }
      }
      const [one, other] = await Promise.all([task.local('counted', make), task.local('counted', make)])
      return [one.made, one === other]
    }
    const lists = [[TASK_MODULE], [TASK_MODULE], [TASK_MODULE]]
    const [first, second] = await Promise.all([
      threads.run(count, lists, { thread: 0 }),
      threads.run(count, lists, { thread: 1 }),
    ])
    for (const batch of [first, second]) assert.deepEqual(valuesOf(batch), [[1, true], [1, true], [1, true]]) // prettier-ignore
  })

  test('are made again after an error of what makes them, thrown or promised', async () => {
    await using threads = await PoolHarness.start()
    const attempt = async (url: string, promised: boolean): Promise<string> => {
      const { task } = (await import(url)) as typeof TaskModule
      const tries = ((globalThis as { tries?: Record<string, number> }).tries ??= {})
      return await task.local(`pool ${promised}`, () => {
        const count = (tries[String(promised)] = (tries[String(promised)] ?? 0) + 1)
        if (count > 1) return `try ${count}`
        if (promised) return Promise.reject(new Error('not yet'))
        throw new Error('not yet')
      })
    }
    for (const promised of [false, true]) {
      const batch = await threads.run(attempt, [[TASK_MODULE, promised], [TASK_MODULE, promised]]) // prettier-ignore
      assert.match(String(errorAt(batch, 0)), /not yet/)
      assert.deepEqual(batch.outcomes[1], { place: 1, value: 'try 2' })
    }
    assert.deepEqual(threads.lines, [], 'the rejection was handled')
  })

  test('are disposed of when the pool closes, the last made first, each in its own way', async () => {
    const threads = await PoolHarness.start()
    const keep = async (url: string): Promise<void> => {
      const { task } = (await import(url)) as typeof TaskModule
      const tell = (text: string) => (): void => console.log(text)
      task.local('a', () => ({ [Symbol.asyncDispose]: tell('asyncDispose'), close: tell('close of a') }))
      task.local('b', () => ({ [Symbol.dispose]: tell('dispose') }))
      await task.local('c', () => Promise.resolve({ close: tell('close'), end: tell('end of c') }))
      task.local('d', () => ({ end: tell('end') }))
      task.local('e', () => ({ name: 'e' }), { dispose: ({ name }) => console.log(`dispose of ${name}`) })
      task.local('f', () => 'no object')
      task.local('g', () => ({
        close() {
          throw new Error('stuck')
        },
      }))
    }
    valuesOf(await threads.run(keep, [[TASK_MODULE]]))
    assert.deepEqual(threads.lines, [])
    await threads[Symbol.asyncDispose]()
    const [failed, ...lines] = threads.lines
    assert.match(failed!, /^error -: The local value "g" could not be disposed of: Error: stuck/)
    const expected = ['dispose of e', 'end', 'close', 'dispose', 'asyncDispose']
    assert.deepEqual(
      lines,
      expected.map((text) => `info -: ${text}`),
    )
  })

  test('of an inline cluster are disposed of when it closes', async () => {
    const threads = await PoolHarness.start(1, (host) => new InlinePool({ host, functionOf: () => undefined }))
    const log: string[] = ((globalThis as { disposed?: string[] }).disposed = [])
    const keep = async (url: string): Promise<void> => {
      const { task } = (await import(url)) as typeof TaskModule
      const { disposed } = globalThis as { disposed?: string[] }
      task.local('kept', () => ({ close: () => disposed?.push('closed') }))
    }
    valuesOf(await threads.run(keep, [[TASK_MODULE]]))
    await threads[Symbol.asyncDispose]()
    assert.deepEqual(log, ['closed'])
  })

  test('are refused when they are too many, or asked for in the wrong way', async () => {
    await using threads = await PoolHarness.start()
    const tooMany = async (url: string): Promise<void> => {
      const { task } = (await import(url)) as typeof TaskModule
      for (let i = 0; i <= 1_000; i++) task.local(`value ${i}`, () => i)
    }
    assert.match(String(errorAt(await threads.run(tooMany, [[TASK_MODULE]]), 0)), /keeps 1000 values/)
    const wrong = async (url: string): Promise<void> => {
      const { task } = (await import(url)) as typeof TaskModule
      task.local('value', () => 1, { disposer: () => 2 } as object)
    }
    assert.match(String(errorAt(await threads.run(wrong, [[TASK_MODULE]]), 0)), /"disposer" is no option/)
  })
})
