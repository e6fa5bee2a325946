/** What a process does when it is asked to end: SIGTERM and the first SIGINT ask kindly, a second one insists. */

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

export interface ShutdownHandlers {
  /** Ends in order. Called once. */
  readonly gracefully: () => void
  /** Ends now, whatever is under way. */
  readonly atOnce: () => void
}

/** Listens for signals until the returned function is called. */
export function onShutdown({ gracefully, atOnce }: ShutdownHandlers): () => void {
  let wasAsked = false
  const onSignal = (): void => {
    if (wasAsked) return atOnce()
    wasAsked = true
    gracefully()
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  return () => {
    for (const signal of SIGNALS) process.off(signal, onSignal)
  }
}
