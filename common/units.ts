/** Sizes and durations as people write them, `'2GiB'` and `'30s'`, to and from the numbers that code uses. */

const UNIT_BYTES: Readonly<Record<string, number>> = Object.freeze({
  B: 1,
  kB: 1000,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  TB: 1000 ** 4,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
})
const UNIT_MS: Readonly<Record<string, number>> = Object.freeze({
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
})

const SIZE_STEPS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/**
 * Reads a size with its unit and returns bytes, rounded down.
 *
 * @param text - A number and `B`, `KiB`, `MiB`, `GiB`, `TiB`, or the decimal `kB`, `MB`, `GB`, `TB`.
 * @throws {RangeError} When the text is not such a size.
 * @example
 * ```ts
 * parseBytes('1.5KiB') // => 1536
 * ```
 */
export function parseBytes(text: string): number {
  const bytes = Math.floor(parse(text, UNIT_BYTES))
  if (Number.isSafeInteger(bytes)) return bytes
  throw new RangeError(`"${text}" is no size; write it like "2GiB".`)
}

/**
 * Reads a duration with its unit and returns milliseconds.
 *
 * @param text - A number and `ms`, `s`, `m`, `h` or `d`.
 * @throws {RangeError} When the text is not such a duration.
 * @example
 * ```ts
 * parseDuration('30s') // => 30000
 * ```
 */
export function parseDuration(text: string): number {
  const durationMs = parse(text, UNIT_MS)
  if (Number.isFinite(durationMs)) return durationMs
  throw new RangeError(`"${text}" is no duration; write it like "30s".`)
}

/**
 * Writes a size in the largest unit that leaves at least 1, with at most one decimal.
 *
 * @example
 * ```ts
 * formatBytes(1536) // => '1.5 KiB'
 * ```
 */
export function formatBytes(bytes: number): string {
  let step = 0
  let value = bytes
  while (value >= 1023.95 && step < SIZE_STEPS.length - 1) {
    value /= 1024
    step += 1
  }
  return `${shortNumber(value)} ${SIZE_STEPS[step]!}`
}

/**
 * Writes a duration in one or two units.
 *
 * @example
 * ```ts
 * formatDuration(90_000) // => '1m 30s'
 * ```
 */
export function formatDuration(durationMs: number): string {
  if (durationMs < 999.5) return `${shortNumber(durationMs)}ms`
  if (durationMs < 59_950) return `${shortNumber(durationMs / 1000)}s`
  const seconds = Math.round(durationMs / 1000)
  if (seconds < 3600) return twoUnits(seconds, 60, 'm', 's')
  const minutes = Math.round(seconds / 60)
  if (minutes < 24 * 60) return twoUnits(minutes, 60, 'h', 'm')
  return twoUnits(Math.round(minutes / 60), 24, 'd', 'h')
}

/** A number in the unit's base, or NaN. */
function parse(text: string, units: Readonly<Record<string, number>>): number {
  const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]+)$/.exec(text.trim())
  if (match === null) return NaN
  const unit = match[2]!
  return Object.hasOwn(units, unit) ? Number(match[1]) * units[unit]! : NaN
}

/** At most one decimal, and none that is zero. */
function shortNumber(value: number): string {
  return String(Math.round(value * 10) / 10)
}

function twoUnits(count: number, perLarge: number, large: string, small: string): string {
  const rest = count % perLarge
  const whole = `${Math.floor(count / perLarge)}${large}`
  return rest === 0 ? whole : `${whole} ${rest}${small}`
}
