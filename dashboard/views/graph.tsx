/** The graph of what there is to do: functions with what they take values of, or single tasks while there are few. */
import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { GraphTask, Watched } from '../../protocol/messages/watch.js'
import { layOut, pathOf, type Layout, type Node, type Sizes } from '../model/graph.js'
import { partsOfStates, PROGRESS_KINDS, STATES } from '../model/states.js'
import { counted, whole } from '../model/words.js'
import { Bar, Legend } from '../parts/bar.js'
import { hrefOf } from '../parts/task-link.js'
import { useLook, useReading } from '../store.js'

/** So many functions are drawn: those with most left to do. */
const MAX_STAGES = 60

export function Graph({ watched }: { readonly watched: Watched }): JSX.Element {
  const [isByTask, setByTask] = useState(false)
  useLook('graph')
  const { graph } = useReading()
  const tasks = graph?.tasks ?? undefined
  return (
    <>
      <p class="tools">
        <button type="button" aria-pressed={!isByTask} onClick={() => setByTask(false)}>
          Functions
        </button>
        <button
          type="button"
          aria-pressed={isByTask}
          disabled={tasks === undefined && !isByTask}
          onClick={() => setByTask(true)}
        >
          Single tasks
        </button>
        <span class="quiet">
          {graph !== undefined && tasks === undefined
            ? `${counted(graph.count, 'task')} are too many to show one by one.`
            : graph !== undefined && counted(graph.count, 'task')}
        </span>
      </p>
      {isByTask && tasks !== undefined ? <Tasks tasks={tasks} /> : <Stages watched={watched} />}
    </>
  )
}

function Stages({ watched: { cluster } }: { readonly watched: Watched }): JSX.Element {
  const [chosen, setChosen] = useState('')
  const { place, width } = useWidth()
  const leftOf = ([, { tasks }]: (typeof all)[number]): number =>
    tasks.waiting + tasks.ready + tasks.processing + tasks.delayed
  const all = Object.entries(cluster.functions)
  const stages = all.length <= MAX_STAGES ? all : all.toSorted((a, b) => leftOf(b) - leftOf(a)).slice(0, MAX_STAGES)
  const numbers = new Map(stages.map(([name], number) => [name, number]))
  const nodes = stages.map(([, { inputs }]): Node => ({
    inputs: Object.keys(inputs).flatMap((name) => numbers.get(name) ?? []),
  }))
  const sizes: Sizes = {
    width,
    boxWidth: Math.min(220, Math.floor((width - 12) / 2)),
    boxHeight: 78,
    gap: 12,
    layerGap: 48,
  }
  const layout = layOut(nodes, sizes)
  const at = numbers.get(chosen)
  const isNear = (node: number): boolean =>
    at === undefined || node === at || nodes[at]!.inputs.includes(node) || nodes[node]!.inputs.includes(at)
  if (stages.length === 0) {
    return <p class="empty">No task was submitted yet. What clients submit shows up here, by function.</p>
  }
  return (
    <>
      <div class="graph" ref={place} style={{ height: `${layout.height}px` }}>
        <Arrows
          layout={layout}
          sizes={sizes}
          isFaint={({ from, to }) => at !== undefined && from !== at && to !== at}
        />
        <ul>
          {stages.map(([name, view], number) => {
            const parts = partsOfStates(view)
            const total = parts.reduce((sum, { amount }) => sum + amount, 0)
            const { x, y } = layout.places[number]!
            return (
              <li
                key={name}
                class={isNear(number) ? 'stage' : 'stage faint'}
                style={{
                  transform: `translate(${x}px, ${y}px)`,
                  width: `${sizes.boxWidth}px`,
                  height: `${sizes.boxHeight}px`,
                }}
              >
                <button
                  type="button"
                  aria-pressed={name === chosen}
                  onClick={() => setChosen(name === chosen ? '' : name)}
                >
                  <span class="name clipped" title={name}>
                    {name}
                  </span>
                  <Bar parts={parts} total={total} />
                  <small class="clipped">
                    {whole(view.finished)} of {whole(total)}
                    {view.tasks.failed > 0 && <span class="bad">, {whole(view.tasks.failed)} failed</span>}
                  </small>
                </button>
              </li>
            )
          })}
        </ul>
      </div>
      <Legend parts={PROGRESS_KINDS} />
      {all.length + cluster.moreFunctions > stages.length && (
        <p class="quiet">
          Those with most left to do are shown; there are {whole(all.length + cluster.moreFunctions - stages.length)}{' '}
          more.
        </p>
      )}
      {at === undefined ? (
        <p class="quiet">Choose a function to see what it takes values of, and what takes values of it.</p>
      ) : (
        <Chosen name={chosen} functions={cluster.functions} />
      )}
    </>
  )
}

