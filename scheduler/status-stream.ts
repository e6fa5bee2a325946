/**
 * What the status page shows, to every browser that looks: the whole state first, then what changed of it, four times a
 * second however many tasks there are. It is worked out once for all browsers, and not at all while nobody looks. What the
 * threads of workers run is told only to those who look at that, and by workers only while somebody does.
 */
import { changesBetween, type JsonObject } from '../common/merge-patch.js'
import { MAX_RUNS_SHOWN, MAX_VIEWER_BYTES, MAX_VIEWERS, VIEWER_SILENCE_MS } from '../protocol/limits.js'
import type { ErrorList, TaskDetails } from '../protocol/messages/api.js'
import type { Runs } from '../protocol/messages/runs.js'
import {
  LOOKS,
  type ClusterView,
  type FromViewer,
  type JournalView,
  type Look,
  type RunsView,
  type TaskGraph,
  type ToViewer,
  type Watched,
} from '../protocol/messages/watch.js'
import type { Socket } from '../protocol/transport/socket.js'
import { LatestLines } from './latest-lines.js'
import { OwnHealth } from './own-health.js'
import type { Watcher } from './sessions.js'

const INTERVAL_MS = 250
/** Errors, the graph, and a task, are told every so many times. */
const SLOW_TICKS = 4
/** All that a page has to say. */
const MAX_WORDS_BYTES = 8_192

interface Viewer {
  readonly mayAct: boolean
  /** It missed changes, or has none yet. */
  needsWhole: boolean
  /** The same, of lines of logs. */
  needsLines: boolean
  look: Look
  /** Of the task that is looked at. */
  key: string
  heardAtMs: number
}

export interface StatusStreamOptions {
  readonly cluster: () => ClusterView
  readonly connections: () => number
  readonly journal: () => JournalView | undefined
  /** Has workers tell what is looked at of them, and nothing else any more. */
  readonly watch: (watcher: Watcher) => void
  readonly errors: () => ErrorList
  readonly graph: () => TaskGraph
  readonly task: (key: string) => TaskDetails | undefined
  readonly nowMs: () => number
}

export class StatusStream {
  readonly #options: StatusStreamOptions
  readonly #viewers = new Map<Socket, Viewer>()
  #health: OwnHealth | undefined
  #last: Watched | undefined
  #timer: NodeJS.Timeout | undefined
  /** What workers tell, because some viewer looks at it. */
  #watched: { readonly runs: boolean; readonly logs: boolean } = { runs: false, logs: false }
  readonly #lines = new LatestLines()
  #ticks = 0
  /** Told since the last tick. */
  #runs: RunsView[] = []
  #runCount = 0
  #runsLeftOut = 0

  constructor(options: StatusStreamOptions) {
    this.#options = options
  }

  get isFull(): boolean {
    return this.#viewers.size >= MAX_VIEWERS
  }

  /** Sends the state now, and from now on what changes, until the browser goes away. */
  accept(socket: Socket, mayAct: boolean): void {
    const viewer: Viewer = {
      mayAct,
      needsWhole: true,
      needsLines: true,
      look: '',
      key: '',
      heardAtMs: this.#options.nowMs(),
    }
    this.#viewers.set(socket, viewer)
    this.#health ??= new OwnHealth()
    this.#timer ??= setInterval(() => this.#tick(), INTERVAL_MS).unref()
    socket.handle({
      onFrame: (frame) => this.#onWords(socket, viewer, frame),
      onDrain: () => undefined,
      onClose: () => this.#remove(socket),
    })
    this.#last ??= this.#look()
    this.#sendWhole(socket, viewer, this.#last)
  }

  close(): void {
    for (const socket of this.#viewers.keys()) socket.close()
  }

  #onWords(socket: Socket, viewer: Viewer, frame: Uint8Array): void {
    const words = readWords(frame)
    if (words === undefined) {
      socket.close()
      return
    }
    viewer.heardAtMs = this.#options.nowMs()
    const isNews = viewer.look !== words.look || viewer.key !== words.key
    // At the next tick: what comes until then is sent with the rest, and once.
    if (isNews) viewer.needsLines = true
    viewer.look = words.look
    viewer.key = words.key
    this.#watchWhatIsLookedAt()
    const details = isNews ? this.#detailsFor(viewer, new Map()) : undefined
    if (details !== undefined) socket.send(details)
  }

