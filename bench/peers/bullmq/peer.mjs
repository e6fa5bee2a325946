/**
 * The workloads for BullMQ: a Redis of its own on a socket in a scratch folder, and two worker processes with 50 jobs at
 * once each. `node peer.mjs WORKLOAD '{"tasks":1000}'` prints `{"value":…}`.
 */
import { fork, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Queue, QueueEvents, Worker } from 'bullmq'

const BUILT = new URL('../../../dist/bench/peers/', import.meta.url)
const QUEUE = 'bench'
const [workload = '', params = ''] = process.argv.slice(2)

if (workload === '--check') {
  if (spawnSync('redis-server', ['--version']).status !== 0) throw new Error('redis-server is not installed.')
} else if (workload === '--worker') {
  const functions = await import(new URL('functions.js', BUILT).href)
  const worker = new Worker(QUEUE, async ({ name, data }) => functions[name](data), {
    connection: { path: params },
    concurrency: 50,
  })
  await worker.waitUntilReady()
  process.send('ready')
  process.on('disconnect', () => process.exit())
} else await measure()

async function measure() {
  const startedAtMs = performance.now()
  const folder = mkdtempSync(path.join(tmpdir(), 'bullmq-'))
  const socket = path.join(folder, 'redis.sock')
  const redis = spawn('redis-server', ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const workers = []
  try {
    for await (const chunk of redis.stdout) if (String(chunk).includes('eady to accept')) break
    for (let i = 0; i < 2; i++) workers.push(fork(process.argv[1], ['--worker', socket]))
    await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))))
    const connection = { path: socket }
    const queue = new Queue(QUEUE, { connection, defaultJobOptions: { removeOnComplete: true, removeOnFail: true } })
    const events = new QueueEvents(QUEUE, { connection })
    await events.waitUntilReady()
    const waiting = new Map()
    events.on('completed', ({ jobId, returnvalue }) => {
      waiting.get(jobId)?.resolve(returnvalue)
      waiting.delete(jobId)
    })
    events.on('failed', ({ jobId, failedReason }) => waiting.get(jobId)?.reject(new Error(failedReason)))
    let added = 0
    const call = (name, data) =>
      new Promise((resolve, reject) => {
        const jobId = `job-${added++}`
        waiting.set(jobId, { resolve, reject })
        queue.add(name, data, { jobId }).catch(reject)
      })
    if (workload === 'startup') {
      if ((await call('increment', 41)) !== 42) throw new Error('The first answer is wrong.')
      console.log(JSON.stringify({ value: (performance.now() - startedAtMs) / 1000 }))
    } else {
      const { measurePromises } = await import(new URL('promise-workloads.js', BUILT).href)
      console.log(JSON.stringify({ value: await measurePromises(call, workload, JSON.parse(params)) }))
    }
    await events.close()
    await queue.close()
  } finally {
    for (const worker of workers) worker.kill()
    redis.kill()
    await new Promise((resolve) => (redis.exitCode === null ? redis.once('exit', resolve) : resolve()))
    rmSync(folder, { recursive: true, force: true })
  }
}
