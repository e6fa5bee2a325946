/** What became of a task, step by step, out of what the scheduler and workers remember. Each step is by the clock of who tells it. */
import type { TaskHistory } from '../../protocol/messages/api.js'

export interface Step {
  /** In milliseconds since 1970. */
  readonly atMs: number
  readonly words: string
  readonly isBad?: true
}

/** In the order of attempts, which is that of time as far as clocks agree. */
export function stepsOf({ submittedAtMs, runs }: Pick<TaskHistory, 'submittedAtMs' | 'runs'>): readonly Step[] {
  const steps: Step[] = [{ atMs: submittedAtMs, words: 'submitted' }]
  for (const { worker, thread, receivedAtMs, startedAtMs, durationMs, hasEnded, hasFailed } of runs) {
    if (receivedAtMs > 0) steps.push({ atMs: receivedAtMs, words: `received by ${worker}` })
    steps.push({ atMs: startedAtMs, words: `begun on ${worker}, thread ${thread + 1}` })
    if (!hasEnded) continue
    const atMs = startedAtMs + durationMs
    steps.push(hasFailed ? { atMs, words: 'failed', isBad: true } : { atMs, words: 'ended' })
  }
  return steps
}
