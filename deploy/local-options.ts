/** What a local cluster can be told, and the one place where that is checked and completed. */
import { formatBytes, parseBytes } from '../common/units.js'
import { LOG_LEVELS, type LogLevel } from '../common/node/log.js'
import { HeddleError } from '../protocol/errors.js'
import { DEFAULT_IO_TASKS, MIN_THREAD_HEAP_BYTES } from '../protocol/limits.js'
import { MAX_IO_TASKS, resolveAmounts, resolvePreload, resolveTags } from '../worker/options.js'

/** Options of `LocalCluster.start`. */
export interface LocalClusterOptions {
  /** How many worker processes. Default: one for each core, at most 4. */
  readonly workers?: number
  /** How many threads each has. Default: as many as cores, spread over the workers. */
  readonly threadsPerWorker?: number
  /**
   * Memory meant for each worker, such as `'2GiB'` or a number of bytes: past 60 % of it values go to disk. Default: an
   * equal share of most of the machine.
   */
  readonly memoryLimit?: string | number
  /**
   * What the heap of each thread may come to, such as `'1GiB'` or a number of bytes; buffers do not count. A task that needs
   * more fails with an `OutOfMemoryError`. Default: the memory limit shared out, or as much as Node gives.
   */
  readonly threadHeap?: string | number
  /** What each worker may write to disk of its values. Default: a share of what is free. */
  readonly diskLimit?: string | number
  /** What each worker offers to tasks that ask for it in their `resources`, such as `{ gpu: 1 }`. Default: nothing. */
  readonly resources?: Readonly<Record<string, number>> | undefined
  /** How many tasks that take no thread each runs at once; 0 for none. Default: 256. */
  readonly ioTasks?: number | undefined
  /** What tasks may name the workers by in their option `workers`, such as `{ zone: 'a' }`. Default: nothing. */
  readonly tags?: Readonly<Record<string, string>> | undefined
  /** Files of modules whose functions every worker offers by name: `client.submit('tasks.resize', path)`. Default: none. */
  readonly preload?: string | readonly string[] | undefined
  /** With `false` the workers run only functions of those, and no code that clients send. Default: true. */
  readonly remoteCode?: boolean | undefined
  /** What the workers' names begin with. Default: `local`. */
  readonly name?: string
  /** What the processes write to standard error. Default: `warn` and worse, and what tasks print. */
  readonly logLevel?: LogLevel
  /** How long its processes may take to come up, in milliseconds. Default: 60,000. */
  readonly timeoutMs?: number | undefined
  /** Gives up starting with this signal's reason. Once the cluster is up it changes nothing. */
  readonly signal?: AbortSignal | undefined
}

export interface ResolvedLocalOptions {
  /** The threads of each worker. */
  readonly threads: readonly number[]
  readonly memoryLimitBytes: number | undefined
  readonly threadHeapBytes: number | undefined
  readonly diskLimitBytes: number | undefined
  readonly resources: Readonly<Record<string, number>>
  readonly ioTasks: number
  readonly tags: Readonly<Record<string, string>>
  readonly preload: readonly string[]
  readonly remoteCode: boolean
  readonly name: string
  readonly logLevel: LogLevel
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
}

const MAX_DEFAULT_WORKERS = 4
const MAX_WORKERS = 256
const MAX_THREADS = 1024
/** How long processes may take to come up, on a machine that is busy with other things. */
const START_TIMEOUT_MS = 60_000
const KNOWN_OPTIONS: ReadonlySet<string> = new Set([
  'workers',
  'threadsPerWorker',
  'memoryLimit',
  'threadHeap',
  'diskLimit',
  'resources',
  'ioTasks',
  'tags',
  'preload',
  'remoteCode',
  'name',
  'logLevel',
  'timeoutMs',
  'signal',
])

