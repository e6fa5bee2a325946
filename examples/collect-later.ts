/**
 * Work that outlives the program that asked for it, as with a job queue: one client submits under a key, says that the work
 * shall go on, and leaves; another one, in another process perhaps, asks for the result by that key.
 *
 * Prints:
 *     submitted report-2026-11 and left
 *     a second client found 3 rows
 */
import { connect, LocalCluster } from 'heddle'

await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1 })
const key = 'report-2026-11'

{
  await using client = await connect(cluster)
  const report = client
    .with({ key })
    .submit((month: string) => [`${month}-01`, `${month}-02`, `${month}-03`], '2026-11')
  client.fireAndForget(report)
  console.log(`submitted ${report.key} and left`)
}

await using client = await connect(cluster)
const rows = await client.future<string[]>(key)
console.log(`a second client found ${rows.length} rows`)
