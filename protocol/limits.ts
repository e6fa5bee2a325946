/** Every limit of the protocol, with the relations that must hold between them. docs/limits.md explains each. */
import { assert } from '../common/assert.js'
import { ARRAY_CAPACITY } from './ids.js'

const KIB = 1024
const MIB = 1024 * KIB

/** One frame on a socket. Larger messages travel in chunks. */
export const MAX_FRAME_BYTES = 4 * MIB
/** A message above this size is cut into chunks of this size. */
export const CHUNK_BYTES = 1 * MIB
/** One message, after its chunks are put together again. */
export const MAX_MESSAGE_BYTES = 2048 * MIB
/** How much a connection hands to its socket before it waits for it to drain. */
export const MAX_IN_FLIGHT_BYTES = 2 * MIB
/** What may wait on one connection: past this the peer does not read, and is cut off. */
export const MAX_QUEUED_BYTES = 4096 * MIB
/** What may wait for one client at the scheduler, which has many: values of more than a few KiB it fetches from workers. */
export const MAX_CLIENT_QUEUED_BYTES = 1024 * MIB
/** What an unauthenticated or unregistered peer may send in one frame. */
export const MAX_HELLO_BYTES = 16 * KIB
/** Results up to this size ride along with the message that says they are done. */
export const MAX_INLINE_RESULT_BYTES = 64 * KIB

