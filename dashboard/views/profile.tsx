/** Where the time of threads goes, by function: workers sample their threads when somebody asks for it, and only then. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { formatDuration } from '../../common/units.js'
import type { ClusterProfile } from '../../protocol/messages/api.js'
import type { Watched } from '../../protocol/messages/watch.js'
import { byFunction, framesOf, placeOf, type CalledFunction, type Frame } from '../model/flame.js'
import { counted, percent } from '../model/words.js'
import { Table } from '../parts/table.js'
import { useReading } from '../store.js'

const DURATIONS_S = [1, 5, 20] as const
/** Of the width: what is narrower can neither be read nor chosen. */
const LEAST_SHARE = 1 / 500
const COLOURS = 6
/** So many are listed: those that took longest. */
const MAX_FUNCTIONS = 30

export function Profile({ watched: { cluster } }: { readonly watched: Watched }): JSX.Element {
  const { mayAct } = useReading()
  const [worker, setWorker] = useState('')
  const [seconds, setSeconds] = useState<number>(DURATIONS_S[1])
  const [isAsking, setAsking] = useState(false)
  const [told, setTold] = useState<ClusterProfile | string>(
    'Workers sample their threads only when they are asked to. What takes time shows up here, by function.',
  )
  const take = async (): Promise<void> => {
    setAsking(true)
    setTold(await ask(worker, seconds * 1_000))
    setAsking(false)
  }
  if (!mayAct) return <p class="empty">A profile slows workers down a little, so it takes the token of a client.</p>
  const names = Object.keys(cluster.workers).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  return (
    <>
      <p class="tools">
        <select
          aria-label="Of which worker"
          value={worker}
          onChange={({ currentTarget }) => setWorker(currentTarget.value)}
        >
          <option value="">all workers</option>
          {names.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <select
          aria-label="For how long"
          value={String(seconds)}
          onChange={({ currentTarget }) => setSeconds(Number(currentTarget.value))}
        >
          {DURATIONS_S.map((each) => (
            <option key={each} value={String(each)}>
              {counted(each, 'second')}
            </option>
          ))}
        </select>
        <button type="button" disabled={isAsking || names.length === 0} onClick={() => void take()}>
          Take a profile
        </button>
        <span class="quiet" role="status">
          {isAsking && `Sampling for ${counted(seconds, 'second')} …`}
        </span>
      </p>
      {typeof told === 'string' ? <p class="empty">{told}</p> : <Taken profile={told} />}
    </>
  )
}

function Taken({ profile }: { readonly profile: ClusterProfile }): JSX.Element {
  const { nodes, threads, missing } = profile
  const [top, setTop] = useState(0)
  const [taken, setTaken] = useState(profile)
  if (taken !== profile) {
    setTaken(profile)
    setTop(0)
  }
  const busyMs = nodes[0]?.totalMs ?? 0
  const sampledMs = threads.reduce((sum, { durationMs }) => sum + durationMs, 0)
  if (busyMs === 0) {
    return (
      <p class="empty">
        {counted(threads.length, 'thread')} had nothing to do meanwhile. {absent(missing)}
      </p>
    )
  }
  return (
    <>
      <p class="quiet">
        {counted(threads.length, 'thread')}, busy for {formatDuration(Math.round(busyMs))} of{' '}
        {formatDuration(Math.round(sampledMs))}. {absent(missing)} Choose a function to see it closer.
      </p>
      <Flames nodes={nodes} top={top < nodes.length ? top : 0} onChoose={setTop} />
      <section aria-labelledby="by-function">
        <h2 id="by-function">By function</h2>
        <Table
          caption="Functions by their own time"
          noun="function"
          rows={byFunction(nodes).slice(0, MAX_FUNCTIONS)}
          keyOf={(row) => `${row.name} ${row.url}:${row.line}`}
          empty="Nothing ran."
          columns={[
            { title: 'Function', cell: ({ name }) => <span class="name">{name}</span>, order: ({ name }) => name },
            { title: 'Where', cell: (row) => <span title={row.url}>{placeOf(row)}</span>, order: placeOf },
            {
              title: 'Own time',
              cell: ({ selfMs }) => formatDuration(selfMs),
              order: ({ selfMs }) => selfMs,
              isFigure: true,
            },
            { title: 'Share', cell: ({ selfMs }) => percent(selfMs / busyMs), isFigure: true },
          ]}
        />
      </section>
    </>
  )
}

function Flames({
  nodes,
  top,
  onChoose,
}: {
  readonly nodes: readonly CalledFunction[]
  readonly top: number
  readonly onChoose: (node: number) => void
}): JSX.Element {
  const frames = framesOf(nodes, top, LEAST_SHARE)
  const depth = Math.max(...frames.map((frame) => frame.depth)) + 1
  const wholeMs = nodes[0]!.totalMs
  return (
    <div class="flames" role="group" aria-label="Flame graph" style={{ height: `${depth * 1.5}rem` }}>
      {frames.map((frame) => (
        <Flame
          key={frame.node}
          frame={frame}
          called={nodes[frame.node]!}
          wholeMs={wholeMs}
          isTop={frame.node === top}
          onChoose={onChoose}
        />
      ))}
    </div>
  )
}

function Flame({
  frame: { node, depth, from, share },
  called,
  wholeMs,
  isTop,
  onChoose,
}: {
  readonly frame: Frame
  readonly called: CalledFunction
  readonly wholeMs: number
  readonly isTop: boolean
  readonly onChoose: (node: number) => void
}): JSX.Element {
  const name = node === 0 ? 'all functions' : called.name
  const times = `${formatDuration(called.totalMs)}, ${percent(called.totalMs / wholeMs)}`
  const words = node === 0 ? `${name}: ${times}` : `${name}, ${placeOf(called)}: ${times}`
  return (
    <button
      type="button"
      class={`flame clipped ${called.url === '' ? 'flame-native' : `flame-${colourOf(called)}`}`}
      aria-pressed={isTop}
      aria-label={words}
      title={words}
      style={{ left: `${from * 100}%`, top: `${depth * 1.5}rem`, width: `${share * 100}%` }}
      onClick={() => onChoose(node)}
    >
      {name}
    </button>
  )
}

/** The same function has the same colour, in whatever profile. */
function colourOf({ name, url }: CalledFunction): number {
  let sum = 0
  for (const character of `${name} ${url}`) sum = (sum * 31 + character.codePointAt(0)!) % 65_521
  return (sum % COLOURS) + 1
}

function absent(missing: ClusterProfile['missing']): string {
  if (missing.length === 0) return ''
  const [{ worker, thread, reason }] = missing as [ClusterProfile['missing'][number]]
  return `${counted(missing.length, 'thread')} could not be sampled, as ${thread} of ${worker}: ${reason}.`
}

async function ask(worker: string, durationMs: number): Promise<ClusterProfile | string> {
  const query = new URLSearchParams({ durationMs: String(durationMs), ...(worker !== '' && { worker }) })
  try {
    const response = await fetch(`/api/v1/profile?${query}`, { method: 'POST' })
    const answer = (await response.json()) as ClusterProfile & { readonly message?: string }
    return answer.message ?? answer
  } catch {
    return 'The scheduler does not answer.'
  }
}
