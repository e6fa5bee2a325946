/** The workloads for Piscina: one process, two threads. `piscina-peer.js WORKLOAD '{"tasks":1000}'` prints `{"value":…}`. */
import { Piscina } from 'piscina'
import { measurePromises } from './promise-workloads.js'

const [workload = '', params = ''] = process.argv.slice(2)
if (workload !== '--check') {
  const filename = new URL('./functions.js', import.meta.url).href
  const pool = new Piscina({ filename, minThreads: 2, maxThreads: 2, maxQueue: Infinity })
  const call = async (name: string, argument: unknown): Promise<unknown> => await pool.run(argument, { name })
  const value = await measurePromises(call, workload, JSON.parse(params) as Record<string, number>)
  console.log(JSON.stringify({ value }))
  await pool.destroy()
}
