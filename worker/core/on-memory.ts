/**
 * Memory that values take: past the high mark the least recently used go to disk until the low mark; past the pause mark,
 * where that does not help, the worker does one thing at a time until it does. What is on disk comes back when a task
 * needs it: that is a fetch, from ourselves.
 */
import type { TaskId } from '../../protocol/ids.js'
import type { WorkerInstruction } from './instructions.js'
import { OWN_DISK } from './fetch-plan.js'
import { dropValue, giveBackWithoutInputs, noteGarbage } from './let-go.js'
import { hearOfValue, keepIfHeld } from './on-transfer.js'
import { GARBAGE_SHARE, highBytesOf, LOW_MARK, memoryBytesOf, MIN_GARBAGE_BYTES } from './memory.js'
import { ownId, type WorkerState } from './state.js'

/** How long nothing is written to a disk that was full, unless files are given up before. */
const FULL_DISK_PAUSE_MS = 2_000
/** However much memory there is: what is free already is filled faster than what the machine has not given yet. */
const MAX_GARBAGE_BYTES = 128 * 1024 * 1024
/** How much of what values may take is cleared at once for inputs that wait, however many they are. */
const MAX_ROOM_SHARE = 0.5

/** At the end of a turn: spills what was used least recently, and gives up files that nobody needs. */
export function planSpills(state: WorkerState, nowMs: number, out: WorkerInstruction[]): void {
  const discarded = state.spills.takeDiscarded()
  if (discarded.length > 0) {
    out.push({ type: 'discard-files', files: discarded })
    state.diskFullUntilMs = -Infinity
  }
  const { diskLimitBytes } = state.config
  let excessBytes = excessBytesOf(state)
  if (excessBytes <= 0 || nowMs < state.diskFullUntilMs) return
  for (const value of state.spills.values) {
    if (excessBytes <= 0) return
    if (value.place !== 'memory' || value.pins > 0) continue
    if (state.spills.fileBytes + value.sizeBytes > diskLimitBytes) {
      noteFullDisk(state, nowMs, `the limit of ${diskLimitBytes} bytes for spilled values is reached`, out)
      return
    }
    state.spills.startSpill(value)
    excessBytes -= value.sizeBytes
    out.push({ type: 'spill', task: value.task, file: value.file })
  }
}

/** What is to be spilled now: down to the low mark, and as far as it takes to let the inputs in that wait for room. */
function excessBytesOf(state: WorkerState): number {
  const { config, blockedBytes, spills, fetches } = state
  const highBytes = highBytesOf(state)
  const lowBytes = Math.min(config.memoryLimitBytes * LOW_MARK, highBytes)
  const usedBytes = memoryBytesOf(state) + fetches.askedBytes
  if (usedBytes + blockedBytes <= highBytes) return 0
  const roomBytes = Math.min(blockedBytes, MAX_ROOM_SHARE * highBytes)
  return usedBytes - spills.spillingBytes - Math.min(lowBytes, highBytes - roomBytes)
}

export function onValueSpilled(state: WorkerState, task: TaskId, file: number, out: WorkerInstruction[]): void {
  if (!state.spills.spilled(task, file)) return
  state.isDiskFull = false
  out.push({ type: 'evict', task, file })
  noteGarbage(state, state.held.sizeOf(task) ?? 0)
}

/** At the end of a turn: has threads collect when what was let go takes as much as it may. */
export function planCollection(state: WorkerState, out: WorkerInstruction[]): void {
  const shareBytes = Math.min(MAX_GARBAGE_BYTES, state.config.memoryLimitBytes * GARBAGE_SHARE)
  if (state.garbageBytes <= Math.max(MIN_GARBAGE_BYTES, shareBytes)) return
  state.garbageBytes = 0
  out.push({ type: 'collect' })
}

export function onSpillFailed(
  state: WorkerState,
  { task, file, reason, nowMs }: { task: TaskId; file: number; reason: string; nowMs: number },
  out: WorkerInstruction[],
): void {
  if (state.spills.spillFailed(task, file)) noteFullDisk(state, nowMs, reason, out)
}

export function onValueLoaded(
  state: WorkerState,
  { task, file, sizeBytes }: { readonly task: TaskId; readonly file: number; readonly sizeBytes: number },
  out: WorkerInstruction[],
): void {
  if (state.spills.loaded(task, file)) {
    hearOfValue(state, task)
    return
  }
  keepIfHeld(state, task, sizeBytes)
  if (!state.held.has(task)) forgetLoad(state, task, out)
}

/** Somebody got the value: that is a use of it. */
export function onValueServed(state: WorkerState, task: TaskId): void {
  state.spills.used(task)
}

/** The file can't be read back: a copy is lost, and the value is made again if somebody needs it. */
export function onValueUnreadable(state: WorkerState, task: TaskId, file: number, out: WorkerInstruction[]): void {
  if (state.spills.isOnlyCopy(task, file)) {
    dropValue(state, task)
    out.push({ type: 'send', message: { type: 'values-lost', tasks: [task] } })
  } else if (state.held.has(task)) return // It was an older file; the value has been made again since.
  forgetLoad(state, task, out)
}

/** What was to be loaded is not there: whoever waited for it goes back. */
function forgetLoad(state: WorkerState, task: TaskId, out: WorkerInstruction[]): void {
  for (const waiter of state.fetches.missing(task, OWN_DISK) ?? []) {
    giveBackWithoutInputs(state, waiter, { inputs: [task], holder: ownId(state) }, out)
  }
}

/** Told once until something could be written again. */
function noteFullDisk(state: WorkerState, nowMs: number, reason: string, out: WorkerInstruction[]): void {
  state.diskFullUntilMs = nowMs + FULL_DISK_PAUSE_MS
  if (!state.isDiskFull) out.push({ type: 'tell-disk-full', reason })
  state.isDiskFull = true
}
