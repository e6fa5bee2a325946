/**
 * What the pages show: kept up to date by one WebSocket, as long as somebody looks. A page in the background has no
 * connection and costs nothing, neither here nor at the scheduler.
 */
import { useEffect, useState } from 'preact/hooks'
import { withChanges, type JsonObject } from '../common/merge-patch.js'
import type { ErrorList, TaskDetails } from '../protocol/messages/api.js'
import type { FromViewer, Look, TaskGraph, ToViewer, Watched } from '../protocol/messages/watch.js'
import { History } from './model/history.js'
import { Lines } from './model/lines.js'
import { Timeline } from './model/timeline.js'

/** How often the scheduler is told that the page is still there. */
const HERE_MS = 10_000
/** The clock of the scheduler is news every time, so that silence means that nobody is there. */
const SILENCE_MS = 5_000
const RETRY_MS = 2_000

export interface Reading {
  readonly watched: Watched | undefined
  readonly isLost: boolean
  /** Whoever looks may change something, too. */
  readonly mayAct: boolean
  /** Of the view that is looked at; `undefined` before the first answer. */
  readonly errors: ErrorList | undefined
  readonly graph: TaskGraph | undefined
  readonly task: { readonly key: string; readonly task: TaskDetails | null } | undefined
  /** Of the page’s clock, when `watched` was sent. */
  readonly atMs: number
}

const decoder = new TextDecoder()
const encoder = new TextEncoder()

class Store {
  readonly history = new History()
  readonly timeline = new Timeline()
  readonly lines = new Lines()
  readonly #listeners = new Set<() => void>()
  #reading: Reading = {
    watched: undefined,
    errors: undefined,
    graph: undefined,
    task: undefined,
    isLost: false,
    mayAct: false,
    atMs: 0,
  }
  #socket: WebSocket | undefined
  #heardAtMs = 0
  #look: Look = ''
  #key = ''
  /** What the scheduler’s clock is ahead of the page’s. */
  #aheadMs = 0

  get reading(): Reading {
    return this.#reading
  }

  /** On the scheduler’s clock, as of now. */
  get nowMs(): number {
    return performance.now() + this.#aheadMs
  }

  /** Which view is looked at, if it takes more than the state. */
  lookAt(look: Look, key: string): void {
    this.#look = look
    this.#key = key
    this.#sayHere()
  }

  /** Connects while the page is in front. */
  start(): void {
    document.addEventListener('visibilitychange', () => this.#connectWhileVisible())
    setInterval(() => this.#checkSilence(), SILENCE_MS)
    setInterval(() => this.#sayHere(), HERE_MS)
    this.#connectWhileVisible()
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #connectWhileVisible(): void {
    if (document.hidden) {
      this.#socket?.close()
      this.#socket = undefined
    } else if (this.#socket === undefined) this.#connect()
  }

  #connect(): void {
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/v1/watch`)
    socket.binaryType = 'arraybuffer'
    this.#socket = socket
    this.#heardAtMs = performance.now()
    socket.addEventListener('open', () => this.#sayHere())
    socket.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer>) => {
      this.#take(JSON.parse(decoder.decode(data)) as ToViewer)
    })
    socket.addEventListener('close', () => {
      if (this.#socket !== socket) return // It was closed on purpose.
      this.#socket = undefined
      this.#set({ ...this.#reading, isLost: true })
      setTimeout(() => this.#connectWhileVisible(), RETRY_MS)
    })
  }

  #take(message: ToViewer): void {
    this.#heardAtMs = performance.now()
    if (message.type === 'runs') {
      this.timeline.add(message.workers, message.leftOut)
      return
    }
    if (message.type === 'logs') {
      this.lines.add(message)
      this.#set({ ...this.#reading })
      return
    }
    if (message.type === 'errors') {
      this.#set({ ...this.#reading, errors: message.errors })
      return
    }
    if (message.type === 'graph') {
      this.#set({ ...this.#reading, graph: message.graph })
      return
    }
    if (message.type === 'task') {
      this.#set({ ...this.#reading, task: message })
      return
    }
    const watched = this.#watchedAfter(message)
    if (watched === undefined) return
    this.history.add(watched.cluster, watched.nowMs)
    this.#setClock(watched.nowMs)
    const { mayAct } = message.type === 'whole' ? message : this.#reading
    this.#set({ ...this.#reading, watched, mayAct, isLost: false, atMs: this.#heardAtMs })
  }

  #watchedAfter(message: Extract<ToViewer, { readonly type: 'whole' | 'changes' }>): Watched | undefined {
    if (message.type === 'whole') return message.watched
    const { watched } = this.#reading
    return watched && (withChanges(watched as JsonObject, message.changes) as unknown as Watched)
  }

  /** Messages are late by more or less: the clock is moved at once only where it is far off, so that bars don’t tremble. */
  #setClock(nowMs: number): void {
    const aheadMs = nowMs - performance.now()
    const isFar = Math.abs(aheadMs - this.#aheadMs) > 1_000
    this.#aheadMs = isFar ? aheadMs : Math.max(aheadMs, this.#aheadMs)
  }

  #set(reading: Reading): void {
    this.#reading = reading
    for (const listener of this.#listeners) listener()
  }

  #sayHere(): void {
    const here: FromViewer = { type: 'here', look: this.#look, key: this.#key }
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(encoder.encode(JSON.stringify(here)))
  }

  /** A machine that slept, or a cable that was pulled, is not told by the socket. */
  #checkSilence(): void {
    if (this.#socket !== undefined && performance.now() - this.#heardAtMs > SILENCE_MS) this.#socket.close()
  }
}

export const store = new Store()

/** The latest state; the component is drawn again with each. */
export function useReading(): Reading {
  const [reading, setReading] = useState(store.reading)
  useEffect(() => store.subscribe(() => setReading(store.reading)), [])
  return reading
}

/** While the component is shown, the scheduler is told that it is. */
export function useLook(look: Look, key = ''): void {
  useEffect(() => {
    store.lookAt(look, key)
    return () => store.lookAt('', '')
  }, [look, key])
}
