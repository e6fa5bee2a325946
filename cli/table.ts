/** Tables on a terminal: columns as wide as their widest cell. */

/** What a terminal would take for a command, such as moving its cursor. Names in a cluster come from strangers. */
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f]/g

export function formatTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const clean = [heads, ...rows].map((row) => row.map(printable))
  const widths = heads.map((_, column) => Math.max(...clean.map((row) => row[column]!.length)))
  return clean
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** The text on one line, without what a terminal would obey. */
export function printable(text: string): string {
  return text.replace(CONTROL_CHARACTERS, '?')
}
