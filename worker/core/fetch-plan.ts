/**
 * Inputs that have to come from other workers, from our own disk, or from tasks that are still to run: who could give each, who
 * was asked, and which tasks wait for it. An input that is under way is never asked for a second time, so what a peer was asked
 * for stays here until its answer, even when nobody waits for it any more.
 */
import { workerId, type TaskId, type WorkerId } from '../../protocol/ids.js'
import type { Task } from './task.js'

/** Stands among holders for our own disk, whatever number the scheduler gave us. */
export const OWN_DISK = workerId(-1)
/** Stands for a task of ours that is to make the value. */
export const OWN_TASK = workerId(-2)

export interface Fetch {
  readonly input: TaskId
  /** As the scheduler said when it was first wanted; 0 for what was still to be made, until its holder says more. */
  sizeBytes: number
  /** All in state `waiting`. */
  readonly waiters: Set<Task>
  /** The scheduler ordered a copy, and waits for word of it: it is fetched even when no task waits. */
  isOrdered: boolean
  /** Who may hold it and was not asked, the next one first. */
  readonly holders: WorkerId[]
  /** Which holder is still to make it; that one will have been sent so many tasks then. */
  maker: { readonly holder: WorkerId; readonly after: number } | undefined
  /** The one that was asked is waited for until it has made the value. */
  isAwait: boolean
  /** Whose answer is awaited; `undefined` until the end of the turn in which the fetch was planned. */
  asked: WorkerId | undefined
}

/** Where an input is, and how large. */
export interface Source {
  readonly holders: readonly WorkerId[]
  readonly sizeBytes: number
  /** The only holder is still to make it, and will have been sent so many tasks then. */
  readonly after?: number | undefined
}

/** Does a task wait for it, or the scheduler? */
export function isWanted({ waiters, isOrdered }: Fetch): boolean {
  return waiters.size > 0 || isOrdered
}

/** And no answer is to come that would have to be heard. */
function isForNobody(fetch: Fetch): boolean {
  return !isWanted(fetch) && (fetch.asked === undefined || fetch.asked === OWN_TASK)
}

/** Was a holder asked that has it? What is still to be made may need what is fetched meanwhile. */
export function isOnItsWay({ asked, isAwait }: Fetch): boolean {
  return asked !== undefined && asked !== OWN_TASK && !isAwait
}

export class FetchPlan {
  readonly #fetches = new Map<TaskId, Fetch>()
  /** Those of `#fetches` that nobody was asked for. */
  readonly #planned = new Set<Fetch>()
  /** Those that tasks of ours are to make. */
  readonly #own = new Set<Fetch>()
  /** How many values each peer is waited for that is to make them. */
  readonly #awaited = new Map<WorkerId, number>()
  #askedBytes = 0

  /** Bytes of the values whose holders were asked and have not answered, but for those that are still to be made. */
  get askedBytes(): number {
    return this.#askedBytes
  }

  /** A task waits for `input`. Returns false, and notes nothing, when nobody is known to hold it. */
  want(input: TaskId, task: Task, { holders, sizeBytes, after }: Source): boolean {
    let fetch = this.#fetches.get(input)
    if (fetch === undefined) {
      if (holders.length === 0) return false
      fetch = this.#plan(input, sizeBytes)
    }
    if (after !== undefined) fetch.maker = { holder: holders[0]!, after }
    for (const holder of holders) {
      if (holder !== fetch.asked && !fetch.holders.includes(holder)) fetch.holders.push(holder)
    }
    fetch.waiters.add(task)
    return true
  }

  /** The scheduler wants a copy of `input` here, which `holder` has. */
  order(input: TaskId, holder: WorkerId, sizeBytes: number): void {
    const fetch = this.#fetches.get(input) ?? this.#plan(input, sizeBytes)
    fetch.isOrdered = true
    if (holder !== fetch.asked && !fetch.holders.includes(holder)) fetch.holders.push(holder)
  }

