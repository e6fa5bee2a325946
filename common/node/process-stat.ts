/** What Linux tells of a process in one line. */
import { readFileSync } from 'node:fs'

/**
 * Of `/proc/PID/stat` (see proc(5)) what follows the program's name, which stands in parentheses and may hold anything, spaces and
 * parentheses too: state, parent, group, session, …
 *
 * @throws when the process is gone, or the machine is not a Linux one.
 */
export function statFieldsOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}
