/** Futures between real processes: work that outlives its client, runs again, is shared by key and by purity. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test from 'node:test'
import { asCompleted } from '../../client/as-completed.js'
import { connect } from '../../client/connect.js'
import { wait } from '../../client/wait.js'
import { LocalCluster } from '../../deploy/local-cluster.js'
import type { FunctionStatus } from '../../protocol/messages/status.js'
import { eventually } from '../support/eventually.js'

const isGone = ({ name, tasks }: FunctionStatus): boolean =>
  name !== 'note' || Object.values(tasks).every((count) => count === 0)

test('futures end in their order, work goes on without its client, is shared, and runs again', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'heddle-futures-'))
  t.after(() => rm(folder, { recursive: true }))
  await using cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1 })
  await using client = await connect(cluster)

  /** Writes a line, and fails unless the file `allow` is there. */
  const note = async (log: string, text: string, allow?: string): Promise<string> => {
    const { appendFile, access } = await import('node:fs/promises')
    await appendFile(log, `${text}\n`)
    if (allow !== undefined) await access(allow)
    return text
  }
  const log = path.join(folder, 'log')
  const lines = async (): Promise<string[]> => {
    const text = await readFile(log, 'utf8').catch(() => '')
    return text.split('\n').filter((line) => line !== '')
  }

  await t.test('as they end', async () => {
    const go = path.join(folder, 'go')
    const slow = client.submit(async (file: string) => {
      const { existsSync } = await import('node:fs')
      const { setTimeout } = await import('node:timers/promises')
      while (!existsSync(file)) await setTimeout(10)
    }, go)
    const quick = client.submit(() => 'quick')
    const bad = client.submit(() => {
      throw new RangeError('bad')
    })
    const seen: unknown[] = []
    for await (const future of asCompleted([slow, quick, bad])) {
      seen.push(future)
      if (seen.length === 2) await writeFile(go, '')
    }
    assert.equal(seen.at(-1), slow)
    assert.equal(new Set(seen).size, 3)
    const { done } = await wait([slow, quick, bad], { timeoutMs: 60_000 })
    assert.equal(done.length, 3)
  })

  await t.test('fired and forgotten', async () => {
    const other = await connect(cluster)
    other.fireAndForget(other.map(note, [log, log, log], { args: ['fired'] }))
    await other.close()
    await eventually('three lines', async () => (await lines()).length === 3)
    await eventually('nothing is left of it', async () => (await client.info()).functions.every(isGone))
  })

  await t.test('pure work of two clients is done once, and attached to by key', async () => {
    await using other = await connect(cluster)
    const mine = client.with({ pure: true }).submit(note, log, 'pure')
    assert.equal(await mine, 'pure')
    const theirs = other.with({ pure: true }).submit(note, log, 'pure')
    assert.equal(theirs.key, mine.key)
    assert.equal(await theirs, 'pure')
    assert.equal(await other.future<string>(mine.key), 'pure')
    const generated = client.submit((x: number) => x + 1, 1)
    await generated
    assert.equal(await other.future<number>(generated.key), 2)
    assert.equal((await lines()).filter((line) => line === 'pure').length, 1)
    await assert.rejects(other.future('nothing').result(), { code: 'ERR_HEDDLE_UNKNOWN_KEY' })
  })

  await t.test('retried, with what needed it', async () => {
    const allow = path.join(folder, 'allow')
    const first = client.submit(note, log, 'retried', allow)
    const second = first.pipe((text: string) => text.length)
    await assert.rejects(second.result(), { code: 'ENOENT' })
    await note(allow, 'yes')
    first.retry()
    assert.equal(await first, 'retried')
    assert.equal(await second, 7)
    assert.equal((await lines()).filter((line) => line === 'retried').length, 2)
  })
})
