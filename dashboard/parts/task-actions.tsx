/** What can be done about a task: asked of the scheduler, whose answer is shown, also when it is no. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'

const QUESTIONS = { retry: 'Run it again', cancel: 'Cancel it' } as const
type Action = keyof typeof QUESTIONS

const ANSWERS: Readonly<Record<string, Readonly<Record<Action, string>>>> = {
  done: { retry: 'It runs again.', cancel: 'It is cancelled.' },
  ended: { retry: 'It has not failed, so there is nothing to run again.', cancel: 'It had ended already.' },
}

export function TaskActions({
  task,
  actions,
}: {
  readonly task: string
  readonly actions: readonly Action[]
}): JSX.Element {
  const [answer, setAnswer] = useState('')
  const [isAsking, setAsking] = useState(false)
  const onClick = async (action: Action): Promise<void> => {
    setAsking(true)
    setAnswer(await ask(task, action))
    setAsking(false)
  }
  return (
    <p class="tools">
      {actions.map((action) => (
        <button key={action} type="button" disabled={isAsking} onClick={() => void onClick(action)}>
          {QUESTIONS[action]}
        </button>
      ))}
      <span class="quiet" role="status">
        {answer}
      </span>
    </p>
  )
}

/** A page for viewers may look only: then the scheduler says so. */
async function ask(task: string, action: Action): Promise<string> {
  try {
    const response = await fetch(`/api/v1/tasks/${encodeURIComponent(task)}/${action}`, { method: 'POST' })
    const answer = (await response.json()) as { readonly outcome?: string; readonly message?: string }
    return answer.message ?? ANSWERS[answer.outcome ?? '']?.[action] ?? 'The scheduler’s answer makes no sense.'
  } catch {
    return 'The scheduler does not answer.'
  }
}
