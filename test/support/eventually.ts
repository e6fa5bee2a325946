/** Waits for what only the operating system knows: tries again until it holds, or fails at the deadline. */

const INTERVAL_MS = 10

export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  { timeoutMs = 60_000 }: { readonly timeoutMs?: number } = {},
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`Not within ${timeoutMs} ms: ${what}.`)
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS))
  }
}
