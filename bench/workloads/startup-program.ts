/** The program that `startup` measures: it prints when it was connected, and when it had its first result. */
import { connect } from '../../client/index.js'

const startedAtMs = performance.now()
await using client = await connect()
const connectMs = performance.now() - startedAtMs
const answer = await client.submit((x: number) => x + 1, 41)
const resultMs = performance.now() - startedAtMs
console.log(JSON.stringify({ connectMs, resultMs, answer }))
