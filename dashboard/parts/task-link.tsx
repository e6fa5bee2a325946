/** The way to the page of one task. */
import type { JSX } from 'preact'

export function hrefOf(key: string): string {
  return `#/task/${encodeURIComponent(key)}`
}

export function TaskLink({ task }: { readonly task: string }): JSX.Element {
  return (
    <a class="key" href={hrefOf(task)}>
      {task}
    </a>
  )
}

/** For those who know the key. */
export function FindTask(): JSX.Element {
  const onSubmit = (event: JSX.TargetedSubmitEvent<HTMLFormElement>): void => {
    event.preventDefault()
    const key = new FormData(event.currentTarget).get('key')
    if (typeof key === 'string' && key.trim() !== '') location.hash = hrefOf(key.trim())
  }
  return (
    <form class="tools" onSubmit={onSubmit}>
      <input name="key" type="search" aria-label="Key of a task" placeholder="Key of a task" />
      <button type="submit">Show the task</button>
    </form>
  )
}
