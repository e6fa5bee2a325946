/** What workers remember of one task, put together of what each told. */
import { entryOf } from '../common/packed.js'
import { taskReport, type TaskHistory } from '../protocol/messages/api.js'
import type { Answer } from './core/views/inquiry.js'

export function historyOf(key: string, { workers, reports }: Answer): TaskHistory {
  const told = workers.map((worker, place) => {
    const wire = JSON.parse(Buffer.from(entryOf(reports, place)).toString()) as unknown
    return { worker, ...taskReport.parse(wire, `what ${worker} told`) }
  })
  const runs = told.flatMap(({ worker, runs: its }) => its.map((run) => ({ worker, ...run })))
  const lines = told.flatMap(({ worker, lines: its }) => its.map((line) => ({ worker, ...line })))
  return {
    key,
    runs: runs.sort((a, b) => a.startedAtMs - b.startedAtMs),
    lines: lines.sort((a, b) => a.atMs - b.atMs),
  }
}
