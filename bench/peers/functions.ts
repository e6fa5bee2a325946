/** What peers run: loaded by Piscina's threads, and by BullMQ's workers. */
export const identity = (x: unknown): unknown => x
export const increment = (x: number): number => x + 1
export const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
export const sizeOf = (record: { readonly id: number; readonly text: string }): number => record.id + record.text.length

/** The kernel of `cpu-scaling`. */
export function spin(iterations: number): { number: number; ms: number } {
  const startedAtMs = performance.now()
  let number = 1
  for (let i = 0; i < iterations; i++) number = (Math.imul(number, 1_664_525) + 1_013_904_223) | 0
  return { number, ms: performance.now() - startedAtMs }
}

export type FunctionName = 'identity' | 'increment' | 'sum' | 'sizeOf' | 'spin'
