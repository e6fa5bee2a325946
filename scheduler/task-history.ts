/** What workers remember of one task, put together of what each told. */
import { taskReport, type TaskHistory } from '../protocol/messages/api.js'
import { readTold } from '../protocol/transport/told.js'
import type { Answer } from './core/views/inquiry.js'

export function historyOf(key: string, submittedAtMs: number, answer: Answer): TaskHistory {
  const reports = readTold(answer, taskReport)
  const runs = reports.flatMap(({ worker, told }) => told.runs.map((run) => ({ worker, ...run })))
  const lines = reports.flatMap(({ worker, told }) => told.lines.map((line) => ({ worker, ...line })))
  return {
    key,
    submittedAtMs,
    runs: runs.sort((a, b) => a.startedAtMs - b.startedAtMs),
    lines: lines.sort((a, b) => a.atMs - b.atMs),
  }
}
