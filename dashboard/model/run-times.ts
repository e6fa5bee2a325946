/** What the time of a run went into, as the page tells it: in the order in which it happens. */
import { formatDuration } from '../../common/units.js'
import type { TaskHistory } from '../../protocol/messages/api.js'

type Run = TaskHistory['runs'][number]

/** Told where a figure is not known. */
const UNKNOWN = '–'

export interface RunTimes {
  readonly queue: string
  readonly fetch: string
  readonly decode: string
  readonly run: string
  readonly encode: string
}

/** Where it was not measured what a run went into, the whole of it stands in the place of its function. */
export function timesOf({ receivedAtMs, queueMs, fetchMs, durationMs, decodeMs, runMs, encodeMs }: Run): RunTimes {
  const isForgotten = receivedAtMs === 0
  return {
    queue: isForgotten ? UNKNOWN : formatDuration(queueMs),
    fetch: isForgotten ? UNKNOWN : formatDuration(fetchMs),
    decode: decodeMs === undefined ? UNKNOWN : formatDuration(decodeMs),
    run: formatDuration(Math.max(0, runMs ?? durationMs)),
    encode: encodeMs === undefined ? UNKNOWN : formatDuration(encodeMs),
  }
}
