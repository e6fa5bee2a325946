/** A small cluster for one test: of processes, or in the thread of the test. */
import type { LocalClusterOptions } from '../deploy/local-options.js'
import type { Client } from '../client/client.js'
import { connect } from '../client/connect.js'
import { checkOptionNames, describe, invalidOption } from '../client/options.js'

/** Options of {@link withCluster}. */
export interface WithClusterOptions {
  /**
   * `processes` (the default): a scheduler and workers as child processes, as in earnest. `inline`: all in this thread,
   * which starts at once and stops at breakpoints; tasks then run one at a time.
   */
  readonly kind?: 'processes' | 'inline' | undefined
  /** How many worker processes. Default: 2. */
  readonly workers?: number | undefined
  /** How many threads each has. Default: 1. */
  readonly threadsPerWorker?: number | undefined
  /** Memory of each worker, such as `'1GiB'`. Default: a share of the machine's. */
  readonly memoryLimit?: LocalClusterOptions['memoryLimit'] | undefined
}

/**
 * Starts a small cluster and a client, runs `test` with the client, and closes both, whether the test passes or not.
 * Returns what `test` returned.
 *
 * @example With node:test
 * ```ts
 * import assert from 'node:assert/strict'
 * import test from 'node:test'
 * import { withCluster } from 'heddle/testing'
 *
 * test('words are counted', () =>
 *   withCluster(async (client) => {
 *     const count = client.submit((text: string) => text.split(' ').length, 'to be or not')
 *     assert.equal(await count, 4)
 *   }))
 * ```
 * @example With Vitest
 * ```ts
 * import { expect, test } from 'vitest'
 * import { withCluster } from 'heddle/testing'
 *
 * test('words are counted', async () => {
 *   const count = await withCluster(
 *     (client) => client.submit((text: string) => text.split(' ').length, 'to be or not'),
 *     { kind: 'inline' },
 *   )
 *   expect(count).toBe(4)
 * })
 * ```
 */
export async function withCluster<T>(
  test: (client: Client) => T | PromiseLike<T>,
  options: WithClusterOptions = {},
): Promise<T> {
  checkOptionNames('withCluster()', options, ['kind', 'workers', 'threadsPerWorker', 'memoryLimit'])
  const { kind = 'processes', workers = 2, threadsPerWorker = 1, memoryLimit } = options
  if (kind === 'inline') {
    const unused = Object.keys(options).filter((name) => name !== 'kind')
    if (unused.length > 0)
      throw invalidOption(`An inline cluster has one worker in this thread; leave ${unused.join(', ')} out.`)
    await using client = await connect('inline:')
    return await test(client)
  }
  if (kind !== 'processes') throw invalidOption(`kind is ${describe(kind)}; give "processes" or "inline".`)
  const { LocalCluster } = await import('../deploy/local-cluster.js')
  const size = { workers, threadsPerWorker, ...(memoryLimit !== undefined && { memoryLimit }) }
  await using cluster = await LocalCluster.start(size)
  await using client = await connect(cluster)
  return await test(client)
}
