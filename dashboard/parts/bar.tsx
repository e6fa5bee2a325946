/** A bar of several parts, with what they mean in words for those who can’t tell colours apart, or see none. */
import type { JSX } from 'preact'

export interface Part {
  /** `processing`, say: the name of a colour in the style sheet. */
  readonly kind: string
  readonly amount: number
  /** What it stands for: `12 failed`. */
  readonly words: string
}

/** @param total - What fills the bar; the rest of it stays empty. */
export function Bar({ parts, total }: { readonly parts: readonly Part[]; readonly total: number }): JSX.Element {
  const shown = parts.filter(({ amount }) => amount > 0)
  const words = shown.map((part) => part.words).join(', ')
  return (
    <span class="bar" role="img" aria-label={words} title={words}>
      {shown.map(({ kind, amount }) => (
        <span
          key={kind}
          class={`fill ${kind}`}
          style={{ width: `${Math.min(100, (amount / Math.max(total, 1e-9)) * 100)}%` }}
        />
      ))}
    </span>
  )
}

export function Legend({
  parts,
}: {
  readonly parts: readonly { readonly kind: string; readonly words: string }[]
}): JSX.Element {
  return (
    <ul class="legend">
      {parts.map(({ kind, words }) => (
        <li key={kind}>
          <span class={`fill ${kind}`} />
          {words}
        </li>
      ))}
    </ul>
  )
}
