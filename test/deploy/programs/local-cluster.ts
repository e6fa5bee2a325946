/** A program for tests that starts a cluster and closes nothing. `MODE` says when it tells of it, and whether it waits. */
import { LocalCluster } from '../../../deploy/local-cluster.js'

const starting = LocalCluster.start({ workers: 2, threadsPerWorker: 1 })
if (process.env['MODE'] === 'starting') setImmediate(() => process.stdout.write('starting\n'))
const cluster = await starting
process.stdout.write(JSON.stringify({ pids: cluster.pids }))
if (process.env['MODE'] !== undefined) setInterval(() => undefined, 1_000)
