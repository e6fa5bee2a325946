/** A function that another file submits. */

interface Measured {
  readonly width: number
}

export const measure = (given: Measured | undefined): number => {
  if (given === undefined) throw new RangeError('nothing to measure')
  return given.width
}
