/** Figures as the pages write them. */

export function whole(count: number): string {
  return Math.round(count).toLocaleString('en')
}

export function counted(count: number, noun: string): string {
  return `${whole(count)} ${noun}${Math.round(count) === 1 ? '' : 's'}`
}

/** `0.42` is `42 %`. */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

/** Short, for the axis of a chart: `12k`, `1.5M`. */
export function compact(count: number): string {
  if (count >= 1e6) return `${shortest(count / 1e6)}M`
  return count >= 1e3 ? `${shortest(count / 1e3)}k` : shortest(count)
}

function shortest(value: number): string {
  return String(Math.round(value * 10) / 10)
}

/** `13:05:09.250`, in UTC, as `heddle logs` has it. */
export function clock(atMs: number): string {
  return new Date(atMs).toISOString().slice(11, 23)
}
