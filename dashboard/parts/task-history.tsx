/** What a task went through, and what it printed: workers are asked for it, again when the task has moved on. */
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { TaskHistory } from '../../protocol/messages/api.js'
import { timesOf, type RunTimes } from '../model/run-times.js'
import { stepsOf } from '../model/state-history.js'
import { clock } from '../model/words.js'
import { LogLines } from './log-lines.js'
import { Table } from './table.js'

type Run = TaskHistory['runs'][number]

/** In the order in which they happen. */
const TIMES: readonly { readonly title: string; readonly time: keyof RunTimes }[] = [
  { title: 'Queue', time: 'queue' },
  { title: 'Fetch', time: 'fetch' },
  { title: 'Decode', time: 'decode' },
  { title: 'Run', time: 'run' },
  { title: 'Encode', time: 'encode' },
]

/** @param version - Changes when there is something new to ask for. */
export function History({ task, version }: { readonly task: string; readonly version: string }): JSX.Element {
  const [told, setTold] = useState<TaskHistory | string>('Asking the workers …')
  useEffect(() => {
    const stopped = new AbortController()
    ask(task, stopped.signal).then(setTold, (error: unknown) => {
      if (!stopped.signal.aborted) setTold(String(error))
    })
    return () => stopped.abort()
  }, [task, version])
  if (typeof told === 'string') return <p class="empty">{told}</p>
  const { runs, lines } = told
  return (
    <>
      <section aria-labelledby="steps">
        <h2 id="steps">What became of it</h2>
        <ol class="steps">
          {stepsOf(told).map(({ atMs, words, isBad }, at) => (
            <li key={at} class={isBad === true ? 'bad' : ''}>
              <time>{clock(atMs)}</time> {words}
            </li>
          ))}
        </ol>
      </section>
      <section aria-labelledby="runs">
        <h2 id="runs">Runs</h2>
        <Table
          caption="Runs"
          noun="run"
          rows={runs.toReversed()}
          keyOf={({ worker, startedAtMs }) => `${worker} ${startedAtMs}`}
          empty="No worker remembers one. Runs of less than a millisecond are not told apart from those before them."
          columns={[
            { title: 'Where', cell: ({ worker, thread }) => `${worker}, thread ${thread + 1}` },
            { title: 'Began', cell: ({ startedAtMs }) => clock(startedAtMs), isFigure: true },
            ...TIMES.map(({ title, time }) => ({ title, cell: (run: Run) => timesOf(run)[time], isFigure: true })),
            { title: 'Outcome', cell: outcome },
          ]}
        />
      </section>
      {lines.length > 0 && (
        <section aria-labelledby="printed">
          <h2 id="printed">What it printed</h2>
          <LogLines lines={lines} />
        </section>
      )}
    </>
  )
}

async function ask(task: string, signal: AbortSignal): Promise<TaskHistory | string> {
  const response = await fetch(`/api/v1/tasks/${encodeURIComponent(task)}/history`, { signal })
  const answer = (await response.json()) as TaskHistory & { readonly message?: string }
  return answer.message ?? answer
}

function outcome({ hasEnded, hasFailed }: Run): JSX.Element {
  if (!hasEnded) return <>running</>
  return hasFailed ? <span class="bad">failed</span> : <>ended</>
}