  #tick(): void {
    const before = this.#last
    const watched = (this.#last = this.#look())
    const changes = before && changesBetween(before as JsonObject, watched as JsonObject)
    const delta = changes && encode({ type: 'changes', changes })
    const runs = this.#takeRuns()
    const lines = this.#takeLines()
    const details = this.#ticks++ % SLOW_TICKS === 0 ? new Map<string, Uint8Array>() : undefined
    for (const [socket, viewer] of this.#viewers) {
      if (this.#options.nowMs() - viewer.heardAtMs > VIEWER_SILENCE_MS) socket.terminate()
      else if (socket.bufferedBytes > MAX_VIEWER_BYTES) viewer.needsWhole = viewer.needsLines = true
      else {
        if (viewer.needsWhole) this.#sendWhole(socket, viewer, watched)
        else if (delta !== undefined) socket.send(delta)
        if (runs !== undefined && viewer.look === 'runs') socket.send(runs)
        if (viewer.look === 'logs') {
          if (viewer.needsLines) this.#sendAllLines(socket, viewer)
          else if (lines !== undefined) socket.send(lines)
        }
        const frame = details && this.#detailsFor(viewer, details)
        if (frame !== undefined) socket.send(frame)
      }
    }
  }

  /** Seldom: to those who have just come, or who missed changes. */
  #sendWhole(socket: Socket, viewer: Viewer, watched: Watched): void {
    socket.send(encode({ type: 'whole', mayAct: viewer.mayAct, watched }))
    viewer.needsWhole = false
  }

  #look(): Watched {
    const { cluster, connections, journal: journalOf, nowMs } = this.#options
    const journal = journalOf()
    return {
      nowMs: Math.round(nowMs()),
      cluster: cluster(),
      scheduler: {
        ...this.#health!.view,
        connections: connections(),
        viewers: this.#viewers.size,
        ...(journal !== undefined && { journal }),
      },
    }
  }

  /** What a viewer looks at beside the state; worked out once for all who look at the same, who have it in `known`. */
  #detailsFor({ look, key }: Viewer, known: Map<string, Uint8Array>): Uint8Array | undefined {
    if (look !== 'errors' && look !== 'graph' && look !== 'task') return undefined
    const name = `${look} ${key}`
    let frame = known.get(name)
    if (frame === undefined) {
      const { errors, graph, task } = this.#options
      if (look === 'errors') frame = encode({ type: look, errors: errors() })
      else if (look === 'graph') frame = encode({ type: look, graph: graph() })
      else frame = encode({ type: look, key, task: task(key) ?? null })
      known.set(name, frame)
    }
    return frame
  }

  #watchWhatIsLookedAt(): void {
    const looks = new Set(Array.from(this.#viewers.values(), ({ look }) => look))
    const runs = looks.has('runs')
    const logs = looks.has('logs')
    if (runs === this.#watched.runs && logs === this.#watched.logs) return
    this.#watched = { runs, logs }
    if (!logs) this.#lines.clear()
    this.#options.watch({
      onRuns: runs ? (worker, told) => this.#onRuns(worker, told) : undefined,
      onLogged: logs ? (worker, told) => this.#lines.add(worker, told) : undefined,
    })
  }

  #sendAllLines(socket: Socket, viewer: Viewer): void {
    viewer.needsLines = false
    socket.send(encode({ type: 'logs', isWhole: true, lines: this.#lines.all, leftOut: 0 }))
  }

  #takeLines(): Uint8Array | undefined {
    const { lines, leftOut } = this.#lines.take()
    if (lines.length + leftOut === 0) return undefined
    return encode({ type: 'logs', isWhole: false, lines, leftOut })
  }

  #onRuns(worker: string, { runs, running, moves, leftOut }: Runs): void {
    const room = MAX_RUNS_SHOWN - this.#runCount
    const shown = runs.slice(0, Math.max(0, room))
    this.#runCount += shown.length
    this.#runsLeftOut += leftOut + runs.length - shown.length
    this.#runs.push({ worker, nowMs: Math.round(this.#options.nowMs()), runs: shown, running, moves, leftOut })
  }

  #takeRuns(): Uint8Array | undefined {
    if (this.#runs.length === 0) return undefined
    const frame = encode({ type: 'runs', workers: this.#runs, leftOut: this.#runsLeftOut })
    this.#runs = []
    this.#runCount = 0
    this.#runsLeftOut = 0
    return frame
  }

  #remove(socket: Socket): void {
    this.#viewers.delete(socket)
    this.#watchWhatIsLookedAt()
    if (this.#viewers.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#health?.close()
    this.#health = undefined
    this.#last = undefined
    this.#runs = []
  }
}

/** `undefined` for what no page of ours says. */
function readWords(frame: Uint8Array): FromViewer | undefined {
  if (frame.length > MAX_WORDS_BYTES) return undefined
  try {
    const words = JSON.parse(Buffer.from(frame).toString()) as Partial<FromViewer> | null
    const look = LOOKS.find((each) => each === words?.look)
    const key = words?.key
    return words?.type === 'here' && look !== undefined && typeof key === 'string'
      ? { type: 'here', look, key }
      : undefined
  } catch {
    return undefined
  }
}

function encode(message: ToViewer): Uint8Array {
  return Buffer.from(JSON.stringify(message))
}
