/** What a worker can be told, and the one place where that is checked and completed. */
import { randomUUID } from 'node:crypto'
import { statfsSync, statSync } from 'node:fs'
import { availableParallelism, hostname, tmpdir } from 'node:os'
import path from 'node:path'
import { getHeapStatistics } from 'node:v8'
import { formatBytes } from '../common/units.js'
import { HeddleError } from '../protocol/errors.js'
import { DEFAULT_IO_TASKS, MIN_THREAD_HEAP_BYTES } from '../protocol/limits.js'
import { isResourceName, MAX_AMOUNTS, thousandthsOf, type Amount } from '../protocol/resources.js'
import { checkTls, type TlsOptions } from '../protocol/transport/tls.js'
import { availableMemoryBytes } from './memory-limit.js'

/** Options of a worker, as they are given. All but the address have defaults. */
export interface GivenWorkerOptions {
  /** Address of the scheduler, such as `ws://127.0.0.1:8786`. */
  readonly schedulerUrl: string
  readonly token?: string | undefined
  /**
   * For a `wss:` scheduler. With `cert` and `key` it listens for other workers, and encrypts; without, its values go by
   * way of the scheduler.
   */
  readonly tls?: TlsOptions | undefined
  /** Its name in the cluster, which no other worker may have. Default: host and process. */
  readonly name?: string | undefined
  /** The same for all processes that take each other's place under one name. Default: a new one. */
  readonly incarnation?: string | undefined
  /** How many tasks run at once. Default: as many as cores. */
  readonly threads?: number | undefined
  /**
   * Memory that the worker is meant to use. Past 60 % of it values go to disk, the least recently used first; past 80 % the
   * worker does one task at a time; past 95 % its nanny starts it again, on Linux.
   * Default: most of what the machine, the container or the control group has.
   */
  readonly memoryLimitBytes?: number | undefined
  /**
   * What the heap of each thread may come to: a task that needs more fails, and a fresh thread takes the place of its own.
   * Buffers do not count. Default: a share of the memory limit, or what Node gives threads by itself where that is more and
   * the memory limit allows it.
   */
  readonly threadHeapBytes?: number | undefined
  /**
   * `host:port` to listen on for those who fetch values; port 0 is any. Default: where the scheduler sees us, any port.
   * With `false` it opens no port: its values go by way of the scheduler.
   */
  readonly listen?: string | false | undefined
  /** What spilled values may take on disk. Default: half of what is free where the data directory is. */
  readonly diskLimitBytes?: number | undefined
  /** How long it may be paused for want of memory without a break. Default: `MAX_PAUSE_MS`. */
  readonly maxPauseMs?: number | undefined
  /** The address that others use to reach it. Default: where it listens. */
  readonly advertiseUrl?: string | undefined
  /** What it offers to tasks beside threads and memory, such as `{ gpu: 1 }`. Default: nothing. */
  readonly resources?: Readonly<Record<string, number>> | undefined
  /** How many tasks that take no thread it runs at once, beside those in its threads; 0 for none. Default: 256. */
  readonly ioTasks?: number | undefined
  /** What tasks may name it by beside its name and address, such as `{ zone: 'a' }`. Default: nothing. */
  readonly tags?: Readonly<Record<string, string>> | undefined
  /** Files of modules whose functions it offers by name: `tasks.js` as `tasks.…`. Default: none. */
  readonly preload?: readonly string[] | undefined
  /** With `false` it runs only functions of those. Default: true. */
  readonly remoteCode?: boolean | undefined
  /** A debugger on this machine may connect to its threads. Default: false. */
  readonly inspectThreads?: boolean | undefined
  /** An existing folder for what it keeps while it runs. Default: the system's temporary one. */
  readonly dataDir?: string | undefined
}

/** Where to listen. An absent host is the local address of the connection to the scheduler. */
export interface ListenAddress {
  readonly host: string | undefined
  readonly port: number
}

export interface WorkerOptions {
  readonly schedulerUrl: string
  readonly token: string | undefined
  readonly tls: TlsOptions | undefined
  readonly name: string
  readonly incarnation: string
  readonly threads: number
  readonly memoryLimitBytes: number
  readonly threadHeapBytes: number
  /** Without it, the worker opens no port. */
  readonly listen: ListenAddress | undefined
  readonly diskLimitBytes: number
  readonly maxPauseMs: number | undefined
  readonly advertiseUrl: string | undefined
  readonly resources: readonly Amount[]
  readonly ioTasks: number
  /** As in `zone=a`. */
  readonly tags: readonly string[]
  /** Absolute paths. */
  readonly preload: readonly string[]
  readonly remoteCode: boolean
  readonly inspectThreads: boolean
  readonly dataDir: string
}

