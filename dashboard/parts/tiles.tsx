/** Figures in boxes. */
import type { JSX } from 'preact'

export interface Tile {
  readonly name: string
  readonly figure: string
  readonly detail?: string | undefined
  readonly isBad?: boolean | undefined
}

export function Tiles({ tiles }: { readonly tiles: readonly Tile[] }): JSX.Element {
  return (
    <dl class="tiles">
      {tiles.map(({ name, figure, detail, isBad }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd class={isBad === true ? 'bad' : ''}>
            {figure}
            {detail !== undefined && <small>{detail}</small>}
          </dd>
        </div>
      ))}
    </dl>
  )
}
