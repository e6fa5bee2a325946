/** Run by hosts.test.ts: makes values on both workers, and uses each where it was not made. */
import { connect } from '../../../client/connect.js'

const [address = ''] = process.argv.slice(2)
await using client = await connect(address)
await client.waitForWorkers(2)
const parts = client.map((i: number) => new Float64Array(100_000).fill(i), [...Array(16).keys()])
const sums = parts.map((_, i) =>
  client.submit((a: Float64Array, b: Float64Array) => a[0]! + b[99_999]!, parts[i]!, parts[(i + 1) % 16]!),
)
const total = client.submit((all: number[]) => all.reduce((a, b) => a + b, 0), sums)
const last = await parts[15]
const { workers } = await client.info()
console.log(
  JSON.stringify({
    total: await total,
    last: [last!.length, last![0]],
    workers: workers.map(({ name, address: at }) => [name, new URL(at).hostname]).sort(),
  }),
)
