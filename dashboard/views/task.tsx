/** All that is known of one task: where it is and why, its error, what it needs, and what can be done about it. */
import type { JSX } from 'preact'
import { formatBytes, formatDuration } from '../../common/units.js'
import type { TaskDetails } from '../../protocol/messages/api.js'
import { withoutOurFrames } from '../model/stack.js'
import { whole } from '../model/words.js'
import { Table } from '../parts/table.js'
import { History } from '../parts/task-history.js'
import { Actions, type Action } from '../parts/actions.js'
import { FindTask, TaskLink } from '../parts/task-link.js'
import { Tiles } from '../parts/tiles.js'
import { useLook, useReading } from '../store.js'

const RETRY: Action = {
  name: 'retry',
  label: 'Run it again',
  done: 'It runs again.',
  ended: 'It has not failed, so there is nothing to run again.',
}
const CANCEL: Action = { name: 'cancel', label: 'Cancel it', done: 'It is cancelled.', ended: 'It had ended already.' }

export function Task(): JSX.Element {
  const key = decoded(location.hash.split('/').slice(2).join('/'))
  useLook('task', key)
  const { task: told } = useReading()
  return (
    <>
      <FindTask />
      {key !== '' && <h2 class="key">{key}</h2>}
      {told?.key === key ? <Told task={told.task} /> : key !== '' && <p class="empty">Asking …</p>}
    </>
  )
}

function Told({ task }: { readonly task: TaskDetails | null }): JSX.Element {
  if (task === null) {
    return <p class="empty">There is no such task: it was never submitted, or nobody needs it any more.</p>
  }
  const { key, state, functionName, reason, details, error, timings, attempt, failures, workersLost, client } = task
  const isOver = state === 'failed' || state === 'in-memory' || state === 'released'
  return (
    <>
      <p class={state === 'failed' ? 'bad' : ''}>
        <strong class="state">{state}</strong> {reason}
      </p>
      {details.map((detail) => (
        <p key={detail}>{detail}</p>
      ))}
      <Actions
        key={key}
        path={`tasks/${encodeURIComponent(key)}`}
        actions={state === 'failed' ? [RETRY] : isOver ? [] : [CANCEL]}
      />
      {error !== undefined && <Failure error={error} task={key} />}
      <Tiles
        tiles={[
          { name: 'Function', figure: functionName, detail: `priority ${task.priority}` },
          { name: 'Attempt', figure: whole(attempt), detail: lost(failures, workersLost) },
          { name: 'Running for', figure: timings.runningForMs === 0 ? '–' : formatDuration(timings.runningForMs) },
          {
            name: 'Such tasks take',
            figure: timings.meanMs === 0 ? '–' : formatDuration(timings.meanMs),
            detail: 'on average',
          },
          {
            name: 'Its value',
            figure: task.sizeBytes === 0 ? '–' : formatBytes(task.sizeBytes),
            detail: task.holders.join(', '),
          },
          {
            name: 'Submitted',
            figure: ago(timings.submittedForMs),
            detail: task.isDetached ? `by ${client}, detached` : `by ${client}`,
          },
        ]}
      />
      {task.workers.length > 0 && (
        <section aria-labelledby="refusals">
          <h2 id="refusals">Why no worker takes it now</h2>
          <ul>
            {task.workers.map(({ name, reason: why }) => (
              <li key={name}>
                <strong>{name}</strong> {why}
              </li>
            ))}
          </ul>
        </section>
      )}
      <History task={key} version={`${attempt} ${state}`} />
      <div class="columns">
        <Neighbours
          title="Inputs"
          noun="input"
          tasks={task.inputs}
          count={task.inputCount}
          empty="It needs no other task."
        />
        <Neighbours
          title="Needed by"
          noun="dependant"
          tasks={task.dependants}
          count={task.dependantCount}
          empty={
            task.dependantCount === 0
              ? 'No other task needs it.'
              : 'They were submitted much later; this page does not look so far.'
          }
        />
      </div>
    </>
  )
}

interface Neighbour {
  readonly key: string
  readonly state: string
  readonly sizeBytes?: number
}

/** Tasks that it needs, or that need it. */
function Neighbours({
  title,
  noun,
  tasks,
  count,
  empty,
}: {
  readonly title: string
  readonly noun: string
  readonly tasks: readonly Neighbour[]
  readonly count: number
  readonly empty: string
}): JSX.Element {
  const id = title.toLowerCase().replace(' ', '-')
  const hasSizes = tasks.some(({ sizeBytes }) => sizeBytes !== undefined)
  const size = ({ sizeBytes = 0 }: Neighbour): string => (sizeBytes === 0 ? '–' : formatBytes(sizeBytes))
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>
        {title} {count > 0 && <small>{whole(count)}</small>}
      </h2>
      <Table
        caption={title}
        noun={noun}
        rows={tasks}
        keyOf={(each) => each.key}
        empty={empty}
        columns={[
          { title: 'Task', cell: (each) => <TaskLink task={each.key} /> },
          { title: 'State', cell: (each) => each.state },
          ...(hasSizes ? [{ title: 'Size', cell: size, isFigure: true }] : []),
        ]}
      />
      {tasks.length > 0 && count > tasks.length && <p class="quiet">The first of {whole(count)}.</p>}
    </section>
  )
}

function Failure({
  error,
  task,
}: {
  readonly error: NonNullable<TaskDetails['error']>
  readonly task: string
}): JSX.Element {
  const { code, text, worker, attempt, culpritKey } = error
  return (
    <section aria-labelledby="error">
      <h2 id="error">Error {code !== '' && <code>{code}</code>}</h2>
      <pre>{withoutOurFrames(text)}</pre>
      <p class="quiet">
        {worker === '' ? 'It did not run for it' : `On ${worker}`}, in attempt {whole(attempt)}
        {culpritKey !== task && (
          <>
            , of <TaskLink task={culpritKey} />, which it needs
          </>
        )}
        .
      </p>
    </section>
  )
}

function lost(failures: number, workersLost: number): string {
  return `${whole(failures)} failed, ${whole(workersLost)} lost with a worker`
}

/** `just now`, `3s ago`. */
function ago(ms: number): string {
  return ms < 1_000 ? 'just now' : `${formatDuration(Math.floor(ms / 1_000) * 1_000)} ago`
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
