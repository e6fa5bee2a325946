/** The status page: its frame, and which view is shown, by the address behind `#`. */
import { render } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { formatDuration } from '../common/units.js'
import type { Watched } from '../protocol/messages/watch.js'
import { counted } from './model/words.js'
import { store, useReading } from './store.js'
import { Errors } from './views/errors.js'
import { Functions } from './views/functions.js'
import { Graph } from './views/graph.js'
import { Logs } from './views/logs.js'
import { Overview } from './views/overview.js'
import { Profile } from './views/profile.js'
import { Scheduler } from './views/scheduler.js'
import { Stream } from './views/stream.js'
import { Task } from './views/task.js'
import { Workers } from './views/workers.js'

interface View {
  readonly name: string
  readonly title: string
  readonly show: (props: { readonly watched: Watched }) => preact.ComponentChild
}

const VIEWS: readonly View[] = [
  { name: 'overview', title: 'Overview', show: Overview },
  { name: 'workers', title: 'Workers', show: Workers },
  { name: 'stream', title: 'Task stream', show: Stream },
  { name: 'functions', title: 'Functions', show: Functions },
  { name: 'graph', title: 'Graph', show: Graph },
  { name: 'errors', title: 'Errors', show: Errors },
  { name: 'logs', title: 'Logs', show: Logs },
  { name: 'profile', title: 'Profile', show: Profile },
  { name: 'scheduler', title: 'Scheduler', show: Scheduler },
]

/** It is reached by links to a task. */
const TASK: View = { name: 'task', title: 'Task', show: Task }

function Page(): preact.JSX.Element {
  const { watched, isLost } = useReading()
  const view = useView()
  const heading = useRef<HTMLHeadingElement>(null)
  const isFirst = useRef(true)
  useEffect(() => {
    document.title = `${view.title} · heddle`
    // Who uses a screen reader or the keyboard is taken to what they chose.
    if (!isFirst.current) heading.current?.focus()
    isFirst.current = false
  }, [view])
  return (
    <>
      <a class="skip" href="#content">
        To the content
      </a>
      <header>
        <p class="brand">heddle</p>
        <nav aria-label="Views">
          {VIEWS.map(({ name, title }) => (
            <a key={name} href={`#/${name}`} aria-current={view.name === name ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <p class={isLost ? 'summary bad' : 'summary'} role="status">
          {isLost ? 'The scheduler does not answer. Trying again …' : watched && summaryOf(watched)}
        </p>
      </header>
      <main id="content" class={isLost ? 'stale' : ''}>
        <h1 ref={heading} tabIndex={-1}>
          {view.title}
        </h1>
        {watched === undefined ? <p class="empty">Connecting …</p> : <view.show watched={watched} />}
      </main>
    </>
  )
}

function summaryOf({ cluster, scheduler, nowMs: _ }: Watched): string {
  const workers = Object.keys(cluster.workers).length
  const upForMs = Math.floor(Math.max(0, Date.now() - scheduler.startedAt) / 1_000) * 1_000
  return [
    counted(workers, 'worker'),
    counted(cluster.clients, 'client'),
    `up for ${formatDuration(upForMs)}`,
    scheduler.packageVersion,
  ].join(' · ')
}

function useView(): View {
  const [name, setName] = useState(viewName())
  useEffect(() => {
    const onChange = (): void => setName(viewName())
    window.addEventListener('hashchange', onChange)
    onChange() // Another view may have been chosen since this one was drawn.
    return () => window.removeEventListener('hashchange', onChange)
  }, [])
  return [...VIEWS, TASK].find((view) => view.name === name) ?? VIEWS[0]!
}

/** `workers` of `#/workers/…`. */
function viewName(): string {
  return location.hash.split('/')[1] ?? ''
}

store.start()
render(<Page />, document.body)
