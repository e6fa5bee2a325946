import assert from 'node:assert/strict'
import test from 'node:test'
import { formatBytes, formatDuration, parseBytes, parseDuration } from '../../common/units.js'

test('sizes are read in binary and decimal units', () => {
  assert.equal(parseBytes('2GiB'), 2 * 1024 ** 3)
  assert.equal(parseBytes('1.5 KiB'), 1536)
  assert.equal(parseBytes('4GB'), 4e9)
  assert.equal(parseBytes('0B'), 0)
  for (const text of ['', '2', 'GiB', '-1GiB', '2 gib', '1e3B', '2GiBs', '1..5KiB', '99999999TiB', '1toString']) {
    assert.throws(() => parseBytes(text), {
      name: 'RangeError',
      message: `"${text}" is no size; write it like "2GiB".`,
    })
  }
})

test('durations are read in one unit', () => {
  assert.equal(parseDuration('30s'), 30_000)
  assert.equal(parseDuration('250ms'), 250)
  assert.equal(parseDuration('1.5m'), 90_000)
  assert.throws(() => parseDuration('30'), /"30" is no duration; write it like "30s"/)
})

test('sizes and durations are written short', () => {
  const sizes = [0, 1, 1023, 1024, 1536, 1024 ** 2 - 1, 2 * 1024 ** 3, 3.25 * 1024 ** 5].map(formatBytes)
  assert.deepEqual(sizes, ['0 B', '1 B', '1023 B', '1 KiB', '1.5 KiB', '1 MiB', '2 GiB', '3328 TiB'])
  const durations = [0, 0.04, 1.25, 999.4, 999.6, 59_900, 59_990, 61_000, 3_599_900, 86_399_000, 90_000_000].map(
    formatDuration,
  )
  assert.deepEqual(durations, ['0ms', '0ms', '1.3ms', '999.4ms', '1s', '59.9s', '1m', '1m 1s', '1h', '1d', '1d 1h'])
})