/** So many values may peers await that are still to be made on a worker; of further ones they are told that they are not there. */
export const MAX_AWAITED_VALUES = 4_096
/** So many workers does one wait for at once until they have made something; the other connections are for what is there. */
export const MAX_AWAITED_PEERS = 64
/** Inputs up to this size come with the task that needs them, if the scheduler has them: to fetch one costs more. */
export const MAX_GIVEN_VALUE_BYTES = 1 * KIB
/** What the scheduler keeps of inline results, as a cache. */
export const MAX_INLINE_CACHE_BYTES = 256 * MIB
/** Typed arrays and buffers from this size up travel out of band. */
export const OUT_OF_BAND_BYTES = 4 * KIB
/** Typed arrays and buffers from this size up are shared by the threads of a worker. */
export const SHARED_BYTES = 1 * MIB
/** How many outputs one task has at most: they follow it in its task array. */
export const MAX_OUTPUTS = 1_023
/** How deep a value may nest. */
export const MAX_VALUE_DEPTH = 1_000
/** What people are shown of an error: its name, message and stack. */
export const MAX_ERROR_TEXT_BYTES = 4 * KIB
/** Kinds of errors that a scheduler keeps in mind. */
export const MAX_ERROR_GROUPS = 200
/** Functions that have figures of their own in the metrics; the others have theirs together. */
export const MAX_METRIC_FUNCTIONS = 100
/** One piece of code: a function's source or a module's bundle. */
export const MAX_CODE_BYTES = 64 * MIB
/** The source map that travels with one function. */
export const MAX_SOURCE_MAP_BYTES = 64 * KIB
/** What a client reads of its own program, a file or the source map of one, to find where functions were written. */
export const MAX_PROGRAM_FILE_BYTES = 32 * MIB
/** Files of its own program that a client keeps in mind. */
export const MAX_PROGRAMS = 10_000
/** Functions that no file is found for, after which one process looks for no further files. */
export const MAX_UNPLACED_FUNCTIONS = 16
export const MAX_CONNECTIONS = 10_000
export const HANDSHAKE_TIMEOUT_MS = 10_000
/** How long a WebSocket waits for the other side to close too. */
export const CLOSE_TIMEOUT_MS = 2_000
/** Connections to holders of values that one process keeps open at once. Requests to further holders wait for one. */
export const MAX_HOLDER_CONNECTIONS = 128
/** How long a connection to a holder of values is kept without a request. */
export const HOLDER_IDLE_MS = 30_000
/** How long a dial to a holder of values may take: past this the relay is the quicker way. */
export const HOLDER_DIAL_TIMEOUT_MS = 3_000
/** How long a holder that could not be reached is not dialled again: its values come by a relay until then. */
export const UNREACHABLE_MS = 60_000
/** Holders that one process keeps in mind as out of reach. */
export const MAX_UNREACHABLE = 1_000
/** What a worker or a client fetches from workers at once, all together; and one value, whatever its size. */
export const MAX_FETCH_BYTES = 256 * MIB
/** What one worker has in memory of spilled values while others get them; and one value, whatever its size. */
export const MAX_LENT_BYTES = 256 * MIB
/** What one process has on its way to one worker of values that it brings there; and one value, whatever its size. */
export const MAX_PUT_BYTES = 64 * MIB
/** How long a worker may be paused for want of memory. Then it gives its work back, and goes if its memory stays full. */
export const MAX_PAUSE_MS = 300_000
/** How often a nanny looks at the memory of its worker process. */
export const MEMORY_LOOK_MS = 1_000
/** Large values that one holder gives at once for copies; each new holder gives on what it has. */
export const MAX_COPIES_AT_ONCE = 3
/** Values of which one client may want copies at once. Its further questions wait in the client. */
export const MAX_REPLICATED_VALUES = 16_384
/** Names under which work is published. */
export const MAX_DATASETS = 10_000
/** How long `client.restart()` waits for workers to be back, unless it is told otherwise. */
export const RESTART_TIMEOUT_MS = 60_000
/** How long `client.runOnWorkers()` waits for a worker to begin. */
export const RUN_ON_WORKERS_WAIT_MS = 60_000
/** Lines of its log that a worker keeps for whoever asks, and their characters. */
export const MAX_LOG_LINES = 1_000
export const MAX_LOG_BYTES = 256 * KIB
/** How long the threads of workers are sampled for one profile, and at which interval at least. */
export const MAX_PROFILE_MS = 60_000
export const MIN_PROFILE_INTERVAL_US = 100
/** How many samples of one thread a profile has. */
export const MAX_PROFILE_SAMPLES = 100_000
/** How many calls are told apart in a profile, of one worker and of all. */
export const MAX_PROFILE_NODES = 10_000
/** How long a thread may take to begin with its samples, or to give them. */
export const PROFILE_ANSWER_MS = 5_000
/** What a worker keeps of the tasks that it ran, for whoever asks: entries of one task, or of short ones in a row. */
export const MAX_KEPT_RUNS = 10_000
/** The same of tasks that waited for others. */
export const MAX_KEPT_LENT_RUNS = 1_000
/** Relays that are open at once. Further ones wait for a place. */
export const MAX_RELAYS = 128
/** Relays that one client or worker has at once. As many more may wait until one of them ends. */
export const MAX_RELAYS_PER_MEMBER = 4
/** What one direction of a relay may have on its way. */
export const MAX_RELAY_BYTES = 2 * MAX_IN_FLIGHT_BYTES
/** How long a relay is kept without a request. */
export const RELAY_IDLE_MS = 2_000
/** How many values of a stream may be on their way. Its task goes on when some were taken. */
export const MAX_STREAM_CHUNKS = 64
/** What they may take, all together; and one value, whatever its size. */
export const MAX_STREAM_BYTES = 8 * MIB
/** A thread tells the worker's main thread at once of a task that took so long. */
export const LONG_TASK_MS = 5
/** How many reports of its progress a task may send at once. */
export const REPORT_BURST = 4
/** How often it may send one beyond those. */
export const REPORT_INTERVAL_MS = 250
/** How many characters of the note of a report are kept. */
export const MAX_NOTE_LENGTH = 500
/** How long the heap of a thread may stay high, at half of what the worker may use for each, and how much that is at least. */
export const HIGH_HEAP_MS = 60_000
export const MIN_HIGH_HEAP_BYTES = 128 * MIB
/** The smallest limit that the heap of a thread may have: our own code takes some of it. */
export const MIN_THREAD_HEAP_BYTES = 32 * MIB
/** What one thread keeps by `task.local`. */
export const MAX_LOCALS = 1_000
/** How long a worker that ends waits for its threads to dispose of what they keep by `task.local`. */
export const DISPOSE_TIMEOUT_MS = 5_000
/** A cancelled task whose thread has not gone this long after it was terminated takes its worker process with it. */
export const KILL_AFTER_MS = 5_000
/** What a task has to end by itself once it was told to, unless whoever cancels it says otherwise. */
export const STOP_GRACE_MS = 500
/** The longest time-out of a task: more milliseconds than these are more than a timer can wait. */
export const MAX_TASK_TIMEOUT_MS = 2 ** 31 - 1
/** How often a task is tried again at most. */
export const MAX_RETRIES = 1_000_000
/** The longest time between a failure and the next try. */
export const MAX_RETRY_DELAY_MS = 24 * 60 * 60 * 1_000
/** The longest grace of a cancelled task. */
export const MAX_GRACE_MS = 24 * 60 * 60 * 1_000
/** Limits by name that one cluster has. */
export const MAX_LIMITS = 10_000
/** Units of limits that one client has or waits for at once, beside those of its tasks. */
export const MAX_UNIT_REQUESTS = 16_384
/** Limits that one task takes units of. */
export const MAX_LIMITS_OF_TASK = 16
/** Tasks without a thread that one worker runs at once, unless it is told otherwise. */
export const DEFAULT_IO_TASKS = 256
/** Inputs, and workers, that an explanation of a task names. */
export const MAX_EXPLAINED = 20
/** Tasks that are looked through for those which need the one that somebody looks at. */
export const MAX_LOOKED_THROUGH = 10_000
/** Questions to workers that those who only look have open at once, all together. */
export const MAX_LOOKERS_QUESTIONS = 100
/** Tasks of the latest messages by which a worker knows when it got one, and when it had its inputs. */
export const MAX_KEPT_ARRIVALS = 20_000
/** What a client has said that must not be lost, and the scheduler has not acknowledged: past this it says no more. */
export const MAX_UNACKNOWLEDGED_BYTES = 64 * MIB
/** How long what a client held is kept after it lost its connection, by a scheduler that keeps its state. */
export const CLIENT_GRACE_MS = 60_000
/** What `--client-grace` may make of that. */
export const MIN_CLIENT_GRACE_MS = 1_000
export const MAX_CLIENT_GRACE_MS = 24 * 60 * 60 * 1_000
/** How long after a worker has said what it has it is not asked again. */
export const RECONCILE_MS = 10_000
/** How many of its values it names then. */
export const MAX_VIEWED_VALUES = 100_000
/** How long a task that fails with its worker waits for the next process of that worker to say how the one before ended. */
export const POST_MORTEM_MS = 5_000
/** Of what a worker process logged, the last lines that its nanny keeps, and how much of each. */
export const MAX_LAST_LINES = 20
export const MAX_LAST_LINE_LENGTH = 500
/** How long a scheduler that took the place of another waits for the workers of that one before it starts anything. */
export const REATTACH_MS = 15_000
/** How long what a scheduler wrote to its journal may stay with the operating system alone. */
export const JOURNAL_SYNC_MS = 50
/** A smaller journal is never made smaller. */
export const MIN_JOURNAL_BYTES = 64 * MIB
/** A journal that has grown to so many times what there was to remember is replaced by what there is to remember now. */
export const JOURNAL_GROWTH = 3
/** How long after a full disk the journal is tried again. */
export const JOURNAL_RETRY_MS = 1_000
/** Browsers that look at the status page at once. */
export const MAX_VIEWERS = 200
/** What a browser may have left unread before it is sent nothing more until it has read that. */
export const MAX_VIEWER_BYTES = 1 * MIB
/** A status page that says nothing for so long is gone. */
export const VIEWER_SILENCE_MS = 30_000
/** How often a worker tells what its threads run while somebody looks, and how many runs it tells at once: the latest. */
export const RUNS_INTERVAL_MS = 250
export const MAX_RUNS_TOLD = 1_000
/** What all workers together tell in that time and the status page is sent; what comes first. */
export const MAX_RUNS_SHOWN = 4_000
/** So many tasks are told one by one to who looks at the graph; of more only their functions. */
export const MAX_GRAPH_TASKS = 300
/** How often a worker tells what is logged, while somebody looks at that; and how many lines at once, of how many characters each. */
export const LOGS_INTERVAL_MS = 250
export const MAX_LINES_TOLD = 200
export const MAX_LINE_CHARACTERS = 2_000
/** The last lines of all workers that who looks at logs is sent, at first and then at once. */
export const MAX_LINES_SHOWN = 1_000
/** The latest functions, and of each worker the first running tasks, that the status page shows. */
export const MAX_FUNCTIONS_SHOWN = 500
export const MAX_RUNNING_SHOWN = 128
export const HEARTBEAT_INTERVAL_MS = 1_000
export const HEARTBEAT_TIMEOUT_MS = 10 * HEARTBEAT_INTERVAL_MS
/** A client's own code may keep its loop from answering; its death is told by the socket. */
export const CLIENT_SILENCE_MS = 300 * HEARTBEAT_INTERVAL_MS

