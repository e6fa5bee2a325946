/** What a run of a task comes to: its value or its outputs, encoded, or what it failed with and whether it may be tried again. */
import { MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'
import { encodeError, encodeValue } from '../../protocol/values/encode.js'
import type { ArgumentReader } from './argument-reader.js'
import type { BatchHost, ThreadTemplate } from './batch.js'
import { explainMissingPackage } from './code.js'
import { ERROR, FINAL_ERROR, VALUE, type OutcomeKind } from './lane.js'
import { isFatal, passesFilter } from './may-retry.js'
import { encodeOutputs } from './outputs.js'
import { onSharedMemory } from './shared-memory.js'

/** A run as its task's arguments and code have it. */
export interface Run {
  readonly template: ThreadTemplate
  /** Made the arguments. */
  readonly reader: ArgumentReader
  readonly host: Pick<BatchHost, 'loadFunction'>
}

/** The value; a list where the task has several outputs. A tiny task is to cost no list. */
export type Encoded = Uint8Array | readonly Uint8Array[]

/** How results are encoded. */
const RESULT = Object.freeze({ path: 'result', shared: true })

/** What a run gave, encoded. @throws What it fails with: it gave what can't be sent, or changed what it shares with others. */
export function encodeResult(result: unknown, { outputs }: ThreadTemplate, reader: ArgumentReader): Encoded {
  const change = reader.takeChange()
  if (change !== undefined) throw change
  return outputs === 0 ? encodeValue(result, RESULT) : encodeOutputs(result, outputs)
}

/** What a run that threw fails with. */
export async function failureOf(
  error: unknown,
  { template, reader, host }: Run,
): Promise<{ readonly kind: OutcomeKind; readonly value: Uint8Array }> {
  explainMissingPackage(error)
  const reason = reader.takeChange() ?? error
  const { retryFilter } = template
  if (isFatal(reason)) return { kind: FINAL_ERROR, value: encodeError(reason) }
  if (retryFilter === undefined) return { kind: ERROR, value: encodeError(reason) }
  try {
    const mayRetry = await passesFilter(reason, host.loadFunction(retryFilter))
    return { kind: mayRetry ? ERROR : FINAL_ERROR, value: encodeError(reason) }
  } catch (filterError) {
    return { kind: FINAL_ERROR, value: encodeError(filterError) }
  }
}

/** What comes of a run that goes on by itself. Never rejects. */
export async function outcomeOf(
  result: Promise<unknown>,
  run: Run,
): Promise<{ readonly kind: OutcomeKind; readonly values: readonly Uint8Array[] }> {
  try {
    return { kind: VALUE, values: listOf(encodeResult(await result, run.template, run.reader)) }
  } catch (error) {
    const { kind, value } = await failureOf(error, run)
    return { kind, values: [value] }
  }
}

export function isList(encoded: Encoded): encoded is readonly Uint8Array[] {
  return Array.isArray(encoded)
}

export function listOf(encoded: Encoded): readonly Uint8Array[] {
  return isList(encoded) ? encoded : [encoded]
}

/** Large values go in shared memory, where they stay. */
export function forReply(value: Uint8Array): Uint8Array {
  return value.length > MAX_INLINE_RESULT_BYTES ? onSharedMemory(value) : value
}
