/**
 * Compiled with the cores, by tsconfig.core.json alone, and never run: each line below must be an error there. When one
 * is not, Node's types have leaked into the cores, and a timer or a socket in a core would compile. The types of ws,
 * fastify and pino bring them along.
 */

// @ts-expect-error A core has no timers.
setTimeout(() => {}, 1)
// @ts-expect-error A core has no turns of an event loop.
setImmediate(() => {})
// @ts-expect-error A core waits for nothing.
queueMicrotask(() => {})
// @ts-expect-error A core has no process and no environment.
process.exit()
// @ts-expect-error A core knows bytes as Uint8Array only.
Buffer.from('')
// @ts-expect-error A core has no network.
fetch('http://127.0.0.1')
// @ts-expect-error A core does not log.
console.log('')
// @ts-expect-error A core reads no clock.
performance.now()
// @ts-expect-error A core cannot be interrupted.
AbortSignal.timeout(1)
// @ts-expect-error A core has no global object to find any of this in.
global.setTimeout(() => {}, 1)
