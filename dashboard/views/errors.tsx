/** What failed, gathered by what the errors have in common: the latest first. */
import type { JSX } from 'preact'
import { formatDuration } from '../../common/units.js'
import type { ErrorGroup } from '../../protocol/messages/api.js'
import { withoutOurFrames } from '../model/stack.js'
import { counted, whole } from '../model/words.js'
import { Actions } from '../parts/actions.js'
import { FindTask, TaskLink } from '../parts/task-link.js'
import { useLook, useReading } from '../store.js'

export function Errors(): JSX.Element {
  useLook('errors')
  const { errors } = useReading()
  if (errors === undefined) return <p class="empty">Asking …</p>
  const { total, groups } = errors
  return (
    <>
      <FindTask />
      {groups.length === 0 ? (
        <p class="empty">Nothing has failed since the scheduler started.</p>
      ) : (
        <p class="quiet">
          {counted(total, 'run')} failed since the scheduler started, in {counted(groups.length, 'kind')}.
        </p>
      )}
      {groups.map((group) => (
        <Group key={group.fingerprint} group={group} />
      ))}
    </>
  )
}

function Group({ group }: { readonly group: ErrorGroup }): JSX.Element {
  const {
    fingerprint,
    failedNow,
    functionName,
    code,
    text,
    count,
    retried,
    firstSecondsAgo,
    lastSecondsAgo,
    lastKey,
    lastWorker,
  } = group
  const [message = '', ...stack] = withoutOurFrames(text).split('\n')
  return (
    <article class="error">
      <h2>
        {message} {code !== '' && <code>{code}</code>}
      </h2>
      <p>
        <strong>{functionName}</strong>: {counted(count, 'time')}
        {retried > 0 && `, of which ${whole(retried)} were tried again`}, first {ago(firstSecondsAgo)}
        {count > 1 && `, last ${ago(lastSecondsAgo)}`}.
      </p>
      <p>
        The last was <TaskLink task={lastKey} />
        {lastWorker !== '' && ` on ${lastWorker}`}.
      </p>
      {failedNow > 0 && (
        <Actions
          path={`errors/${fingerprint}`}
          actions={[
            {
              name: 'retry',
              label: `Run ${counted(failedNow, 'task')} again`,
              done: 'They run again.',
              ended: 'None of them is failed any more.',
            },
          ]}
        />
      )}
      {stack.length > 0 && (
        <details>
          <summary>Stack</summary>
          <pre>{stack.join('\n')}</pre>
        </details>
      )}
    </article>
  )
}

function ago(seconds: number): string {
  return seconds < 1 ? 'just now' : `${formatDuration(Math.floor(seconds) * 1_000)} ago`
}
