/** The memory of a worker as a bar: what its values take, what everything else takes, and what is on disk. */
import type { JSX } from 'preact'
import { formatBytes } from '../../common/units.js'
import type { WorkerView } from '../../protocol/messages/watch.js'
import { memoryOf } from '../model/history.js'
import { Bar } from './bar.js'

export const MEMORY_KINDS = [
  { kind: 'values', words: 'values' },
  { kind: 'beside', words: 'code, heaps and buffers' },
  { kind: 'spilled', words: 'values on disk' },
] as const

export function MemoryBar({ worker }: { readonly worker: WorkerView }): JSX.Element {
  const memory = memoryOf([worker])
  const parts = MEMORY_KINDS.map(({ kind, words }) => ({
    kind,
    amount: memory[kind],
    words: `${formatBytes(memory[kind])} ${words}`,
  }))
  return (
    <span class="measured">
      <Bar parts={parts} total={Math.max(worker.memoryLimitBytes, worker.memoryBytes + memory.spilled)} />
      <span>
        {formatBytes(worker.memoryBytes)} of {formatBytes(worker.memoryLimitBytes)}
      </span>
    </span>
  )
}
