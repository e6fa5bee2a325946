/**
 * What can be done about a task, a kind of error or a worker: asked of the scheduler, whose answer is shown. Who may only
 * look gets no buttons.
 */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { useReading } from '../store.js'

export interface Action {
  /** As the API names it: `retry`. */
  readonly name: string
  readonly label: string
  /** What it will do, for what should not happen by a slip: then it is done at a second click only. */
  readonly warning?: string
  /** What is said when it is done, and when there was nothing left to do. */
  readonly done: string
  readonly ended: string
}

/** @param path - Under `/api/v1`, as in `tasks/f-1`. */
export function Actions({
  path,
  actions,
}: {
  readonly path: string
  readonly actions: readonly Action[]
}): JSX.Element | null {
  const { mayAct } = useReading()
  const [answer, setAnswer] = useState('')
  const [asked, setAsked] = useState<Action>()
  const [isAsking, setAsking] = useState(false)
  const act = async (action: Action): Promise<void> => {
    setAsked(undefined)
    setAsking(true)
    setAnswer(await ask(path, action))
    setAsking(false)
  }
  if (!mayAct) return null
  if (asked !== undefined) {
    return (
      <p class="tools" role="alert">
        <span>{asked.warning}</span>
        <button type="button" onClick={() => void act(asked)}>
          {asked.label}
        </button>
        <button type="button" onClick={() => setAsked(undefined)}>
          Don’t
        </button>
      </p>
    )
  }
  return (
    <p class="tools">
      {actions.map((action) => (
        <button
          key={action.name}
          type="button"
          disabled={isAsking}
          onClick={() => (action.warning === undefined ? void act(action) : setAsked(action))}
        >
          {action.label}
        </button>
      ))}
      <span class="quiet" role="status">
        {answer}
      </span>
    </p>
  )
}

async function ask(path: string, { name, done, ended }: Action): Promise<string> {
  try {
    const response = await fetch(`/api/v1/${path}/${name}`, { method: 'POST' })
    const { outcome, message } = (await response.json()) as { readonly outcome?: string; readonly message?: string }
    return message ?? (outcome === 'done' ? done : ended)
  } catch {
    return 'The scheduler does not answer.'
  }
}
