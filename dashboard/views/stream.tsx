/** The task stream: what each thread ran, and runs, on an axis of time. */
import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { formatBytes, formatDuration } from '../../common/units.js'
import type { Watched } from '../../protocol/messages/watch.js'
import { barAt, MOVES, OTHER_COLOUR, type Bar, type Lane } from '../model/timeline.js'
import { boundsOf, LIVE, moved, zoomed, type ViewWindow } from '../model/view-window.js'
import { counted, whole } from '../model/words.js'
import { AXIS_HEIGHT, draw, LANE_HEIGHT, paletteOf, type Palette } from '../parts/timeline-canvas.js'
import { hrefOf } from '../parts/task-link.js'
import { store, useLook } from '../store.js'

/** So near to a bar the pointer means it, in pixels. */
const SLACK = 4
const STEP = 1.5
const NARROW = 600

interface Hovered {
  readonly lane: Lane
  readonly atMs: number
  readonly x: number
  readonly y: number
}

export function Stream({ watched }: { readonly watched: Watched }): JSX.Element {
  useLook('runs')
  const { timeline } = store
  timeline.keepOnly(watched.cluster.workers)
  const [view, setView] = useState(LIVE)
  const [hovered, setHovered] = useState<Hovered>()
  const frame = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLCanvasElement>(null)
  // What is drawn between two renderings is that of the latest one.
  const latest = useRef({ view, hovered })
  latest.current = { view, hovered }
  useDrawing(frame, canvas, latest)

  const change = (next: (view: ViewWindow) => ViewWindow): void => setView(next)
  const placeOf = (event: MouseEvent): number => {
    const box = canvas.current!.getBoundingClientRect()
    const left = leftOf(box.width)
    return Math.min(1, Math.max(0, (event.clientX - box.left - left) / (box.width - left)))
  }
  const onWheel = (event: WheelEvent): void => {
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault()
      change((old) => moved(old, (event.deltaX || event.deltaY) / 1_000, store.nowMs))
    } else if (event.ctrlKey || event.altKey) {
      event.preventDefault()
      change((old) => zoomed(old, 1.002 ** event.deltaY, placeOf(event), store.nowMs))
    }
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const next = KEYS[event.key]
    if (next === undefined) return
    event.preventDefault()
    change((old) => next(old, store.nowMs))
  }
  const dragFrom = useRef<{ x: number; view: ViewWindow } | undefined>()
  const onPointerMove = (event: PointerEvent): void => {
    const box = canvas.current!.getBoundingClientRect()
    const left = leftOf(box.width)
    const drag = dragFrom.current
    if (drag !== undefined) {
      change(() => moved(drag.view, (drag.x - event.clientX) / (box.width - left), store.nowMs))
      return
    }
    const place = Math.floor((event.clientY - box.top - AXIS_HEIGHT + frame.current!.scrollTop) / LANE_HEIGHT)
    const lane = timeline.lanes[place]
    const { fromMs, toMs } = boundsOf(view, store.nowMs)
    const atMs = fromMs + (toMs - fromMs) * placeOf(event)
    setHovered(lane && { lane, atMs, x: event.clientX - box.left, y: event.clientY - box.top })
  }
  const onPointerUp = (event: PointerEvent): void => {
    const from = dragFrom.current
    dragFrom.current = undefined
    if (from === undefined || Math.abs(event.clientX - from.x) > SLACK || hovered === undefined) return
    const { lane, atMs } = hovered
    const bar = lane.thread === MOVES ? undefined : barAt(lane, atMs, slackOf(view, canvas.current!.clientWidth))
    if (bar !== undefined) location.hash = hrefOf(bar.key)
  }
  const lanes = timeline.lanes.length
  return (
    <>
      <p class="tools">
        <button type="button" onClick={() => change((old) => zoomed(old, 1 / STEP, 1, store.nowMs))}>
          Closer
        </button>
        <button type="button" onClick={() => change((old) => zoomed(old, STEP, 1, store.nowMs))}>
          Further
        </button>
        <button
          type="button"
          disabled={view.endMs === undefined}
          onClick={() => change((old) => ({ ...old, endMs: undefined }))}
        >
          Live
        </button>
        <span class="quiet">
          {formatDuration(view.spanMs)}
          {view.endMs === undefined ? ', live' : ', stopped'} · {counted(timeline.size, 'bar')}
          {timeline.leftOut > 0 && `, ${whole(timeline.leftOut)} runs left out`}
        </span>
      </p>
      {lanes === 0 ? (
        <p class="empty">No thread has run a task since this page looks. What runs from now on shows up here.</p>
      ) : (
        <div class="place">
          <div
            class="stream"
            ref={frame}
            tabIndex={0}
            role="group"
            aria-label={`Task stream of ${counted(lanes, 'lane')}. Arrows move, plus and minus zoom, End goes back to now.`}
            onKeyDown={onKeyDown}
            onWheel={onWheel}
            onPointerDown={(event) => (dragFrom.current = { x: event.clientX, view })}
            onPointerUp={onPointerUp}
            onPointerLeave={() => {
              dragFrom.current = undefined
              setHovered(undefined)
            }}
            onPointerMove={onPointerMove}
            style={{ height: `${AXIS_HEIGHT + lanes * LANE_HEIGHT + 2}px` }}
          >
            <div style={{ height: `${AXIS_HEIGHT + lanes * LANE_HEIGHT}px` }}>
              <canvas ref={canvas} />
            </div>
          </div>
          {hovered && <Hint hovered={hovered} view={view} width={canvas.current?.clientWidth ?? 0} />}
        </div>
      )}
      {lanes > 0 && <StreamLegend />}
      <p class="quiet">
        Drag to go back in time; hold Ctrl and turn the wheel to zoom. Several short tasks of one function in a row are
        one bar.
      </p>
    </>
  )
}

