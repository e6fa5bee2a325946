/** Work that needs a processor and nothing else, as a task and in processes with nothing of heddle in them. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('./fixed-work-program.js', import.meta.url))

export function work(iterations: number): { number: number; ms: number } {
  const startedAtMs = performance.now()
  let number = 1
  for (let i = 0; i < iterations; i++) number = (Math.imul(number, 1_664_525) + 1_013_904_223) | 0
  return { number, ms: performance.now() - startedAtMs }
}

/** What a bare process is asked for; it answers when it is done. */
export interface Order {
  readonly iterations: number
  readonly times: number
}

/**
 * How many milliseconds so many bare processes take, at the same time, each to do it so often. The machine may give each less of a
 * processor than it gives to one alone, and then no cluster can have more.
 */
export async function timeBare(processes: number, order: Order): Promise<number> {
  const children = Array.from({ length: processes }, () => fork(PROGRAM))
  try {
    await Promise.all(children.map((child) => answerOf(child, { ...order, times: 1 }))) // Compiles it.
    const startedAtMs = performance.now()
    await Promise.all(children.map((child) => answerOf(child, order)))
    return performance.now() - startedAtMs
  } finally {
    for (const child of children) if (child.connected) child.disconnect() // Then it ends.
  }
}

async function answerOf(child: ChildProcess, order: Order): Promise<void> {
  const ended = once(child, 'exit').then(() => {
    throw new Error('A process that does nothing but the work of cpu-scaling ended before it was done.')
  })
  const answered = once(child, 'message')
  child.send(order)
  await Promise.race([answered, ended])
  ended.catch(() => undefined) // It may end from now on.
}
