/** How far each function is, the busiest first. */
import type { JSX } from 'preact'
import { formatDuration } from '../../common/units.js'
import type { ClusterView } from '../../protocol/messages/watch.js'
import { progressOf, type Progress } from '../model/progress.js'
import { partsOfStates, PROGRESS_KINDS } from '../model/states.js'
import { percent, whole } from '../model/words.js'
import { store } from '../store.js'
import { Bar, Legend, type Part } from './bar.js'
import { failedColumn, figureColumn, nameColumn } from './function-columns.js'
import { Table } from './table.js'

interface Row extends Progress {
  readonly name: string
  readonly rate: number
  readonly parts: readonly Part[]
}

export function ProgressTable({
  cluster,
  threads,
}: {
  readonly cluster: ClusterView
  readonly threads: number
}): JSX.Element {
  const rows = Object.entries(cluster.functions).map(([name, view]): Row => {
    const rate = store.history.rateOf(name)
    return { name, rate, parts: partsOfStates(view), ...progressOf(view, rate, threads) }
  })
  // Those that have something left come first, and among them the largest.
  rows.sort((a, b) => leftOf(b) - leftOf(a) || b.total - a.total)
  return (
    <>
      {rows.length > 0 && <Legend parts={PROGRESS_KINDS} />}
      <Table
        caption="Progress of each function"
        noun="function"
        rows={rows}
        keyOf={({ name }) => name}
        empty="No task was submitted yet. What clients submit shows up here, by function."
        columns={[
          nameColumn<Row>(),
          {
            title: 'Progress',
            cell: (row) => (
              <span class="measured">
                <Bar parts={row.parts} total={row.total} />
                <span>{percent(row.total === 0 ? 1 : row.done / row.total)}</span>
              </span>
            ),
            order: ({ done, total }) => done / Math.max(total, 1),
          },
          figureColumn<Row>('Done', ({ done }) => done),
          figureColumn<Row>('Left', leftOf),
          failedColumn<Row>(({ failed }) => failed),
          figureColumn<Row>(
            'A second',
            ({ rate }) => rate,
            ({ rate }) => (rate === 0 ? '–' : whole(rate)),
          ),
          figureColumn<Row>(
            'Time left',
            ({ leftMs }) => leftMs ?? 0,
            ({ leftMs }) => (leftMs === undefined ? '–' : formatDuration(leftMs)),
          ),
        ]}
      />
    </>
  )
}

function leftOf({ waiting, processing }: Progress): number {
  return waiting + processing
}
