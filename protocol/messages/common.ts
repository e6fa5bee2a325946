/** Fields that several links use. */
import { attempt, clientId, codeHash, arrayId, templateId, workerId, taskId, arrayOf, indexOf } from '../ids.js'
import type { TaskId } from '../ids.js'
import { MAX_SOURCE_MAP_BYTES } from '../limits.js'
import {
  branded,
  bytes,
  integer,
  limited,
  list,
  message,
  oneOf,
  optional,
  record,
  text,
  type Infer,
} from '../schema.js'
import { workerDeath } from './worker-death.js'

export const task = branded(integer, (value): TaskId => taskId(arrayOf(value as TaskId), indexOf(value as TaskId)))
export const array = branded(integer, arrayId)
export const worker = branded(integer, workerId)
export const client = branded(integer, clientId)
export const template = branded(integer, templateId)
export const attemptNumber = branded(integer, attempt)
export const hash = branded(text, codeHash)

/**
 * What freed the slot of a task that was cancelled. `queue`: it had not started. `signal`: it ended by itself after it was
 * asked to. `abandoned`: it still runs where nothing can stop it, and its outcome is dropped. `thread`, `process`: that was
 * ended. `none`: nothing had to be stopped.
 */
export const stopper = oneOf('queue', 'signal', 'abandoned', 'thread', 'process', 'none')
export type Stopper = Infer<typeof stopper>

/** A source map of version 3: from the places of some code to those of the files that it was written in. */
const wholeSourceMap = record({ sources: list(text), names: list(text), mappings: text })
export type SourceMap = Infer<typeof wholeSourceMap>

/** The same for what is sent: it is kept by everybody whom it reaches. */
export const sourceMap = limited(
  wholeSourceMap,
  `a source map of ${MAX_SOURCE_MAP_BYTES} bytes or less`,
  (map) => sizeOfMap(map) <= MAX_SOURCE_MAP_BYTES,
)

/** How many bytes it is, all in all; also of many texts that are empty. */
export function sizeOfMap({ sources, names, mappings }: SourceMap): number {
  return [...sources, ...names].reduce((sum, each) => sum + 1 + bytesOf(each), bytesOf(mappings))
}

/** Of a text in UTF-8. The cores have no encoder. */
function bytesOf(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    // Two units that are a pair are one character of four bytes.
    const isOfPair = unit >= 0xd800 && unit < 0xe000
    if (unit > 0x7f) bytes += unit > 0x7ff && !isOfPair ? 2 : 1
  }
  return bytes
}

/**
 * Code, named by its content. `function`: the source of one function. `module`: an ES module's text. `preloaded`: the name of
 * a module that workers were started with. Sent once a link. `sourceMap` is of a function's source; a module's stands in its
 * text. It is no part of the content: the same function written elsewhere is the same code.
 */
export const defineCode = message('define-code', {
  code: hash,
  kind: oneOf('function', 'module', 'preloaded'),
  source: bytes,
  sourceMap: optional(sourceMap),
})
export type DefineCode = Infer<typeof defineCode>

/**
 * Why a task failed. `error` is the encoded error that the culprit threw; it is empty when the cluster failed the task, and
 * then `code` (one of `ERROR_CODES`) and `reason` say why. `worker` and `attempt` say where and in which start that was.
 */
export const failureFields = {
  error: bytes,
  code: text,
  reason: text,
  worker: text,
  attempt: integer,
  culpritKey: text,
  /** How the worker ended that the culprit failed with. */
  death: optional(workerDeath),
} as const
export const failure = record(failureFields)
export type FailureRecord = Infer<typeof failure>
