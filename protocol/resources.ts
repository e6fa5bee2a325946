/**
 * What tasks need and workers offer beside threads and memory, such as `gpu`: names that mean what the cluster's people
 * say they mean, and amounts. Amounts are counted in thousandths, so that what is taken and given back adds up exactly.
 */

export interface Amount {
  readonly name: string
  readonly thousandths: number
}

/** No amount is larger: sums of many stay exact. */
const MAX_AMOUNT = 1_000_000_000
/** How many of them one task or one worker names at most. */
export const MAX_AMOUNTS = 16
/** These are said in other ways, or mean something of their own. */
const TAKEN_NAMES: ReadonlySet<string> = new Set(['threads', 'memory'])

/** Up to 64 letters, digits, dots, dashes and underscores, the first one a letter; neither `threads` nor `memory`. */
export function isResourceName(name: string): boolean {
  return /^[A-Za-z][\w.-]{0,63}$/.test(name) && !TAKEN_NAMES.has(name)
}

/** Thousandths of an amount above 0 with at most three decimals; `undefined` for anything else. */
export function thousandthsOf(amount: unknown): number | undefined {
  if (typeof amount !== 'number' || !(amount > 0) || amount > MAX_AMOUNT) return undefined
  const thousandths = Math.round(amount * 1_000)
  return thousandths > 0 && Math.abs(amount * 1_000 - thousandths) < 1e-4 ? thousandths : undefined
}

/** `gpu=1`. */
export function describeAmount({ name, thousandths }: Amount): string {
  return `${name}=${thousandths / 1_000}`
}
