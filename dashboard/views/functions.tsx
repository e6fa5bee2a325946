/** All tasks by function: how many are in which state, and how long they take. */
import type { JSX } from 'preact'
import { formatDuration } from '../../common/units.js'
import type { StateCounts } from '../../protocol/messages/status.js'
import type { FunctionView, Watched } from '../../protocol/messages/watch.js'
import { whole } from '../model/words.js'
import { failedColumn, figureColumn, nameColumn } from '../parts/function-columns.js'
import { Table } from '../parts/table.js'
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
  return (
    <>
      <Table
        caption="Functions"
        noun="function"
        rows={rows}
        keyOf={({ name }) => name}
        empty="No task was submitted yet. What clients submit shows up here, by function."
        columns={[
          nameColumn<Row>(),
          ...STATES.map(([state, title]) => figureColumn<Row>(title, ({ tasks }) => tasks[state])),
          failedColumn<Row>(({ tasks }) => tasks.failed),
          figureColumn<Row>('Finished', ({ finished }) => finished),
          figureColumn<Row>('A second', ({ name }) => store.history.rateOf(name)),
          figureColumn<Row>(
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
