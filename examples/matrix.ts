/**
 * A product of two matrices, row by row: each task has some rows of the left one, and all have the right one, which is
 * brought to every worker once and lies in shared memory there.
 *
 * Prints:
 *     600 x 600 by 600 x 600 in 12 tasks
 *     the same as in one loop: true
 */
import { connect } from 'heddle'

const SIZE = 600
const ROWS_A_TASK = 50

/** Some rows times a matrix of `size` columns, all of them row after row in one typed array. */
function multiply(rows: Float64Array, right: Float64Array, size: number): Float64Array {
  const product = new Float64Array(rows.length)
  for (let start = 0; start < rows.length; start += size) {
    for (let k = 0; k < size; k++) {
      const factor = rows[start + k]!
      for (let column = 0; column < size; column++) product[start + column]! += factor * right[k * size + column]!
    }
  }
  return product
}

const left = Float64Array.from({ length: SIZE * SIZE }, (_, i) => (i % 17) - 8)
const right = Float64Array.from({ length: SIZE * SIZE }, (_, i) => (i % 23) - 11)

await using client = await connect()
const shared = client.scatter(right, { broadcast: true })
const bands = Array.from({ length: SIZE / ROWS_A_TASK }, (_, i) =>
  left.subarray(i * ROWS_A_TASK * SIZE, (i + 1) * ROWS_A_TASK * SIZE),
)
const products = await client.gather(client.map(multiply, bands, { args: [shared, SIZE] }))
console.log(`${SIZE} x ${SIZE} by ${SIZE} x ${SIZE} in ${products.length} tasks`)

const product = products.flatMap((band) => [...band])
const expected = multiply(left, right, SIZE)
console.log(
  'the same as in one loop:',
  product.length === expected.length && expected.every((x, i) => x === product[i]),
)
