/**
 * Merge sort by recursion: each call is a task, which submits its two halves as tasks, waits for them and merges what they
 * give. While a task waits, its thread runs others, so ten levels of calls that wait for each other need one thread and no
 * more.
 *
 * Prints:
 *     100,000 numbers in 1,023 tasks on one thread, in order: true
 */
import { connect, LocalCluster } from 'heddle'

const COUNT = 100_000
/** Fewer are sorted at once: ten levels of tasks down. */
const ENOUGH = 200

interface Sorted {
  readonly numbers: Float64Array
  /** How many tasks it took. */
  readonly tasks: number
}

async function mergeSort(numbers: Float64Array, enough: number): Promise<Sorted> {
  // What comes from elsewhere is shared with other tasks: it is copied, and not changed.
  if (numbers.length <= enough) return { numbers: numbers.slice().sort(), tasks: 1 }
  const { task } = await import('heddle/task')
  const client = task.client()
  const middle = numbers.length >> 1
  const halves = [numbers.slice(0, middle), numbers.slice(middle)].map((half) => client.submit(mergeSort, half, enough))
  const [left, right] = (await client.gather(halves)) as [Sorted, Sorted]

  const merged = new Float64Array(numbers.length)
  let i = 0
  let j = 0
  for (let k = 0; k < merged.length; k++) {
    const a = left.numbers[i]
    const b = right.numbers[j]
    const takesLeft = b === undefined || (a !== undefined && a <= b)
    merged[k] = takesLeft ? left.numbers[i++]! : right.numbers[j++]!
  }
  return { numbers: merged, tasks: left.tasks + right.tasks + 1 }
}

await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1 })
await using client = await connect(cluster)
const random = Float64Array.from({ length: COUNT }, () => Math.random())
const { numbers, tasks } = await client.submit(mergeSort, random, ENOUGH)
const isInOrder = numbers.every((number, i) => i === 0 || numbers[i - 1]! <= number)
const [count, taskCount] = [numbers.length, tasks].map((each) => each.toLocaleString('en'))
console.log(`${count} numbers in ${taskCount} tasks on one thread, in order: ${isInOrder}`)
