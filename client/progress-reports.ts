/** What a task reports of itself, as whoever holds its future hears it: the latest, and the end with the task. */
import type { TaskProgress } from './future.js'
import type { Place, Watcher } from './task-array.js'

/** A future, which is held as long as somebody reads. */
type Reporting = Place & { readonly owner: { readonly isEnded: boolean } }

/** Each `for await` over it is a reader of its own. */
export class ProgressReports implements AsyncIterable<TaskProgress> {
  readonly #future: Reporting

  constructor(future: Reporting) {
    this.#future = future
  }

  [Symbol.asyncIterator](): AsyncIterator<TaskProgress, undefined> {
    return new ProgressReader(this.#future)
  }
}

class ProgressReader implements AsyncIterator<TaskProgress, undefined>, Watcher {
  /** Held, and let go of with the task's end. */
  #future: Reporting | undefined
  #stop: () => void
  /** What was not read yet: a reader that is slow misses what came between. */
  #latest: TaskProgress | undefined
  #wake: (() => void) | undefined
  /** Calls to `next` are answered one after the other. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(future: Reporting) {
    const { array, index, owner } = future
    this.#latest = array.progressOf(index)
    this.#stop = () => undefined
    if (!array.isPending(index) || owner.isEnded) return
    this.#future = future
    this.#stop = array.onProgress(index, (progress) => {
      this.#latest = progress
      this.#wake?.()
    })
    array.watch(index, this)
  }

  next(): Promise<IteratorResult<TaskProgress, undefined>> {
    const next = this.#last.then(() => this.#next())
    this.#last = next
    return next
  }

  return(): Promise<IteratorResult<TaskProgress, undefined>> {
    this.#future?.array.unwatch(this.#future.index, this)
    this.#latest = undefined
    this.onOver()
    return Promise.resolve({ done: true, value: undefined })
  }

  onOver(): void {
    this.#future = undefined
    this.#stop()
    this.#wake?.()
  }

  async #next(): Promise<IteratorResult<TaskProgress, undefined>> {
    while (this.#latest === undefined && this.#future !== undefined) {
      // In the code of a task: its thread may run others meanwhile, and this one.
      const { parent } = this.#future.array
      parent?.beginWait()
      await new Promise<void>((resolve) => (this.#wake = resolve))
      parent?.endWait()
    }
    const value = this.#latest
    this.#latest = undefined
    return value === undefined ? { done: true, value } : { done: false, value }
  }
}
