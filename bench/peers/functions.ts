/** What peers run: loaded by Piscina's threads, and by BullMQ's workers. */
export const identity = (x: unknown): unknown => x
export const increment = (x: number): number => x + 1
export const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
export const sizeOf = (record: { readonly id: number; readonly text: string }): number => record.id + record.text.length

export const split = ({ source, count }: { readonly source: number; readonly count: number }): number[] =>
  Array.from({ length: count }, (_, target) => source * count + target)
export const pick = ({ pieces, target }: { readonly pieces: readonly number[]; readonly target: number }): number =>
  pieces[target] ?? NaN
export const make = (size: number): Uint8Array => new Uint8Array(size).fill(120)
export const lengthOf = (bytes: Uint8Array): number => bytes.length

/** A place of the stencil of `metg`: the kernel's number is used, and changes nothing. */
export function cell({
  iterations,
  inputs,
}: {
  readonly iterations: number
  readonly inputs: readonly number[]
}): number {
  const { number } = spin(iterations)
  return (sum(inputs) % 1_000_003) + (number === 0.5 ? 1 : 0)
}

/** The kernel of `cpu-scaling`. */
export function spin(iterations: number): { number: number; ms: number } {
  const startedAtMs = performance.now()
  let number = 1
  for (let i = 0; i < iterations; i++) number = (Math.imul(number, 1_664_525) + 1_013_904_223) | 0
  return { number, ms: performance.now() - startedAtMs }
}

export type FunctionName =
  'identity' | 'increment' | 'sum' | 'sizeOf' | 'split' | 'pick' | 'make' | 'lengthOf' | 'cell' | 'spin'
