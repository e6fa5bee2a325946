/** Columns that every table of functions has. */
import { whole } from '../model/words.js'
import type { Column } from './table.js'

export function nameColumn<Row extends { readonly name: string }>(): Column<Row> {
  return { title: 'Function', cell: ({ name }) => <span class="name">{name}</span>, order: ({ name }) => name }
}

/** A number of each function. */
export function figureColumn<Row>(
  title: string,
  order: (row: Row) => number,
  cell: Column<Row>['cell'] = (row) => whole(order(row)),
): Column<Row> {
  return { title, cell, order, isFigure: true }
}

export function failedColumn<Row>(failedOf: (row: Row) => number): Column<Row> {
  const cell = (row: Row): preact.JSX.Element => (
    <span class={failedOf(row) > 0 ? 'bad' : ''}>{whole(failedOf(row))}</span>
  )
  return figureColumn('Failed', failedOf, cell)
}
