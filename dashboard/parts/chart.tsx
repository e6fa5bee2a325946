/** A chart over time, in the colours of the style sheet, as wide as its place. */
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'

export interface Line {
  readonly name: string
  /** The name of a colour in the style sheet. */
  readonly kind: string
  readonly values: readonly number[]
}

interface ChartProps {
  /** What it shows, for those who can’t see it. */
  readonly label: string
  /** In milliseconds; of each value of each line. */
  readonly times: readonly number[]
  /** Drawn one on top of the other if `isStacked`. */
  readonly lines: readonly Line[]
  readonly isStacked?: boolean
  readonly format: (value: number) => string
  /** The values are bytes: their axis has steps that are round in those. */
  readonly isBytes?: boolean
}

const HEIGHT = 180
/** The axis is as long as this at least, so that the line does not jump while there are few samples. */
const MIN_SPAN_S = 60
/** So high at least, that its steps are whole numbers. */
const MIN_TOP = 4
const MIN_TOP_BYTES = 2 ** 20

export function Chart(props: ChartProps): JSX.Element {
  const { label, times, lines, isStacked = false, format } = props
  const place = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot>()
  const dark = matchMedia('(prefers-color-scheme: dark)')
  const data = dataOf(times, lines, isStacked)
  const latest = lines.map(({ name, values }) => `${name} ${format(values.at(-1) ?? 0)}`).join(', ')
  useEffect(() => {
    const target = place.current!
    const make = (): void => {
      chart.current?.destroy()
      chart.current = new uPlot(optionsOf(target, props), data, target)
    }
    make()
    // Colours of a canvas are those of the moment it was drawn.
    dark.addEventListener('change', make)
    const resized = new ResizeObserver(() => chart.current?.setSize({ width: target.clientWidth, height: HEIGHT }))
    resized.observe(target)
    return () => {
      dark.removeEventListener('change', make)
      resized.disconnect()
      chart.current?.destroy()
    }
  }, [])
  useEffect(() => chart.current?.setData(data), [times])
  return <div class="chart" ref={place} role="img" aria-label={`${label}: ${latest}`} />
}

/** The tallest first when stacked, so that each is drawn over the ones below it. */
function dataOf(times: readonly number[], lines: readonly Line[], isStacked: boolean): uPlot.AlignedData {
  const nowMs = times.at(-1) ?? 0
  const seconds = times.map((atMs) => (atMs - nowMs) / 1_000)
  if (!isStacked) return [seconds, ...lines.map(({ values }) => [...values])]
  const stacked: number[][] = []
  for (let i = lines.length - 1; i >= 0; i--) {
    const below = stacked.at(-1)
    stacked.push(lines[i]!.values.map((value, at) => value + (below?.[at] ?? 0)))
  }
  return [seconds, ...stacked.reverse()]
}

function optionsOf(
  target: HTMLElement,
  { lines, isStacked = false, isBytes = false, format }: ChartProps,
): uPlot.Options {
  const style = getComputedStyle(target)
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim()
  const axis = {
    stroke: colour('quiet'),
    font: '12px system-ui, sans-serif',
    grid: { stroke: colour('line'), width: 1 },
    ticks: { show: false },
  }
  return {
    width: target.clientWidth,
    height: HEIGHT,
    padding: [10, 12, 0, 0],
    cursor: { show: false },
    legend: { show: false },
    scales: {
      x: { time: false, range: (_, min) => [Math.min(min, -MIN_SPAN_S), 0] },
      y: { range: (_, __, max) => [0, Math.max(max * 1.1, isBytes ? MIN_TOP_BYTES : MIN_TOP)] },
    },
    axes: [
      { ...axis, size: 28, values: (_, splits) => splits.map((at) => (at === 0 ? 'now' : agoInWords(-at))) },
      {
        ...axis,
        size: 68,
        values: (_, splits) => splits.map(format),
        ...(isBytes && { incrs: [...Array(48).keys()].map((power) => 2 ** power) }),
      },
    ],
    series: [
      {},
      ...lines.map(({ name, kind }) => ({
        label: name,
        stroke: colour(kind),
        width: isStacked ? 0 : 2,
        points: { show: false },
        fill: isStacked ? colour(kind) : `color-mix(in srgb, ${colour(kind)} 18%, transparent)`,
      })),
    ],
  }
}

function agoInWords(seconds: number): string {
  return seconds < 60 || seconds % 60 !== 0 ? `−${Math.round(seconds)} s` : `−${seconds / 60} min`
}
