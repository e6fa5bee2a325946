/**
 * Work that must not take for ever: a time-out for each task, an endless loop that is cancelled, and a signal that gives
 * up on everything at once. The others go on.
 *
 * Prints:
 *     3 of 4 in time; the other: TaskTimeoutError
 *     the endless loop was stopped by: thread
 *     100 tasks after the signal: AbortError, because the user left
 *     and the cluster goes on: 42
 */
import { setTimeout } from 'node:timers/promises'
import { connect } from 'heddle'

await using client = await connect()

/** Counts without ever looking up. */
function spin(ms: number): number {
  const end = performance.now() + ms
  while (performance.now() < end);
  return ms
}

const timed = client.with({ timeoutMs: 1_000 }).map(spin, [1, 2, 60_000, 3])
const outcomes = await client.gather(timed, { errors: 'settle' })
const late = outcomes.find((outcome) => outcome.status === 'rejected')
const inTime = outcomes.filter(({ status }) => status === 'fulfilled').length
console.log(`${inTime} of ${outcomes.length} in time; the other: ${(late?.reason as Error).name}`)

const endless = client.submit(() => {
  while (true);
})
await setTimeout(1_000) // By now it runs.
const { stoppedBy } = await endless.cancel({ reason: 'too slow' })
console.log(`the endless loop was stopped by: ${stoppedBy}`)

const leaving = new AbortController()
const pages = client.with({ signal: leaving.signal }).map(
  spin,
  Array.from({ length: 100 }, () => 60_000),
)
leaving.abort('the user left')
const [first] = await client.gather(pages.slice(0, 1), { errors: 'settle' })
const { name, cause } = (first as PromiseRejectedResult).reason as Error
console.log(`${pages.length} tasks after the signal: ${name}, because ${String(cause)}`)
console.log('and the cluster goes on:', await client.submit(() => 42))
