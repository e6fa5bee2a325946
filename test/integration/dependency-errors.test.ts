/** Tasks that go on when others fail, in real processes and in one thread. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { connect, delayed, LocalCluster } from '../../client/index.js'

const parse = (text: string): number => {
  if (!/^[0-9]+$/.test(text)) throw new RangeError(`${text} is no number`)
  return Number(text)
}
const tell = (all: readonly (number | Error)[]): (number | string)[] =>
  all.map((each) => (each instanceof Error ? `${each.name}: ${each.message}` : each))

for (const address of ['cluster', 'inline:'] as const) {
  test(`tasks are skipped, or get errors, and others go on: ${address}`, async () => {
    await using cluster =
      address === 'inline:' ? undefined : await LocalCluster.start({ workers: 2, threadsPerWorker: 1 })
    await using client = await (cluster === undefined ? connect('inline:') : connect(cluster))
    const numbers = client.map(parse, ['1', 'two', '3'])
    const skipper = client.with({ onDependencyError: 'skip' })
    const doubled = skipper.map((n: number) => 2 * n, numbers)
    const filled = client.map((n: number | undefined) => n ?? -1, doubled)
    const told = client.with({ onDependencyError: 'pass-error' }).submit(tell, numbers)
    const [, odd] = client.with({ outputs: 2, onDependencyError: 'skip' }).submit((n: number) => [n, n], numbers[1]!)
    assert.deepEqual(await client.gather(doubled), [2, undefined, 6])
    assert.deepEqual(await client.gather(filled), [2, -1, 6])
    assert.deepEqual(await told, [1, 'RangeError: two is no number', 3])
    assert.equal(await odd, undefined)
    assert.equal(doubled[1]!.status, 'finished')
    await assert.rejects(Promise.resolve(numbers[1]!), RangeError)

    const lazy = delayed(parse)
    const sum = delayed((all: readonly (number | undefined)[]) => all.reduce<number>((a, n) => a + (n ?? 0), 0))
    const safely = delayed((n: number) => n, { onDependencyError: 'skip' })
    const report = delayed(tell, { onDependencyError: 'pass-error' })
    const parts = ['4', 'five', '6'].map((text) => lazy(text))
    const results = client.compute([sum(parts.map((part) => safely(part))), report(parts)])
    assert.deepEqual(await client.gather(results), [10, [4, 'RangeError: five is no number', 6]])
  })
}

test('errors of what was cancelled, had its time or took its thread along are given too', async () => {
  await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 2 })
  await using client = await connect(cluster)
  const loop = (): number => {
    while (true);
  }
  const late = client.with({ timeoutMs: 50 }).submit(loop)
  const exits = client.submit((): number => process.exit(3))
  const cancelled = client.submit(loop)
  const codes = (all: readonly (number | Error)[]): unknown[] => all.map((each) => (each as { code?: unknown }).code)
  const told = client.with({ onDependencyError: 'pass-error' }).submit(codes, [late, exits, cancelled])
  await late.error()
  await exits.error()
  await cancelled.cancel({ graceMs: 0 })
  assert.deepEqual(await told, ['ERR_HEDDLE_TASK_TIMEOUT', 'ERR_HEDDLE_TASK_EXITED', 'ERR_HEDDLE_TASK_CANCELLED'])
})
