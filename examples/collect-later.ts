/**
 * Work that outlives the program that asked for it, as with a job queue: one client submits, publishes the future under a
 * name, so that the scheduler itself holds it, and leaves; another one, in another process perhaps, asks for the result by
 * that name, whether it is there yet or not.
 *
 * Prints:
 *     submitted report-2026-11 and left
 *     a second client found 3 rows
 */
import { connect, LocalCluster } from 'heddle'

await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1 })
const name = 'report-2026-11'

{
  await using client = await connect(cluster)
  const report = client.submit((month: string) => [`${month}-01`, `${month}-02`, `${month}-03`], '2026-11')
  await client.publish(name, report)
  console.log(`submitted ${name} and left`)
}

await using client = await connect(cluster)
const rows = await client.dataset<string[]>(name)
console.log(`a second client found ${rows.length} rows`)
await client.unpublish(name) // Now nobody holds it any more.
