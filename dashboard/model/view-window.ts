/** Which span of time the task stream shows: the latest, moving on, or one that stays where the reader put it. */

export interface ViewWindow {
  readonly spanMs: number
  /** Its end; `undefined` while it is live, and ends now. */
  readonly endMs: number | undefined
}

const MIN_SPAN_MS = 0.5
const MAX_SPAN_MS = 3_600_000

export const LIVE: ViewWindow = Object.freeze({ spanMs: 30_000, endMs: undefined })

export function boundsOf(
  { spanMs, endMs }: ViewWindow,
  nowMs: number,
): { readonly fromMs: number; readonly toMs: number } {
  const toMs = endMs ?? nowMs
  return { fromMs: toMs - spanMs, toMs }
}

/** @param factor - Below 1 shows less, larger. @param at - Which place stays where it is: 0 is the left edge, 1 the right. */
export function zoomed(view: ViewWindow, factor: number, at: number, nowMs: number): ViewWindow {
  const { fromMs, toMs } = boundsOf(view, nowMs)
  const spanMs = Math.min(MAX_SPAN_MS, Math.max(MIN_SPAN_MS, view.spanMs * factor))
  if (view.endMs === undefined && at >= 1) return { spanMs, endMs: undefined }
  const fixedMs = fromMs + (toMs - fromMs) * at
  return moveTo({ spanMs, endMs: fixedMs + spanMs * (1 - at) }, nowMs)
}

/** By this share of its span; to the left if it is negative. */
export function moved(view: ViewWindow, share: number, nowMs: number): ViewWindow {
  return moveTo({ ...view, endMs: (view.endMs ?? nowMs) + view.spanMs * share }, nowMs)
}

/** Whoever moves it past now wants to see what comes. */
function moveTo(view: ViewWindow & { readonly endMs: number }, nowMs: number): ViewWindow {
  return view.endMs >= nowMs ? { spanMs: view.spanMs, endMs: undefined } : view
}
