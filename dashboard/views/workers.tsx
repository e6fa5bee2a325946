/** Each worker: what it is, what it runs and for how long, what it takes and holds. */
import type { JSX } from 'preact'
import { formatBytes, formatDuration } from '../../common/units.js'
import type { RunningView, Watched, WorkerView } from '../../protocol/messages/watch.js'
import { percent, whole } from '../model/words.js'
import { Actions, type Action } from '../parts/actions.js'
import { Legend } from '../parts/bar.js'
import { MemoryBar, MEMORY_KINDS } from '../parts/memory.js'
import { Table } from '../parts/table.js'
import { hrefOf } from '../parts/task-link.js'
import { store, useReading } from '../store.js'

interface Row {
  readonly name: string
  readonly worker: WorkerView
  readonly nowMs: number
}

/** A worker says something every second. */
const SILENT_MS = 3_000
/** So many running tasks are written out. */
const MAX_NAMED = 3

export function Workers({ watched: { cluster, nowMs } }: { readonly watched: Watched }): JSX.Element {
  const { mayAct } = useReading()
  const rows = Object.entries(cluster.workers)
    .map(([name, worker]) => ({ name, worker, nowMs }))
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
  const join = `heddle worker join ${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}`
  return (
    <>
      <Table
        caption="Workers"
        noun="worker"
        rows={rows}
        keyOf={({ name }) => name}
        empty={
          <>
            No worker has joined. Start one with <code>{join}</code>
          </>
        }
        columns={[
          { title: 'Worker', cell: nameOf, order: ({ name }) => name },
          {
            title: 'Running',
            cell: (row) => <Running row={row} />,
            order: ({ worker }) => worker.running.length,
          },
          {
            title: 'Sent',
            cell: ({ worker }) => whole(worker.processing),
            order: ({ worker }) => worker.processing,
            isFigure: true,
          },
          {
            title: 'Sent ahead',
            cell: ({ worker }) => whole(worker.sentAhead),
            order: ({ worker }) => worker.sentAhead,
            isFigure: true,
          },
          {
            title: 'CPU',
            cell: ({ name }) => percent(store.history.coresOf(name)),
            order: ({ name }) => store.history.coresOf(name),
            isFigure: true,
          },
          {
            title: 'Memory',
            cell: ({ worker }) => <MemoryBar worker={worker} />,
            order: ({ worker }) => worker.memoryBytes,
          },
          {
            title: 'Values',
            cell: ({ worker }) => whole(worker.storedCount),
            order: ({ worker }) => worker.storedCount,
            isFigure: true,
          },
          {
            title: 'Held',
            cell: ({ worker }) => formatBytes(worker.storedBytes),
            order: ({ worker }) => worker.storedBytes,
            isFigure: true,
          },
          {
            title: 'On disk',
            cell: ({ worker }) => formatBytes(worker.spilledBytes),
            order: ({ worker }) => worker.spilledBytes,
            isFigure: true,
          },
          {
            title: 'Received',
            cell: received,
            order: ({ worker }) => worker.receivedBytes,
            isFigure: true,
          },
          { title: 'State', cell: stateOf, order: ({ worker }) => nowMs - worker.heardAtMs },
          ...(mayAct ? [{ title: 'What to do', cell: (row: Row) => <WorkerActions row={row} /> }] : []),
        ]}
      />
      {rows.length > 0 && <Legend parts={MEMORY_KINDS} />}
    </>
  )
}

/** Of values that others had, all together and now. */
function received({ name, worker }: Row): JSX.Element {
  const now = store.history.receivedOf(name)
  return (
    <>
      {formatBytes(worker.receivedBytes)}
      {now > 0 && <small>{formatBytes(now)}/s</small>}
    </>
  )
}

const DRAIN: Action = {
  name: 'drain',
  label: 'Drain',
  warning: 'It gets nothing new, ends what it runs, gives its values to others, and goes.',
  done: 'It goes.',
  ended: 'It is going already.',
}
const RESTART: Action = {
  name: 'restart',
  label: 'Restart',
  warning: 'It ends what it runs, gives its values to others, and its process is started again.',
  done: 'It starts afresh.',
  ended: 'It is going already.',
}

function WorkerActions({ row: { name, worker } }: { readonly row: Row }): JSX.Element {
  return <Actions path={`workers/${encodeURIComponent(name)}`} actions={worker.isLeaving ? [] : [DRAIN, RESTART]} />
}

function nameOf({ name, worker }: Row): JSX.Element {
  const { host, pid, address, resources, packageVersion, nodeVersion } = worker
  return (
    <>
      <span class="name">{name}</span>
      <small>
        {host}, process {pid}, {address === '' ? 'reached by relay' : address}
      </small>
      <small>
        heddle {packageVersion}, Node {nodeVersion}
        {resources.length > 0 && `, ${resources.join(', ')}`}
      </small>
    </>
  )
}

/** Each thread as a square, and what runs longest. */
function Running({ row: { worker, nowMs } }: { readonly row: Row }): JSX.Element {
  const { threads, running, processing } = worker
  const longest = running.toSorted((a, b) => (a.sinceMs || Infinity) - (b.sinceMs || Infinity))
  const more = running.length - MAX_NAMED
  // Between two signs of life short tasks come and go: then a thread is busy if there is something for it.
  const busy = Math.min(threads, Math.max(running.length, processing))
  return (
    <>
      <span
        class="threads"
        role="img"
        aria-label={`${busy} of ${threads} threads busy`}
        title={`${busy} of ${threads} threads busy`}
      >
        {Array.from({ length: Math.min(threads, 64) }, (_, at) => (
          <span key={at} class={at < busy ? 'thread processing' : 'thread'} />
        ))}
      </span>
      {longest.slice(0, MAX_NAMED).map((run) => (
        <small key={run.key} class="clipped" title={run.key}>
          <a href={hrefOf(run.key)}>{inWords(run, nowMs)}</a>
        </small>
      ))}
      {more > 0 && <small>and {whole(more)} more</small>}
    </>
  )
}

function inWords({ function: name, sinceMs }: RunningView, nowMs: number): string {
  return sinceMs === 0 ? name : `${name} for ${formatDuration(Math.max(0, nowMs - sinceMs))}`
}

function stateOf({ worker, nowMs }: Row): JSX.Element {
  const { pausedBy, isDiskFull, isLeaving, staysBecause, heardAtMs } = worker
  const silentMs = nowMs - heardAtMs
  const troubles = [
    ...(pausedBy === '' ? [] : [`paused: full of ${pausedBy === 'values' ? 'values' : 'what tasks use'}`]),
    ...(isDiskFull ? ['disk full'] : []),
    ...(isLeaving ? ['leaving'] : []),
    ...(silentMs > SILENT_MS ? [`silent for ${formatDuration(Math.floor(silentMs / 1_000) * 1_000)}`] : []),
  ]
  if (troubles.length === 0) return <>here</>
  return (
    <>
      <span class="bad">{troubles.join(', ')}</span>
      {staysBecause !== '' && <small>{staysBecause}</small>}
    </>
  )
}