/** A worker process that ends with it wants to be started again, and has not died. */
export const RESTART_EXIT_CODE = 86

const MAX_THREADS = 1024
export const MAX_IO_TASKS = 65_536
const MAX_TAGS = 64
/** What of the available memory a worker takes for itself unless told otherwise: others live there, too. */
const MEMORY_SHARE = 0.9
/** What of its memory limit the heaps of its threads may take. */
const HEAP_SHARE = 0.9
/** What of the free disk. */
const DISK_SHARE = 0.5

/** @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION`, naming the option, its value and what would be right. */
export function resolveWorkerOptions(given: GivenWorkerOptions): WorkerOptions {
  const dataDir = given.dataDir ?? tmpdir()
  const { threads = availableParallelism(), memoryLimitBytes = defaultMemoryLimitBytes() } = given
  const options = {
    schedulerUrl: given.schedulerUrl,
    token: given.token,
    tls: given.tls,
    name: given.name ?? defaultWorkerName(),
    incarnation: given.incarnation ?? randomUUID(),
    threads,
    memoryLimitBytes,
    threadHeapBytes: given.threadHeapBytes ?? defaultThreadHeapBytes(memoryLimitBytes, threads),
    listen: resolveListen(given),
    advertiseUrl: given.advertiseUrl,
    resources: resolveAmounts(given.resources ?? {}),
    maxPauseMs: given.maxPauseMs,
    ioTasks: given.ioTasks ?? DEFAULT_IO_TASKS,
    tags: resolveTags(given.tags ?? {}),
    preload: resolvePreload(given.preload ?? []),
    remoteCode: given.remoteCode ?? true,
    inspectThreads: given.inspectThreads ?? false,
    diskLimitBytes: given.diskLimitBytes ?? defaultDiskLimitBytes(dataDir),
    dataDir,
  }
  if (!isWebSocketUrl(options.schedulerUrl)) {
    throw invalid(`"${options.schedulerUrl}" is no address of a scheduler; write it like ws://127.0.0.1:8786.`)
  }
  if (options.tls !== undefined) {
    if (!options.schedulerUrl.startsWith('wss:')) {
      throw invalid(`Certificates are for a scheduler that encrypts; write its address like wss://10.0.0.5:8786.`)
    }
    checkTls('the worker', options.tls)
  }
  if (!/^[\w.:-]{1,128}$/.test(options.name)) {
    throw invalid(`"${options.name}" is no name; give up to 128 letters, digits, dots, colons, dashes and underscores.`)
  }
  if (!Number.isInteger(options.threads) || options.threads < 1 || options.threads > MAX_THREADS) {
    throw invalid(`threads is ${options.threads}; give a whole number from 1 to ${MAX_THREADS}.`)
  }
  if (!Number.isInteger(options.ioTasks) || options.ioTasks < 0 || options.ioTasks > MAX_IO_TASKS) {
    throw invalid(`ioTasks is ${options.ioTasks}; give a whole number from 0 to ${MAX_IO_TASKS}.`)
  }
  if (!Number.isSafeInteger(options.memoryLimitBytes) || options.memoryLimitBytes < 1) {
    throw invalid(`memoryLimitBytes is ${options.memoryLimitBytes}; give a whole number of bytes.`)
  }
  if (!Number.isSafeInteger(options.threadHeapBytes) || options.threadHeapBytes < MIN_THREAD_HEAP_BYTES) {
    throw invalid(
      `threadHeapBytes is ${options.threadHeapBytes}; give a whole number of bytes, ${MIN_THREAD_HEAP_BYTES} (${formatBytes(MIN_THREAD_HEAP_BYTES)}) or more.`,
    )
  }
  if (!Number.isSafeInteger(options.diskLimitBytes) || options.diskLimitBytes < 0) {
    throw invalid(`diskLimitBytes is ${options.diskLimitBytes}; give a whole number of bytes.`)
  }
  if (options.maxPauseMs !== undefined && !(options.maxPauseMs > 0)) {
    throw invalid(`maxPauseMs is ${options.maxPauseMs}; give a number of milliseconds above 0.`)
  }
  if (options.advertiseUrl !== undefined && !isWebSocketUrl(options.advertiseUrl)) {
    throw invalid(`"${options.advertiseUrl}" is no address to reach a worker at; write it like ws://10.0.0.5:9000.`)
  }
  if (!options.remoteCode && options.preload.length === 0) {
    throw invalid('A worker that takes no code of clients, and offers none, can run nothing; give it --preload too.')
  }
  if (options.listen === undefined && options.advertiseUrl !== undefined) {
    throw invalid(
      `Nobody can reach a worker at ${options.advertiseUrl} that does not listen; leave out one of the two.`,
    )
  }
  return Object.freeze(options)
}

