/**
 * What a call takes on the same way with nothing of heddle on it: client, relay, worker, thread, and back, 64 bytes each way over
 * plain sockets. No round trip can be shorter, so it tells how slow the machine is at the time.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { percentile } from '../percentile.js'

const PROGRAM = fileURLToPath(new URL('./bare-chain-program.js', import.meta.url))
const CALL = new Uint8Array(64)

/** The median of so many calls, one after another, behind as many that warm up. */
export async function measureBareChain(calls: number): Promise<number> {
  const relay = fork(PROGRAM)
  const ended = once(relay, 'exit').then(() => {
    throw new Error('The relay of the bare chain ended before anybody was connected to it.')
  })
  const [port] = (await Promise.race([once(relay, 'message'), ended])) as [number]
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const latenciesMs: number[] = []
  for (let call = 0; call < 2 * calls; call++) {
    const startedAtMs = performance.now()
    const answered = once(socket, 'data')
    socket.write(CALL)
    await answered
    if (call >= calls) latenciesMs.push(performance.now() - startedAtMs)
  }
  // Its end is that of the others, too.
  socket.destroy()
  if (relay.exitCode === null) await once(relay, 'exit')
  return percentile(latenciesMs, 50)
}
