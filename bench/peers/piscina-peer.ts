/** The workloads for Piscina: one process, two threads. `piscina-peer.js WORKLOAD '{"tasks":1000}'` prints `{"value":…}`. */
import assert from 'node:assert/strict'
import { Piscina } from 'piscina'
import { measurePromises } from './promise-workloads.js'

const [workload = '', params = ''] = process.argv.slice(2)
if (workload !== '--check') {
  const filename = new URL('./functions.js', import.meta.url).href
  const startedAtMs = performance.now()
  const pool = new Piscina({ filename, minThreads: 2, maxThreads: 2, maxQueue: Infinity })
  const call = async (name: string, argument: unknown): Promise<unknown> => await pool.run(argument, { name })
  let value: number
  if (workload === 'startup') {
    assert.equal(await call('increment', 41), 42)
    value = (performance.now() - startedAtMs) / 1000
  } else value = await measurePromises(call, workload, JSON.parse(params) as Record<string, number>)
  console.log(JSON.stringify({ value }))
  await pool.destroy()
}