/** In words, what the arrows of one function are, and how many of its tasks are in each state. */
function Chosen({
  name,
  functions,
}: {
  readonly name: string
  readonly functions: Watched['cluster']['functions']
}): JSX.Element {
  const { tasks, inputs } = functions[name]!
  const dependants = Object.entries(functions).flatMap(([other, { inputs: its }]) =>
    Object.hasOwn(its, name) ? [[other, its[name]!] as const] : [],
  )
  const listed = (links: readonly (readonly [string, number])[]): string =>
    links.map(([other, count]) => `${other} (${whole(count)})`).join(', ')
  const states = STATES.filter(({ state }) => tasks[state] > 0)
  return (
    <section aria-live="polite" aria-labelledby="chosen">
      <h2 id="chosen">{name}</h2>
      <p>
        {states.length === 0
          ? 'None of its tasks is there any more.'
          : `Of its tasks ${states.map(({ state, words }) => `${whole(tasks[state])} are ${words}`).join(', ')}.`}
      </p>
      <p>
        {Object.keys(inputs).length === 0
          ? 'It takes values of no other task.'
          : `It takes values of ${listed(Object.entries(inputs))}.`}{' '}
        {dependants.length === 0 ? 'Nothing takes its values.' : `Its values go to ${listed(dependants)}.`}
      </p>
    </section>
  )
}

const DOT = 18

function Tasks({ tasks }: { readonly tasks: readonly GraphTask[] }): JSX.Element {
  const { place, width } = useWidth()
  const sizes: Sizes = { width, boxWidth: DOT, boxHeight: DOT, gap: 8, layerGap: 44 }
  const layout = layOut(tasks, sizes)
  if (tasks.length === 0) return <p class="empty">There is no task now.</p>
  return (
    <>
      <div class="graph" ref={place} style={{ height: `${layout.height}px` }}>
        <Arrows layout={layout} sizes={sizes} isFaint={() => false} />
        <ul>
          {tasks.map(({ key, function: name, state }, number) => {
            const { x, y } = layout.places[number]!
            const words = `${name}, ${key}: ${state}`
            const kind = STATES.find((each) => each.state === state)?.kind ?? ''
            return (
              <li key={key} class="dot" style={{ transform: `translate(${x}px, ${y}px)` }}>
                <a href={hrefOf(key)} class={`fill ${kind}`} aria-label={words} title={words} />
              </li>
            )
          })}
        </ul>
      </div>
      <Legend parts={STATES} />
    </>
  )
}

function Arrows({
  layout,
  sizes,
  isFaint,
}: {
  readonly layout: Layout
  readonly sizes: Sizes
  readonly isFaint: (arrow: Layout['arrows'][number]) => boolean
}): JSX.Element {
  return (
    <svg width={sizes.width} height={layout.height} aria-hidden="true">
      <defs>
        <marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
          <path d="M0 0 L8 4 L0 8 z" class="head" />
        </marker>
      </defs>
      {layout.arrows.map((arrow) => (
        <path
          key={`${arrow.from} ${arrow.to}`}
          class={isFaint(arrow) ? 'arrow faint' : 'arrow'}
          d={pathOf(arrow, layout, sizes)}
          marker-end="url(#head)"
        />
      ))}
    </svg>
  )
}

/** The width of the place that the drawing has, also when that changes. */
function useWidth(): { readonly place: preact.RefObject<HTMLDivElement>; readonly width: number } {
  const place = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  useEffect(() => {
    if (place.current === null) return undefined
    const resized = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width)))
    resized.observe(place.current)
    return () => resized.disconnect()
  }, [place.current === null])
  return { place, width: width === 0 ? Math.min(1_392, document.body.clientWidth - 32) : width }
}
