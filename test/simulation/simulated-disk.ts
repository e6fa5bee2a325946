/** The disk of a simulated worker: spill files that take time, fail to be written, and can't always be read back. */
import assert from 'node:assert/strict'
import type { Rng } from '../../common/rng.js'
import type { TaskId } from '../../protocol/ids.js'
import type { WorkerEvent } from '../../worker/core/events.js'
import type { SpilledFile } from '../../worker/core/instructions.js'
import type { Unstamped } from './loop.js'
import type { StoredValue } from './simulated-thread.js'
import type { World } from './world.js'

export interface DiskOptions {
  readonly world: World
  readonly rng: Rng
  readonly store: Map<TaskId, StoredValue>
  readonly submit: (event: Unstamped<WorkerEvent>) => void
  /** How many times longer than usual it takes. */
  readonly slowness: number
}

export class SimulatedDisk {
  readonly #options: DiskOptions
  readonly #files = new Map<number, StoredValue>()
  readonly #away = new Map<TaskId, number>()
  readonly #discarded = new Set<number>()

  constructor(options: DiskOptions) {
    this.#options = options
  }

  spill(task: TaskId, file: number): void {
    const { world, rng, store, submit, slowness } = this.#options
    const value = store.get(task)
    world.agenda.in(rng.between(0.1, 20) * slowness, () => {
      if (this.#discarded.has(file)) return
      if (value === undefined || rng.chance(world.spillFailure)) {
        world.counts.spillFailures++
        submit({ type: 'spill-failed', task, file, reason: 'the disk is full' })
        return
      }
      this.#files.set(file, value)
      submit({ type: 'value-spilled', task, file })
    })
  }

  evict(task: TaskId, file: number): void {
    const { world, store } = this.#options
    world.counts.spilled++
    if (store.get(task) !== this.#files.get(file)) return
    store.delete(task)
    this.#away.set(task, file)
  }

  load(task: TaskId, file: number): void {
    const { world, rng, store, submit, slowness } = this.#options
    world.agenda.in(rng.between(0.1, 20) * slowness, () => {
      const value = this.#files.get(file)
      const hasFailed = value === undefined || rng.chance(world.spillFailure)
      if (hasFailed || this.#away.get(task) !== file) {
        world.counts.unreadable++
        submit({ type: 'value-unreadable', task, file })
        return
      }
      world.counts.loaded++
      store.set(task, { ...value })
      this.#away.delete(task)
      submit({ type: 'value-loaded', task, file, sizeBytes: value.sizeBytes })
    })
  }

  discard(files: readonly SpilledFile[]): void {
    for (const { task, file } of files) {
      if (this.#away.get(task) === file) this.#away.delete(task)
      this.#files.delete(file)
      this.#discarded.add(file)
    }
  }

  forget(tasks: readonly TaskId[]): void {
    for (const task of tasks) this.#away.delete(task)
  }

  /** A value that somebody fetches is read for them alone; where that fails, the worker learns that its copy is lost. */
  valueOf(task: TaskId): StoredValue | undefined {
    const { world, rng, submit } = this.#options
    const file = this.#away.get(task)
    if (file === undefined) return undefined
    const value = this.#files.get(file)
    if (value !== undefined && !rng.chance(world.spillFailure)) return value
    world.counts.unreadable++
    submit({ type: 'value-unreadable', task, file })
    return undefined
  }

  checkEmpty(name: string): void {
    assert.deepEqual([...this.#files.keys()], [], `${name} has spill files left`)
    assert.deepEqual([...this.#away.keys()], [], `${name} believes to have spilled values`)
  }
}
