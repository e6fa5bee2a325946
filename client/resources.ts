/** What a task says it needs of the worker that runs it, checked and counted. */
import { parseBytes } from '../common/units.js'
import type { Needs } from '../protocol/messages/needs.js'
import { isResourceName, MAX_AMOUNTS, thousandthsOf, type Amount } from '../protocol/resources.js'
import { describe, invalidOption } from './options.js'

/**
 * What a task takes of a worker while it is there. Any other name is a resource that workers were started with
 * (`heddle worker join --resource gpu=1`, `LocalCluster`'s `resources`), in whole numbers or with up to three decimals.
 */
export interface Resources {
  /**
   * Threads of the worker that the task keeps busy. Default: 1. With 0 it is an I/O task, an asynchronous function that waits
   * for the network or the disk nearly all the time: such tasks run beside the worker's threads, up to 256 at once
   * (`--io-tasks`) in turn on one event loop, so one that computes for long keeps the others waiting.
   */
  readonly threads?: number | undefined
  /** Memory that it takes at its worst, its result included: `'2GiB'`, or a number of bytes. */
  readonly memory?: string | number | undefined
  readonly [name: string]: string | number | undefined
}

const MAX_THREADS = 1024

/**
 * What of `base` the resources change.
 *
 * @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION`, naming the resource, its value and what would be right.
 */
export function resolveResources(given: unknown, base: Needs): Needs {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalidOption(`resources is ${describe(given)}; give an object, as in { memory: '2GiB', gpu: 1 }.`)
  }
  const { threads = 1, memory, ...named } = given as Resources
  checkThreads(threads)
  const memoryBytes = memory === undefined ? 0 : bytesOf(memory)
  const others: Amount[] = []
  for (const [name, amount] of Object.entries(named)) if (amount !== undefined) others.push(amountOf(name, amount))
  if (others.length > MAX_AMOUNTS) {
    throw invalidOption(`resources has ${others.length} names; a task has at most ${MAX_AMOUNTS}.`)
  }
  others.sort((a, b) => (a.name < b.name ? -1 : 1))
  return { ...base, threads, memoryBytes, others: Object.freeze(others) }
}

function checkThreads(threads: unknown): asserts threads is number {
  if (Number.isInteger(threads) && (threads as number) >= 0 && (threads as number) <= MAX_THREADS) return
  throw invalidOption(`resources.threads is ${describe(threads)}; give a whole number from 0 to ${MAX_THREADS}.`)
}

function bytesOf(memory: unknown): number {
  const bytes = typeof memory === 'string' ? bytesOrNothing(memory) : memory
  if (typeof bytes === 'number' && Number.isSafeInteger(bytes) && bytes > 0) return bytes
  throw invalidOption(`resources.memory is ${describe(memory)}; write it like "2GiB", or as a whole number of bytes.`)
}

function bytesOrNothing(text: string): number {
  try {
    return parseBytes(text)
  } catch {
    return 0
  }
}

function amountOf(name: string, amount: unknown): Amount {
  if (!isResourceName(name)) {
    throw invalidOption(
      `resources has ${describe(name)}, which is no name; use up to 64 letters, digits, dots, dashes and underscores.`,
    )
  }
  const thousandths = thousandthsOf(amount)
  if (thousandths !== undefined) return { name, thousandths }
  throw invalidOption(`resources.${name} is ${describe(amount)}; give a number above 0 with at most three decimals.`)
}