/**
 * What a worker offers, checked and counted.
 *
 * @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION`
 */
export function resolveAmounts(given: Readonly<Record<string, number>>): readonly Amount[] {
  const names = Object.keys(given)
  if (names.length > MAX_AMOUNTS) throw invalid(`resources has ${names.length} names; give at most ${MAX_AMOUNTS}.`)
  return names.map((name) => {
    if (name === 'threads' || name === 'memory') {
      const option = name === 'threads' ? 'threads' : 'memory limit'
      throw invalid(`The resource "${name}" is what the worker's ${option} says; set that instead.`)
    }
    if (!isResourceName(name)) {
      throw invalid(
        `"${name}" is no name of a resource; use up to 64 letters, digits, dots, dashes and underscores, a letter first.`,
      )
    }
    const thousandths = thousandthsOf(given[name])
    if (thousandths !== undefined) return { name, thousandths }
    throw invalid(`The resource ${name} is ${given[name]}; give a number above 0 with at most three decimals.`)
  })
}

/**
 * Tags of a worker as tasks name them.
 *
 * @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION`
 */
export function resolveTags(given: Readonly<Record<string, string>>): readonly string[] {
  const names = Object.keys(given)
  if (names.length > MAX_TAGS) throw invalid(`tags has ${names.length} names; give at most ${MAX_TAGS}.`)
  return names.map((name) => {
    const tag = `${name}=${given[name]}`
    if (/^[A-Za-z][\w.-]{0,63}=[\w.:/-]{1,128}$/.test(tag)) return tag
    throw invalid(
      `"${tag}" is no tag; write a name and a value of letters, digits, dots, dashes, underscores, as in zone=a.`,
    )
  })
}

/**
 * The files of offered modules, as absolute paths.
 *
 * @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` when one is not there, or two have one name.
 */
export function resolvePreload(files: readonly string[]): readonly string[] {
  const byName = new Map<string, string>()
  for (const given of files) {
    const file = path.resolve(given)
    const { name } = path.parse(file)
    const other = byName.get(name)
    if (other !== undefined) throw invalid(`${other} and ${file} would both be called "${name}"; rename one of them.`)
    if (!statSync(file, { throwIfNoEntry: false })?.isFile()) {
      throw invalid(`There is no file ${file} to preload; check the path.`)
    }
    byName.set(name, file)
  }
  return [...byName.values()]
}

/** A name that no other worker has by accident: two containers may both be called `worker`, and have the same process id. */
export function defaultWorkerName(): string {
  const host = hostname()
    .replace(/[^\w.-]/g, '-')
    .slice(0, 64)
  return `${host}-${process.pid}-${randomUUID().slice(0, 4)}`
}

/** Most of what the machine, the container or the control group has, for all workers together that run here. */
export function defaultMemoryLimitBytes(): number {
  return Math.floor(availableMemoryBytes() * MEMORY_SHARE)
}

/**
 * An equal share of the memory limit; but what Node would give each thread by itself where that is more, since seldom all of
 * them need much at once, and never more than the worker has.
 */
export function defaultThreadHeapBytes(
  memoryLimitBytes: number,
  threads: number,
  nodeBytes = getHeapStatistics().heap_size_limit,
): number {
  const allBytes = memoryLimitBytes * HEAP_SHARE
  const bytes = Math.min(allBytes, Math.max(nodeBytes, allBytes / threads))
  return Math.max(MIN_THREAD_HEAP_BYTES, Math.floor(bytes))
}

/** What is encrypted on its way to the scheduler is not sent in the clear to others. */
function resolveListen({ listen, schedulerUrl, tls }: GivenWorkerOptions): ListenAddress | undefined {
  if (listen === false) return undefined
  if (schedulerUrl.startsWith('wss:') && tls?.cert === undefined) {
    if (listen === undefined) return undefined
    throw invalid(
      'A worker of a scheduler that encrypts listens only with a certificate; give --tls-cert and --tls-key.',
    )
  }
  return listen === undefined ? { host: undefined, port: 0 } : parseListen(listen)
}

/** A share of what is free now: others write to the same disk. A folder that isn't there is an error later, when it is used. */
export function defaultDiskLimitBytes(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder)
    return Math.floor(bavail * bsize * DISK_SHARE)
  } catch {
    return 0
  }
}

function parseListen(text: string): ListenAddress {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  if (host !== undefined && Number(port) <= 65_535) return { host, port: Number(port) }
  throw invalid(`"${text}" is no place to listen; write it like 10.0.0.5:9000, or [::1]:0 for any port.`)
}

function isWebSocketUrl(text: string): boolean {
  return URL.canParse(text) && ['ws:', 'wss:'].includes(new URL(text).protocol)
}

function invalid(message: string): HeddleError {
  return new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
}
