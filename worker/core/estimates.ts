/**
 * How long a function's tasks take and how large their values are, as moving averages of what this worker saw itself.
 * They decide how many tasks a thread is given at once: enough that handing them over costs little beside running
 * them, and so few that another thread never waits long for its part.
 */
import type { WorkerTemplate } from '../../protocol/messages/worker.js'
import { LONG_TASK_MS, MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'

/** The estimated work of one batch, in microseconds. */
export const BATCH_US = 10_000
/** Tasks that take so long are told of one by one. */
export const LONG_TASK_US = LONG_TASK_MS * 1_000
/**
 * The estimated work of a batch of them. Behind each batch its thread stands idle until the main thread has heard of
 * that and given it another, which takes milliseconds where others use the processors. A thread that has more at hand goes on.
 */
export const LONG_BATCH_US = 24_000
/** The weight of the newest run. Some ten runs outweigh the first, slow one, before the code was compiled. */
const WEIGHT = 0.2

/** A function with its options, and what is known of its runs. */
export interface Template extends WorkerTemplate {
  /** `undefined` before the first run ended. */
  meanUs: number | undefined
  meanBytes: number
}

/**
 * Memory that a run may come to take beside its inputs: what was declared, else what its values took on average. Values
 * that travel with the outcome are too small to count.
 */
export function needBytesOf({ memoryBytes, meanBytes }: Template): number {
  if (memoryBytes > 0) return memoryBytes
  return meanBytes > MAX_INLINE_RESULT_BYTES ? meanBytes : 0
}

/** One run ended. */
export function learn(template: Template, durationUs: number, sizeBytes: number): void {
  const { meanUs } = template
  if (meanUs === undefined) {
    template.meanUs = durationUs
    template.meanBytes = sizeBytes
    return
  }
  template.meanUs = meanUs + WEIGHT * (durationUs - meanUs)
  template.meanBytes += WEIGHT * (sizeBytes - template.meanBytes)
}

/**
 * The part of a batch that one task takes, in microseconds. A function never timed before takes all of it, and so does
 * one of large values, because a thread ends its batch after a value that does not fit into its lane.
 */
export function shareOfBatchUs(template: Template): number {
  return runsAlone(template) ? LONG_BATCH_US : (template.meanUs ?? LONG_BATCH_US)
}

/** Does a batch hold but one of its tasks, however short they are? */
export function runsAlone({ meanUs, meanBytes }: Template): boolean {
  return meanUs === undefined || meanBytes > MAX_INLINE_RESULT_BYTES
}
