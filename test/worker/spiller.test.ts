import assert from 'node:assert/strict'
import { truncate } from 'node:fs/promises'
import path from 'node:path'
import test from 'node:test'
import { NO_LOG } from '../../common/node/log.js'
import { ScratchFolder } from '../../common/node/scratch-folder.js'
import { arrayId, taskId } from '../../protocol/ids.js'
import { MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'
import type { Loan } from '../../protocol/transport/value-server.js'
import { Spiller } from '../../worker/spiller.js'
import type { WorkerEvent } from '../../worker/core/events.js'
import { ValueStore } from '../../worker/value-store.js'
import { eventually } from '../support/eventually.js'

const [a, b] = [taskId(arrayId(1), 0), taskId(arrayId(1), 1)]
const VALUE = new Uint8Array(MAX_INLINE_RESULT_BYTES + 1).fill(7)

class Scene implements AsyncDisposable {
  readonly store = new ValueStore()
  readonly events: WorkerEvent[] = []
  readonly errors: string[] = []
  readonly spiller: Spiller
  readonly scratch: ScratchFolder

  private constructor(scratch: ScratchFolder) {
    this.scratch = scratch
    this.spiller = new Spiller({
      scratch: scratch.path,
      store: this.store,
      log: { ...NO_LOG, error: (_fields: object, text: string) => void this.errors.push(text) },
      submit: (event) => this.events.push(event),
      maxLentBytes: VALUE.length,
    })
  }

  static async begin(): Promise<Scene> {
    return new Scene(await ScratchFolder.create())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.spiller.close()
    await this.scratch[Symbol.asyncDispose]()
  }

  fileOf(file: number): string {
    return path.join(this.scratch.path, 'spilled', String(file))
  }

  async next(type: WorkerEvent['type']): Promise<WorkerEvent> {
    await eventually(type, () => this.events.length > 0)
    const event = this.events.shift()!
    assert.equal(event.type, type)
    return event
  }

  /** Puts the value of `task` on disk, and nowhere else. */
  async spill(task: typeof a, file: number): Promise<void> {
    this.store.put(task, VALUE)
    this.spiller.spill(task, file)
    await this.next('value-spilled')
    this.spiller.evict(task, file)
    assert.equal(this.store.get(task), undefined)
  }

  async lend(task: typeof a): Promise<Loan> {
    const loan = await this.spiller.lookup(task)
    assert.ok(loan !== undefined && 'done' in loan)
    return loan
  }
}

test('a value goes to disk and comes back', async () => {
  await using scene = await Scene.begin()
  await scene.spill(a, 1)
  scene.spiller.load(a, 1)
  const { nowMs: _, ...loaded } = await scene.next('value-loaded')
  assert.deepEqual(loaded, {
    type: 'value-loaded',
    task: a,
    file: 1,
    sizeBytes: VALUE.length,
  })
  assert.deepEqual(new Uint8Array(scene.store.get(a)!), VALUE)
})

test('the event loop turns many times while a large value is written, and while it is read', async () => {
  await using scene = await Scene.begin()
  scene.store.put(a, new Uint8Array(32 * 2 ** 20).fill(3))
  for (const begin of ['spill', 'load'] as const) {
    let turns = 0
    const count = (): void => {
      if (scene.events.length > 0) return
      turns++
      setImmediate(count)
    }
    scene.spiller[begin](a, 1)
    count()
    await scene.next(begin === 'spill' ? 'value-spilled' : 'value-loaded')
    scene.spiller.evict(a, 1)
    assert.ok(turns > 8, `${turns} turns`)
  }
})

test('a file that is broken is told and logged', async () => {
  await using scene = await Scene.begin()
  await scene.spill(a, 1)
  await truncate(scene.fileOf(1), 10)
  scene.spiller.load(a, 1)
  await scene.next('value-unreadable')
  assert.match(scene.errors.join(), /cannot be read back/)
})

test('a value that is let go while it is read is no broken file, and takes no memory', async () => {
  await using scene = await Scene.begin()
  await scene.spill(a, 1)
  await scene.spill(b, 2)
  scene.spiller.load(a, 1)
  scene.spiller.forget([a])
  scene.spiller.load(b, 2)
  scene.spiller.discard([{ task: b, file: 2 }])
  await scene.next('value-unreadable')
  await scene.next('value-unreadable')
  assert.deepEqual(scene.errors, [])
  assert.equal(scene.store.count, 0)
})

test('who gets a large value from memory uses it', async () => {
  await using scene = await Scene.begin()
  scene.store.put(a, VALUE)
  scene.store.put(b, Uint8Array.of(1))
  assert.equal((scene.spiller.lookup(a) as Uint8Array).length, VALUE.length)
  void scene.spiller.lookup(b)
  assert.deepEqual(
    scene.events.map(({ nowMs: _, ...event }) => event),
    [{ type: 'value-served', task: a }],
  )
})

test('a spilled value that others get is read once for all of them, and takes no memory when they have it', async () => {
  await using scene = await Scene.begin()
  await scene.spill(a, 1)
  await scene.spill(b, 2)
  const [first, second] = await Promise.all([scene.lend(a), scene.lend(a)])
  assert.equal(first.bytes, second.bytes)
  assert.deepEqual(first.bytes, VALUE)
  const other = scene.lend(b)
  first.done()
  assert.equal(scene.store.get(a), undefined)
  second.done()
  const { bytes, done } = await other
  assert.deepEqual(bytes, VALUE)
  done()
  assert.notEqual((await scene.lend(a)).bytes, first.bytes)
})

test('who gets a spilled value whose file is broken hears that it is gone, and so does the core', async () => {
  await using scene = await Scene.begin()
  await scene.spill(a, 1)
  await truncate(scene.fileOf(1), 10)
  assert.equal(await scene.spiller.lookup(a), undefined)
  await scene.next('value-unreadable')
})
