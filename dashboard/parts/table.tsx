/** A table that can be sorted, searched and paged; on a phone each row is a card. */
import type { ComponentChild, JSX } from 'preact'
import { useState } from 'preact/hooks'
import { counted, whole } from '../model/words.js'

export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => ComponentChild
  /** What to sort by; a column without it can't be sorted by. Text from A, numbers from the largest. */
  readonly order?: (row: Row) => number | string
  readonly isFigure?: boolean
}

interface TableProps<Row> {
  /** For those who can't see where it stands. */
  readonly caption: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  readonly keyOf: (row: Row) => string
  /** What there is to do when there are no rows. */
  readonly empty: ComponentChild
  /** Of what there are so many: `worker`. */
  readonly noun: string
}

const PAGE_ROWS = 50

export function Table<Row>({ caption, columns, rows, keyOf, empty, noun }: TableProps<Row>): JSX.Element {
  const [sort, setSort] = useState<{ readonly title: string; readonly isReversed: boolean } | undefined>()
  const [filter, setFilter] = useState('')
  const [page, setPage] = useState(0)
  if (rows.length === 0) return <p class="empty">{empty}</p>
  const wanted = filter.trim().toLowerCase()
  const found = wanted === '' ? rows : rows.filter((row) => keyOf(row).toLowerCase().includes(wanted))
  const sorted = sortedBy(found, columns.find(({ title }) => title === sort?.title)?.order, sort?.isReversed ?? false)
  const pages = Math.max(1, Math.ceil(sorted.length / PAGE_ROWS))
  const at = Math.min(page, pages - 1)
  const shown = sorted.slice(at * PAGE_ROWS, (at + 1) * PAGE_ROWS)
  return (
    <>
      {rows.length > 8 && (
        <p class="tools">
          <input
            type="search"
            aria-label={`Find a ${noun}`}
            placeholder={`Find a ${noun}`}
            value={filter}
            onInput={({ currentTarget }) => setFilter(currentTarget.value)}
          />
          <span class="quiet">
            {wanted === '' ? counted(rows.length, noun) : `${whole(found.length)} of ${whole(rows.length)}`}
          </span>
          {pages > 1 && (
            <span class="pager">
              <button type="button" disabled={at === 0} onClick={() => setPage(at - 1)}>
                Back
              </button>
              <span class="quiet">
                {at + 1} of {pages}
              </span>
              <button type="button" disabled={at === pages - 1} onClick={() => setPage(at + 1)}>
                Next
              </button>
            </span>
          )}
        </p>
      )}
      <div class="scroll">
        <table>
          <caption class="unseen">{caption}</caption>
          <thead>
            <tr>
              {columns.map(({ title, order, isFigure }) => (
                <th
                  key={title}
                  scope="col"
                  class={isFigure === true ? 'figure' : ''}
                  aria-sort={sort?.title !== title ? undefined : sort.isReversed ? 'descending' : 'ascending'}
                >
                  {order === undefined ? (
                    title
                  ) : (
                    <button
                      type="button"
                      class="sort"
                      onClick={() => setSort({ title, isReversed: sort?.title === title && !sort.isReversed })}
                    >
                      {title}
                    </button>
                  )}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <tr key={keyOf(row)}>
                {columns.map(({ title, cell, isFigure }) => (
                  <td key={title} data-title={title} class={isFigure === true ? 'figure' : ''}>
                    {cell(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  )
}

function sortedBy<Row>(
  rows: readonly Row[],
  order: ((row: Row) => number | string) | undefined,
  isReversed: boolean,
): readonly Row[] {
  if (order === undefined) return rows
  const sign = isReversed ? -1 : 1
  return rows.toSorted((a, b) => {
    const [left, right] = [order(a), order(b)]
    if (typeof left === 'number' && typeof right === 'number') return sign * (right - left)
    return sign * String(left).localeCompare(String(right), 'en', { numeric: true })
  })
}
