/** What workers log and their tasks print, as it comes: the newest first, so that it is in view without scrolling. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { LineView, Watched } from '../../protocol/messages/watch.js'
import { linesWith } from '../model/lines.js'
import { counted, whole } from '../model/words.js'
import { LogLines } from '../parts/log-lines.js'
import { store, useLook, useReading } from '../store.js'

/** So many are drawn. */
const MAX_DRAWN = 500

export function Logs({ watched: { cluster } }: { readonly watched: Watched }): JSX.Element {
  useLook('logs')
  useReading()
  const [worker, setWorker] = useState('')
  const [words, setWords] = useState('')
  /** What there was when somebody stopped it, to read. */
  const [stopped, setStopped] = useState<readonly LineView[]>()
  const lines = stopped ?? store.lines.all
  const found = linesWith(lines, worker, words)
  const names = [...new Set([...Object.keys(cluster.workers), ...lines.map((line) => line.worker)])]
  const behind = stopped === undefined ? 0 : store.lines.all.indexOf(stopped[0]!)
  return (
    <>
      <p class="tools">
        <input
          type="search"
          aria-label="Find in the lines"
          placeholder="Find in the lines"
          value={words}
          onInput={({ currentTarget }) => setWords(currentTarget.value)}
        />
        <select
          aria-label="Of which worker"
          value={worker}
          onChange={({ currentTarget }) => setWorker(currentTarget.value)}
        >
          <option value="">all workers</option>
          {names
            .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
            .map((name) => (
              <option key={name}>{name}</option>
            ))}
        </select>
        <button
          type="button"
          aria-pressed={stopped !== undefined}
          disabled={lines.length === 0}
          onClick={() => setStopped(stopped === undefined ? lines : undefined)}
        >
          {stopped === undefined ? 'Stop here' : 'Go on'}
        </button>
        <span class="quiet" role="status">
          {stopped === undefined ? 'live' : `stopped, ${counted(Math.max(0, behind), 'newer line')}`}
          {found.length < lines.length && `, ${whole(found.length)} of ${whole(lines.length)} lines`}
          {store.lines.leftOut > 0 && `, ${whole(store.lines.leftOut)} left out for being too many`}
        </span>
      </p>
      {found.length === 0 ? (
        <p class="empty">
          {lines.length > 0
            ? 'No line is like that.'
            : !store.lines.isTold
              ? 'Asking the workers …'
              : 'No worker has logged anything yet. What tasks print by console.log shows up here, as it comes.'}
        </p>
      ) : (
        <LogLines lines={found.slice(0, MAX_DRAWN)} />
      )}
      {found.length > MAX_DRAWN && <p class="quiet">The latest {whole(MAX_DRAWN)} are shown.</p>}
    </>
  )
}
