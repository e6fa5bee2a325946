/**
 * A web service whose answers are worked out on the cluster: its own loop stays free for other requests, however long
 * the work takes, and a request that is given up takes its work with it.
 *
 * Prints:
 *     GET /fibonacci/30: {"n":30,"value":832040}
 *     GET /fibonacci/x: 400 {"error":"n must be a whole number from 0 to 40"}
 *     while 4 long requests ran, /health was answered: true
 */
import { fastify } from 'fastify'
import { connect } from 'heddle'

/** Slow on purpose. */
function fibonacci(n: number): number {
  const value = (i: number): number => (i < 2 ? i : value(i - 1) + value(i - 2))
  return value(n)
}

await using client = await connect()
const service = fastify()
service.get('/health', () => ({ ok: true }))
service.get<{ Params: { n: string } }>('/fibonacci/:n', async (request, reply) => {
  const n = Number(request.params.n)
  if (!Number.isInteger(n) || n < 0 || n > 40) {
    return await reply.code(400).send({ error: 'n must be a whole number from 0 to 40' })
  }
  const gone = new AbortController()
  request.raw.socket.once('close', () => gone.abort())
  return { n, value: await client.with({ signal: gone.signal }).submit(fibonacci, n) }
})

const address = await service.listen({ host: '127.0.0.1', port: 0 })
try {
  const small = await fetch(`${address}/fibonacci/30`)
  console.log(`GET /fibonacci/30: ${await small.text()}`)
  const wrong = await fetch(`${address}/fibonacci/x`)
  console.log(`GET /fibonacci/x: ${wrong.status} ${await wrong.text()}`)

  let areLongOnesDone = false
  const long = Promise.all([34, 34, 34, 34].map((n) => fetch(`${address}/fibonacci/${n}`)))
  void long.then(() => (areLongOnesDone = true))
  const health = await fetch(`${address}/health`)
  console.log('while 4 long requests ran, /health was answered:', health.ok && !areLongOnesDone)
  await long
} finally {
  await service.close()
}
