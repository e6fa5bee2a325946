/** Lines of logs, in the order they are given. */
import type { JSX } from 'preact'
import type { TaskHistory } from '../../protocol/messages/api.js'
import { clock } from '../model/words.js'
import { hrefOf } from './task-link.js'

export type Line = TaskHistory['lines'][number] & { readonly task?: string | undefined }

export function LogLines({ lines }: { readonly lines: readonly Line[] }): JSX.Element {
  return (
    <ol class="log">
      {lines.map((line, place) => (
        <li key={place} class={line.level}>
          <time>{clock(line.atMs)}</time>
          <span class="level">{line.level}</span>
          <span class="from">
            {line.worker}
            {line.task !== undefined && (
              <>
                {' '}
                <a href={hrefOf(line.task)}>{line.task}</a>
              </>
            )}
          </span>
          <span class="words">{line.text}</span>
        </li>
      ))}
    </ol>
  )
}