/** @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` */
export function resolveLocalOptions(given: LocalClusterOptions, cores: number): ResolvedLocalOptions {
  for (const option of Object.keys(given)) {
    if (!KNOWN_OPTIONS.has(option)) {
      throw invalid(`LocalCluster has no option "${option}"; it has ${[...KNOWN_OPTIONS].join(', ')}.`)
    }
  }
  const workers = given.workers ?? Math.min(MAX_DEFAULT_WORKERS, cores)
  checkCount('workers', workers, MAX_WORKERS)
  if (given.threadsPerWorker !== undefined) checkCount('threadsPerWorker', given.threadsPerWorker, MAX_THREADS)
  const { threadsPerWorker, name = 'local', logLevel = 'warn' } = given
  const { timeoutMs = START_TIMEOUT_MS, signal } = given
  if (typeof name !== 'string' || !/^[\w.-]{1,64}$/.test(name)) {
    throw invalid(`name is ${describe(name)}; give up to 64 letters, digits, dots, dashes and underscores.`)
  }
  if (!LOG_LEVELS.includes(logLevel)) {
    throw invalid(`logLevel is ${describe(logLevel)}; give one of ${LOG_LEVELS.join(', ')}.`)
  }
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0)) {
    throw invalid(`timeoutMs is ${describe(timeoutMs)}; give a number of milliseconds from 0 up.`)
  }
  return Object.freeze({
    threads:
      threadsPerWorker === undefined ? shareOut(cores, workers) : new Array<number>(workers).fill(threadsPerWorker),
    memoryLimitBytes: given.memoryLimit === undefined ? undefined : bytesOf('memoryLimit', given.memoryLimit),
    threadHeapBytes: given.threadHeap === undefined ? undefined : checkedHeap(given.threadHeap),
    diskLimitBytes: given.diskLimit === undefined ? undefined : bytesOf('diskLimit', given.diskLimit),
    resources: checkedResources(given.resources ?? {}),
    ioTasks: checkedIoTasks(given.ioTasks ?? DEFAULT_IO_TASKS),
    tags: checkedTags(given.tags ?? {}),
    preload: checkedPreload(given.preload ?? []),
    remoteCode: checkedRemoteCode(given),
    name,
    logLevel,
    timeoutMs,
    signal,
  })
}

/** Spreads `cores` over `count` workers as evenly as whole numbers allow; each gets one at least. */
function shareOut(cores: number, count: number): number[] {
  const larger = cores % count
  return Array.from({ length: count }, (_, index) => Math.max(1, Math.floor(cores / count) + (index < larger ? 1 : 0)))
}

function checkCount(name: string, value: number, highest: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= highest) return
  throw invalid(`${name} is ${describe(value)}; give a whole number from 1 to ${highest}.`)
}

function checkedResources(resources: unknown): Readonly<Record<string, number>> {
  if (typeof resources !== 'object' || resources === null || Array.isArray(resources)) {
    throw invalid(`resources is ${describe(resources)}; give an object, as in { gpu: 1 }.`)
  }
  resolveAmounts(resources as Record<string, number>)
  return resources as Record<string, number>
}

function checkedIoTasks(count: number): number {
  if (Number.isInteger(count) && count >= 0 && count <= MAX_IO_TASKS) return count
  throw invalid(`ioTasks is ${describe(count)}; give a whole number from 0 to ${MAX_IO_TASKS}.`)
}

function checkedTags(tags: unknown): Readonly<Record<string, string>> {
  if (typeof tags !== 'object' || tags === null || Array.isArray(tags)) {
    throw invalid(`tags is ${describe(tags)}; give an object, as in { zone: 'a' }.`)
  }
  resolveTags(tags as Record<string, string>)
  return tags as Record<string, string>
}

function checkedPreload(preload: unknown): readonly string[] {
  const files: unknown = typeof preload === 'string' ? [preload] : preload
  if (Array.isArray(files) && files.every((file) => typeof file === 'string')) return resolvePreload(files)
  throw invalid(`preload is ${describe(preload)}; give the path of a module, or a list of paths.`)
}

function checkedRemoteCode({ remoteCode = true, preload = [] }: LocalClusterOptions): boolean {
  if (typeof remoteCode !== 'boolean') throw invalid(`remoteCode is ${describe(remoteCode)}; give true or false.`)
  if (remoteCode || preload.length > 0) return remoteCode
  throw invalid('Workers that take no code of clients, and offer none, can run nothing; give them preload too.')
}

function checkedHeap(limit: string | number): number {
  const bytes = bytesOf('threadHeap', limit)
  if (bytes >= MIN_THREAD_HEAP_BYTES) return bytes
  throw invalid(`threadHeap is ${describe(limit)}; give ${formatBytes(MIN_THREAD_HEAP_BYTES)} or more.`)
}

function bytesOf(option: string, limit: string | number): number {
  const bytes = typeof limit === 'string' ? bytesOrNothing(limit) : limit
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes
  throw invalid(`${option} is ${describe(limit)}; write it like "2GiB".`)
}

function bytesOrNothing(text: string): number {
  try {
    return parseBytes(text)
  } catch {
    return 0
  }
}

function describe(value: unknown): string {
  return typeof value === 'string' ? `"${value}"` : String(value)
}

function invalid(message: string): HeddleError {
  return new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
}
