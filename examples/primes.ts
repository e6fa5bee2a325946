/**
 * How many primes lie below 200 million? The numbers are cut into ranges, each task sieves one, and the counts are added.
 * The same on a cluster of one worker and of two shows what a second machine is worth.
 *
 * Prints:
 *     1 worker: 11,078,937 primes in 100 ranges, … s
 *     2 workers: 11,078,937 primes in 100 ranges, … s
 *     speed-up: …
 */
import { connect, LocalCluster } from 'heddle'

const END = 200_000_000
const RANGES = 100

/** Counts the primes from `start` to before `end`. */
function countPrimes(start: number, end: number): number {
  const root = Math.ceil(Math.sqrt(end))
  const isComposite = new Uint8Array(end - start)
  for (let factor = 2; factor <= root; factor++) {
    const first = Math.max(factor * factor, Math.ceil(start / factor) * factor)
    for (let multiple = first; multiple < end; multiple += factor) isComposite[multiple - start] = 1
  }
  let primes = 0
  for (let number = Math.max(2, start); number < end; number++) if (isComposite[number - start] === 0) primes += 1
  return primes
}

/** Returns how many seconds it took. */
async function countOn(workers: number): Promise<number> {
  await using cluster = await LocalCluster.start({ workers, threadsPerWorker: 1 })
  await using client = await connect(cluster)
  const size = END / RANGES
  const ranges = Array.from({ length: RANGES }, (_, i) => [i * size, (i + 1) * size] as const)
  await client.gather(client.starmap(countPrimes, ranges.slice(0, workers))) // The first calls of a function are slow.

  const startedAtMs = performance.now()
  const counts = await client.gather(client.starmap(countPrimes, ranges))
  const seconds = (performance.now() - startedAtMs) / 1000
  const total = counts.reduce((sum, count) => sum + count, 0).toLocaleString('en')
  const who = workers === 1 ? '1 worker' : `${workers} workers`
  console.log(`${who}: ${total} primes in ${RANGES} ranges, ${seconds.toFixed(2)} s`)
  return seconds
}

const [alone, together] = [await countOn(1), await countOn(2)]
console.log(`speed-up: ${(alone / together).toFixed(2)}`)