assert(CHUNK_BYTES < MAX_FRAME_BYTES, 'a chunk must fit into one frame')
assert(
  MAX_IN_FLIGHT_BYTES + CHUNK_BYTES <= MAX_RELAY_BYTES,
  'what a socket may hold, and one chunk, must fit into a relay',
)
assert(MAX_PUT_BYTES < MAX_QUEUED_BYTES, 'values that are brought to a worker must not overrun their connection')
assert(MAX_MESSAGE_BYTES < MAX_QUEUED_BYTES, 'one value must not overrun its connection')
assert(MAX_INLINE_CACHE_BYTES < MAX_CLIENT_QUEUED_BYTES, 'a client may ask for all cached results at once')
assert(HOLDER_DIAL_TIMEOUT_MS < HANDSHAKE_TIMEOUT_MS, 'a relay is tried before a task is given back')
assert(MAX_INLINE_RESULT_BYTES < CHUNK_BYTES, 'an inline result must not need chunks of its own')
assert(MAX_GIVEN_VALUE_BYTES <= MAX_INLINE_RESULT_BYTES, 'the scheduler has only inline results to give')
assert(MAX_INLINE_RESULT_BYTES < MAX_INLINE_CACHE_BYTES, 'an inline result must fit into the cache')
assert(CHUNK_BYTES <= MAX_IN_FLIGHT_BYTES, 'a chunk must be allowed into the socket')
assert(CLIENT_SILENCE_MS > HEARTBEAT_TIMEOUT_MS, 'user code runs in clients, and not in workers’ loops')
assert(HEARTBEAT_TIMEOUT_MS > 2 * HEARTBEAT_INTERVAL_MS, 'one lost heartbeat must not lose a worker')
assert(MAX_OUTPUTS < ARRAY_CAPACITY, 'a task and its outputs must fit into one array')
assert(MAX_ERROR_TEXT_BYTES < 2 ** 16, 'the size of the text of an error must fit into two bytes')
assert(OUT_OF_BAND_BYTES < SHARED_BYTES, 'what is shared is out of band')
assert(STOP_GRACE_MS < MAX_GRACE_MS, 'the usual grace must be one that can be asked for')
