/**
 * The client of the tasks that run in one thread. A task submits at once, so this client has ids before it is connected,
 * and what it is to say waits until it is. When its connection ends, the next task gets another.
 */
import { existsSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { present } from '../common/assert.js'
import { readFunctionFile } from '../common/node/function-file.js'
import { codeHash, type ArrayId, type CodeHash } from '../protocol/ids.js'
import { HOLDER_DIAL_TIMEOUT_MS } from '../protocol/limits.js'
import type { TlsOptions } from '../protocol/transport/tls.js'
import type { Socket } from '../protocol/transport/socket.js'
import { dial } from '../protocol/transport/websocket.js'
import { declareCaptured } from './capture/function.js'
import { Client } from './client.js'
import type { TaskParent } from './parent.js'
import { FINAL_CODES } from './lasting-connection.js'
import { PendingConnection, type PendingConnectionOptions } from './pending-connection.js'
import { Session, type SessionOptions } from './session.js'
import { DEFAULT_TASK_OPTIONS, type ResolvedTaskOptions } from './task-options.js'
import type { TaskFunction } from './templates.js'

/** How tasks reach the cluster that runs them. */
export interface TaskRoute {
  readonly address: string
  readonly token: string | undefined
  readonly tls: TlsOptions | undefined
  /** The worker's name. */
  readonly worker: string
  /** Array ids for the first tasks of one client. */
  readonly takeArrayIds: () => { readonly first: ArrayId; readonly count: number }
  /** Instead of WebSockets. */
  readonly dialScheduler?: () => Promise<Socket>
  readonly dialHolder?: (address: string, signal: AbortSignal) => Promise<Socket>
  /** Told of the functions that tasks submit, by their code. */
  readonly onFunction?: (code: CodeHash, fn: TaskFunction) => void
  /** What tasks are submitted with unless they say otherwise, if not `DEFAULT_TASK_OPTIONS`. */
  readonly taskOptions?: ResolvedTaskOptions
}

export class TaskClients {
  readonly #route: TaskRoute
  #session: Session | undefined
  /** Those that use it, and perhaps some that did and are over. */
  #parents = new Set<TaskParent>()
  /** When so many are there, it is time to see which are over. */
  #manyParents = 16

  constructor(route: TaskRoute) {
    this.#route = route
  }

  /** A client whose tasks are children of `parent`. */
  clientOf(parent: TaskParent): Client {
    if (this.#session === undefined || this.#session.isEnded) this.#open()
    if (this.#parents.size >= this.#manyParents) this.#forgetParents()
    this.#parents.add(parent)
    const { taskOptions = DEFAULT_TASK_OPTIONS } = this.#route
    const options = Object.freeze({ ...taskOptions, priority: parent.priority, parent })
    // The connection is that of all tasks of the thread.
    return new Client(present(this.#session, 'the session of tasks'), () => Promise.resolve(), options)
  }

  /** Children that were submitted on one connection are not heard of on another: whoever has some begins again. */
  #open(): void {
    const parents = new Set<TaskParent>()
    this.#parents = parents
    this.#session = openTaskSession(this.#route, () => {
      for (const parent of parents) parent.orphan()
    })
  }

  #forgetParents(): void {
    for (const parent of this.#parents) if (parent.isOver) this.#parents.delete(parent)
    this.#manyParents = 2 * Math.max(8, this.#parents.size)
  }
}

/** A file of the code cache that was loaded: its functions may be submitted as what they are there. */
export function declareLoaded({ url, namespace }: LoadedCode): void {
  const path = fileURLToPath(url)
  if (!existsSync(path)) return // It was of an inline cluster that is gone, with all that could submit its functions.
  const code = codeHash(basename(path, '.mjs'))
  let file: Buffer | undefined
  for (const [exportName, value] of Object.entries(namespace)) {
    if (typeof value !== 'function') continue
    file ??= readFileSync(path)
    const name = value.name || exportName
    const functionFile = readFunctionFile(file)
    const captured = functionFile ?? { source: file, sourceMap: undefined }
    const kind = functionFile === undefined ? 'module' : 'function'
    declareCaptured(value as TaskFunction, { ...captured, code, kind, exportName, name })
  }
}

interface LoadedCode {
  readonly url: string
  readonly namespace: Readonly<Record<string, unknown>>
}

function openTaskSession(route: TaskRoute, onLost: () => void): Session {
  const { address, token, tls, worker, takeArrayIds, onFunction } = route
  const options: SessionOptions = {
    address,
    name: worker,
    firstLease: takeArrayIds(),
    onFunction,
    dialHolder:
      route.dialHolder ??
      ((holder, signal) => dial(holder, { tls, signal, timeoutMs: HOLDER_DIAL_TIMEOUT_MS, isBulk: true })),
  }
  const connection: PendingConnectionOptions = {
    address,
    name: worker,
    dial: (signal) => route.dialScheduler?.() ?? dial(address, { token, tls, signal }),
    // What the scheduler refused, it refuses again: that is for the tasks to hear.
    onEnd: (code) => {
      if (!FINAL_CODES.has(code)) onLost()
    },
  }
  return new Session(options, (handlers) => new PendingConnection(connection, handlers))
}