const KEYS: Readonly<Record<string, (view: ViewWindow, nowMs: number) => ViewWindow>> = {
  ArrowLeft: (view, nowMs) => moved(view, -0.1, nowMs),
  ArrowRight: (view, nowMs) => moved(view, 0.1, nowMs),
  '+': (view, nowMs) => zoomed(view, 1 / STEP, 1, nowMs),
  '-': (view, nowMs) => zoomed(view, STEP, 1, nowMs),
  End: (view) => ({ ...view, endMs: undefined }),
}

/** Names of lanes have less room on a phone. */
function leftOf(width: number): number {
  return width < NARROW ? 96 : 150
}

/** Draws with each frame of the browser, which asks for none while the page is in the background. */
function useDrawing(
  frame: { readonly current: HTMLDivElement | null },
  canvas: { readonly current: HTMLCanvasElement | null },
  latest: { readonly current: { readonly view: ViewWindow; readonly hovered: Hovered | undefined } },
): void {
  useEffect(() => {
    let palette: Palette | undefined
    const dark = matchMedia('(prefers-color-scheme: dark)')
    const forget = (): void => void (palette = undefined)
    dark.addEventListener('change', forget)
    let request = 0
    const onFrame = (): void => {
      request = requestAnimationFrame(onFrame)
      const [outer, target] = [frame.current, canvas.current]
      if (outer === null || target === null) return
      const context = sized(target, outer.clientWidth, outer.clientHeight)
      const { view, hovered } = latest.current
      const { nowMs, timeline } = store
      palette ??= paletteOf(outer)
      const left = leftOf(outer.clientWidth)
      const drawing = { timeline, ...boundsOf(view, nowMs), nowMs, scrollTop: outer.scrollTop, left, hover: hovered }
      const startedMs = performance.now()
      draw(context, outer.clientWidth, outer.clientHeight, drawing, palette)
      target.dataset['drawnInMs'] = String(performance.now() - startedMs)
    }
    onFrame()
    return () => {
      cancelAnimationFrame(request)
      dark.removeEventListener('change', forget)
    }
  }, [])
}

/** The canvas with a pixel for each of the screen’s. */
function sized(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const ratio = devicePixelRatio
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)]
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide
    canvas.height = high
    canvas.style.width = `${width}px`
    canvas.style.height = `${height}px`
  }
  const context = canvas.getContext('2d')!
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  return context
}

function slackOf(view: ViewWindow, width: number): number {
  return (SLACK * view.spanMs) / Math.max(1, width - leftOf(width))
}

function Hint({
  hovered,
  view,
  width,
}: {
  readonly hovered: Hovered
  readonly view: ViewWindow
  readonly width: number
}): JSX.Element | null {
  const { lane, atMs, x, y } = hovered
  const slackMs = slackOf(view, width)
  const lines = lane.thread === MOVES ? moveLines(lane, atMs, slackMs) : barLines(barAt(lane, atMs, slackMs))
  if (lines.length === 0) return null
  return (
    <div
      class="hint"
      role="status"
      style={{ transform: `translate(${Math.min(x, Math.max(0, width - 280))}px, ${y + 16}px)` }}
    >
      {lines.map((line) => (
        <span key={line}>{line}</span>
      ))}
    </div>
  )
}

function barLines(bar: Bar | undefined): string[] {
  if (bar === undefined) return []
  const { function: name, key, count, failed, fromMs, toMs } = bar
  const isRunning = toMs === Infinity
  const duration = formatDuration((isRunning ? store.nowMs : toMs) - fromMs)
  return [
    name,
    count > 1 ? `${counted(count, 'task')} from ${key} on` : key,
    isRunning ? `running for ${duration}` : count > 1 ? `together ${duration}` : duration,
    ...(failed === 0 ? [] : [count > 1 ? `${whole(failed)} of them failed` : 'failed']),
  ]
}

function moveLines({ moves }: Lane, atMs: number, slackMs: number): string[] {
  return moves
    .filter((move) => Math.abs(move.atMs - atMs) <= slackMs)
    .map(({ kind, count, bytes }) => `${counted(count, 'value')} ${MOVE_WORDS[kind]}, ${formatBytes(bytes)}`)
}

const MOVE_WORDS = { fetched: 'from other workers', spilled: 'put on disk', loaded: 'back from disk' } as const

function StreamLegend(): JSX.Element {
  const named = [...store.timeline.colours].filter(([, number]) => number !== OTHER_COLOUR)
  const others = store.timeline.colours.size - named.length
  return (
    <ul class="legend">
      {named.map(([name, number]) => (
        <li key={name}>
          <span class={`fill series-${number + 1}`} />
          {name}
        </li>
      ))}
      {others > 0 && (
        <li>
          <span class="fill waiting" />
          {counted(others, 'other function')}
        </li>
      )}
      <li>
        <span class="fill failed" />
        failed
      </li>
      {(['fetched', 'spilled', 'loaded'] as const).map((kind) => (
        <li key={kind}>
          <span class={`fill ${kind}`} />
          values {MOVE_WORDS[kind]}
        </li>
      ))}
    </ul>
  )
}