  /** Nobody waits for word of copies any more. */
  forgetOrders(): void {
    for (const fetch of [...this.#fetches.values()]) {
      fetch.isOrdered = false
      fetch.maker = undefined
      if (isForNobody(fetch)) this.#remove(fetch)
    }
  }

  /** Nobody can be asked for it. */
  giveUp(fetch: Fetch): void {
    this.#remove(fetch)
  }

  /** The task does not wait for `input` any more. */
  stopWaiting(input: TaskId, task: Task): void {
    const fetch = this.#fetches.get(input)
    if (fetch === undefined) return
    fetch.waiters.delete(task)
    if (isForNobody(fetch)) this.#remove(fetch)
  }

  /** The value is here. Returns who waited for it, or `undefined` if it was not being fetched. */
  arrived(input: TaskId): ReadonlySet<Task> | undefined {
    const fetch = this.#fetches.get(input)
    if (fetch === undefined) return undefined
    this.#remove(fetch)
    return fetch.waiters
  }

  /** `holder` does not give the value: the next holder will be asked. Returns who waits in vain when there is none. */
  missing(input: TaskId, holder: WorkerId): ReadonlySet<Task> | undefined {
    const fetch = this.#fetches.get(input)
    if (fetch?.asked !== holder) return undefined
    this.#unask(fetch)
    if (fetch.maker?.holder === holder) fetch.maker = undefined
    if (isWanted(fetch) && fetch.holders.length > 0) {
      this.#planned.add(fetch)
      return undefined
    }
    this.#remove(fetch)
    return fetch.waiters
  }

  /** `holder` was not reached: it is the next to be asked, on another way. */
  askAgain(input: TaskId, holder: WorkerId): void {
    const fetch = this.#fetches.get(input)
    if (fetch?.asked !== holder) return
    this.#unask(fetch)
    if (!isWanted(fetch)) return this.#remove(fetch)
    fetch.holders.unshift(holder)
    this.#planned.add(fetch)
  }

  /** `holder` has the value that was to be made there, and is asked for it when there is room. */
  located(input: TaskId, holder: WorkerId, sizeBytes: number): void {
    const fetch = this.#fetches.get(input)
    if (fetch?.asked !== holder) return
    this.askAgain(input, holder)
    fetch.maker = undefined
    fetch.sizeBytes = sizeBytes
  }

  /** Peers that are waited for until they have made something. */
  get awaited(): ReadonlyMap<WorkerId, number> {
    return this.#awaited
  }

  /** Inputs that tasks of ours are to make. */
  get own(): ReadonlySet<Fetch> {
    return this.#own
  }

  /** Fetches for which somebody has to be asked, in the order they were wanted. */
  get planned(): ReadonlySet<Fetch> {
    return this.#planned
  }

  /** `holder` is being asked. */
  markAsked(fetch: Fetch, holder: WorkerId): void {
    fetch.asked = holder
    if (holder === OWN_TASK) this.#own.add(fetch)
    fetch.isAwait = fetch.maker?.holder === holder
    if (fetch.isAwait) this.#awaited.set(holder, (this.#awaited.get(holder) ?? 0) + 1)
    if (isOnItsWay(fetch)) this.#askedBytes += fetch.sizeBytes
    this.#planned.delete(fetch)
  }

  /** What is being done about the input, if anything. */
  find(input: TaskId): Fetch | undefined {
    return this.#fetches.get(input)
  }

  get all(): Iterable<Fetch> {
    return this.#fetches.values()
  }

  get size(): number {
    return this.#fetches.size
  }

  #plan(input: TaskId, sizeBytes: number): Fetch {
    const nothing = { isOrdered: false, maker: undefined, isAwait: false, asked: undefined }
    const fetch: Fetch = { input, sizeBytes, waiters: new Set(), holders: [], ...nothing }
    this.#fetches.set(input, fetch)
    this.#planned.add(fetch)
    return fetch
  }

  #unask(fetch: Fetch): void {
    if (fetch.asked === undefined) return
    if (isOnItsWay(fetch)) this.#askedBytes -= fetch.sizeBytes
    if (fetch.asked === OWN_TASK) this.#own.delete(fetch)
    if (fetch.isAwait) this.#leave(fetch.asked)
    fetch.isAwait = false
    fetch.asked = undefined
  }

  #leave(peer: WorkerId): void {
    const left = (this.#awaited.get(peer) ?? 1) - 1
    if (left === 0) this.#awaited.delete(peer)
    else this.#awaited.set(peer, left)
  }

  #remove(fetch: Fetch): void {
    this.#unask(fetch)
    this.#fetches.delete(fetch.input)
    this.#planned.delete(fetch)
  }
}
