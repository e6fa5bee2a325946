/** All tasks by function: how many are in which state, and how long they take. */
import type { JSX } from 'preact'
import { formatDuration } from '../../common/units.js'
import type { StateCounts } from '../../protocol/messages/status.js'
import type { FunctionView, Watched } from '../../protocol/messages/watch.js'
import { whole } from '../model/words.js'
import { Table, type Column } from '../parts/table.js'
import { store } from '../store.js'

interface Row extends FunctionView {
  readonly name: string
}

const STATES: readonly (readonly [keyof StateCounts, string])[] = [
  ['waiting', 'Waiting'],
  ['ready', 'Ready'],
  ['processing', 'Processing'],
  ['in-memory', 'In memory'],
  ['delayed', 'To be retried'],
]

export function Functions({ watched: { cluster } }: { readonly watched: Watched }): JSX.Element {
  const rows = Object.entries(cluster.functions).map(([name, view]): Row => ({ name, ...view }))
  const figure = (
    title: string,
    order: (row: Row) => number,
    cell = (row: Row): string => whole(order(row)),
  ): Column<Row> => ({
    title,
    cell,
    order,
    isFigure: true,
  })
  return (
    <>
      <Table
        caption="Functions"
        noun="function"
        rows={rows}
        keyOf={({ name }) => name}
        empty="No task was submitted yet. What clients submit shows up here, by function."
        columns={[
          { title: 'Function', cell: ({ name }) => <span class="name">{name}</span>, order: ({ name }) => name },
          ...STATES.map(([state, title]) => figure(title, ({ tasks }) => tasks[state])),
          {
            title: 'Failed',
            cell: ({ tasks }) => <span class={tasks.failed > 0 ? 'bad' : ''}>{whole(tasks.failed)}</span>,
            order: ({ tasks }) => tasks.failed,
            isFigure: true,
          },
          figure('Finished', ({ finished }) => finished),
          figure('A second', ({ name }) => store.history.rateOf(name)),
          figure(
            'Mean time',
            ({ meanMs }) => meanMs,
            ({ meanMs, finished }) => (finished === 0 ? '–' : formatDuration(meanMs)),
          ),
        ]}
      />
      {cluster.moreFunctions > 0 && (
        <p class="quiet">The latest are shown; there are {whole(cluster.moreFunctions)} more.</p>
      )}
    </>
  )
}
