/** Where the stacks of failed tasks lead to, in real threads: this file is compiled, and has a source map. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'node:test'
import { connect, delayed, LocalCluster } from '../../client/index.js'
import type { ErrorList, TaskDetails } from '../../protocol/messages/api.js'
import { eventually } from '../support/eventually.js'
import { PROJECT } from '../support/project.js'
import { measure } from './programs/written-elsewhere.js'

/** As stacks tell it: path, line and column of `text` in a source file. */
async function placeOf(text: string, name = 'stacks.test.ts'): Promise<string> {
  const file = path.join(PROJECT, 'test/integration', name)
  const before = (await readFile(file, 'utf8')).split(text)[0] ?? ''
  const lines = before.split('\n')
  return `${file}:${lines.length}:${lines.at(-1)!.length + 1}`
}

test('what is shown of a failed task leads to line and column of the TypeScript file that its function is written in', async () => {
  await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1, logLevel: 'error' })
  await using client = await connect(cluster)
  type Checked = { readonly size: number }
  const check = (checked: Checked): number => {
    const grow = (by: number): never => {
      throw new TypeError(`too large by ${by}`)
    }
    console.error(new Error('as it is logged').stack)
    return grow(checked.size)
  }
  const failed = client.with({ key: 'failed' }).submit(check, { size: 3 })
  const error = (await failed.error()) as Error
  assert.ok(error instanceof TypeError)
  const frames = (error.stack ?? '').split('\n').slice(1, 3)
  const thrownAt = await placeOf('new TypeError(`too')
  assert.deepEqual(frames, [`    at grow (${thrownAt})`, `    at check (${await placeOf('grow(checked.size)')})`])

  // The same in the answers that the status page and the command line show.
  const ask = async <T>(route: string): Promise<T> =>
    (await (await fetch(new URL(route, cluster.statusPage))).json()) as T
  const { error: shown } = await ask<TaskDetails>('/api/v1/tasks/failed')
  assert.ok(shown?.text.includes(`at grow (${thrownAt})`), shown?.text)
  const { groups } = await ask<ErrorList>('/api/v1/errors')
  assert.ok(groups.some(({ text }) => text.includes(thrownAt)))
  const logged = await placeOf("new Error('as it is logged')")
  await eventually('its log leads there too', async () =>
    (await client.logs()).some(({ text }) => text.includes(logged)),
  )

  const elsewhere = (await client.submit(measure, undefined).error()) as Error
  const measured = await placeOf('new RangeError(', 'programs/written-elsewhere.ts')
  assert.ok(elsewhere.stack?.includes(`at measure (${measured})`), elsewhere.stack)
})

test('so do those of functions in one line, of a chain, and of what a task submits', async () => {
  await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1 })
  await using client = await connect(cluster)
  // prettier-ignore
  const [left, right] = [(): never => { throw new Error('left') }, (): never => { throw new Error('right') }]
  const stackOf = async (failing: PromiseLike<unknown>): Promise<string> => {
    return Promise.resolve(failing).then(() => assert.fail('it passed'), (error: Error) => error.stack ?? '') // prettier-ignore
  }
  for (const [fn, text] of [
    [left, "new Error('left')"],
    [right, "new Error('right')"],
  ] as const) {
    // prettier-ignore
    const stack = await stackOf(client.submit(fn))
    assert.ok(stack.includes(await placeOf(text)), stack)
  }

  const fused = delayed((x: number): number => {
    if (x > 0) throw new Error('in a chain')
    return x
  })(delayed((x: number) => x + 1)(1))
  const chain = await stackOf(client.compute(fused))
  assert.ok(chain.includes(await placeOf("new Error('in a chain')")), chain)

  const nested = client.submit(async () => {
    const { task } = await import('heddle/task')
    return await task.client().submit((): never => {
      throw new Error('of a child')
    })
  })
  const child = await stackOf(nested)
  assert.ok(child.includes(await placeOf("new Error('of a child')")), child)
})
