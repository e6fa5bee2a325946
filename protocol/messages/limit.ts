/** Limits of the whole cluster, by name: how many have something at once, or how often something may begin. */
import { integer, message, oneOf, real, record, text, type Infer } from '../schema.js'

export const limitDeclaration = record({
  name: text,
  /** `semaphore`: units are taken and given back. `rate`: they are used up, and new ones come with time. */
  kind: oneOf('semaphore', 'rate'),
  /** How many there are of a semaphore; how many may be used at once of a rate limit. */
  units: integer,
  /** How many come back in a second; 0 for a semaphore. */
  perSecond: real,
})
export type LimitDeclaration = Infer<typeof limitDeclaration>

/** As in `a semaphore of 2`. */
export function describeLimit({ kind, units, perSecond }: LimitDeclaration): string {
  if (kind === 'semaphore') return `a semaphore of ${units}`
  return `a rate limit of ${perSecond} a second with a burst of ${units}`
}

export function isSameLimit(a: LimitDeclaration, b: LimitDeclaration): boolean {
  return a.kind === b.kind && a.units === b.units && a.perSecond === b.perSecond
}

/** There is such a limit from now on. Answered, if at all, by `limit-refused`. */
export const declareLimit = message('declare-limit', { limit: limitDeclaration })
/** The client waits for one unit. Answered by `unit-taken` or `unit-refused`. */
export const takeUnit = message('take-unit', { request: integer, limit: limitDeclaration })
export type TakeUnit = Infer<typeof takeUnit>
/** The client gives back the unit that it got for this request, or waits for it no more. */
export const returnUnit = message('return-unit', { request: integer })

/** The limit can't be as it was declared: another one has the name, or there are too many. */
export const limitRefused = message('limit-refused', { name: text, reason: text })
export const unitTaken = message('unit-taken', { request: integer })
export const unitRefused = message('unit-refused', { request: integer, reason: text })
