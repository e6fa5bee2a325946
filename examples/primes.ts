/**
 * How many primes lie below 10 million? The numbers are cut into ranges, each task tries the divisors of one, and the
 * counts are added. The same on a cluster of one worker and of two shows what a second machine is worth, so the search is
 * made to need a processor and nothing else: a sieve would be quicker, but two of them on one machine share its caches.
 *
 * Prints:
 *     1 worker: 664,579 primes in 40 ranges, … s
 *     2 workers: 664,579 primes in 40 ranges, … s
 *     speed-up: …
 */
import { connect, LocalCluster } from 'heddle'
import type { Client } from 'heddle'

const END = 10_000_000
const RANGES = 40

/** Counts the primes from `start` to before `end`. */
function countPrimes(start: number, end: number): number {
  const isPrime = (number: number): boolean => {
    if (number % 2 === 0) return number === 2
    for (let divisor = 3; divisor * divisor <= number; divisor += 2) if (number % divisor === 0) return false
    return number > 1
  }
  let primes = 0
  for (let number = start; number < end; number++) if (isPrime(number)) primes += 1
  return primes
}

/** The largest numbers take longest and come first, so that the workers end together. */
const ranges = Array.from(
  { length: RANGES },
  (_, i) => [(i * END) / RANGES, ((i + 1) * END) / RANGES] as const,
).reverse()

/** Returns how many seconds it took. */
async function timed(client: Client, workers: string): Promise<number> {
  const startedAtMs = performance.now()
  const counts = await client.gather(client.starmap(countPrimes, ranges))
  const seconds = (performance.now() - startedAtMs) / 1000
  const total = counts.reduce((sum, count) => sum + count, 0).toLocaleString('en')
  console.log(`${workers}: ${total} primes in ${RANGES} ranges, ${seconds.toFixed(2)} s`)
  return seconds
}

await using small = await LocalCluster.start({ workers: 1, threadsPerWorker: 1 })
await using large = await LocalCluster.start({ workers: 2, threadsPerWorker: 1 })
await using one = await connect(small)
await using two = await connect(large)
for (const client of [one, two]) await client.gather(client.starmap(countPrimes, ranges.slice(-4))) // The first calls are slow.
const speedUp = (await timed(one, '1 worker')) / (await timed(two, '2 workers'))
console.log(`speed-up: ${speedUp.toFixed(2)}`)
