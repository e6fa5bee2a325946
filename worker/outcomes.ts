/** Outcomes that come with a message of their own: their values go into the store, and what the core hears is made. */
import { present } from '../common/assert.js'
import { Packer } from '../common/packed.js'
import { outputOf, type TaskId } from '../protocol/ids.js'
import { MAX_INLINE_RESULT_BYTES } from '../protocol/limits.js'
import type { Outcomes } from './core/events.js'
import type { BatchTask } from './core/instructions.js'
import type { TaskOutcome } from './thread/batch.js'
import { ERROR, VALUE } from './thread/lane.js'
import type { ValueStore } from './value-store.js'

/** Values that are too large to ride along stay in the store; an error is told whole. */
export function keepOutcome(
  store: ValueStore,
  tasks: readonly BatchTask[],
  { place, kind, durationUs, values, parts }: TaskOutcome,
): Outcomes {
  const threw = kind !== VALUE
  const packer = new Packer()
  for (const value of values) {
    if (threw || value.length <= MAX_INLINE_RESULT_BYTES) packer.add(value)
    else packer.add(value, 0, 0)
  }
  const places = values.map(() => place)
  if (!threw) {
    const ids = idsOf(tasks, places)
    values.forEach((value, i) => store.put(ids[i]!, value))
  }
  return {
    places,
    threw: new Map(threw ? [[0, kind === ERROR ? 'may-retry' : 'final']] : []),
    durationsUs: values.map(() => durationUs),
    sizes: values.map(({ length }) => length),
    values: packer.take(),
    parts: parts === undefined ? undefined : new Map([[place, parts]]),
  }
}

/** What the values of these places are held as: the outputs of a task, which follow each other, each as itself. */
export function idsOf(tasks: readonly BatchTask[], places: readonly number[]): TaskId[] {
  let output = 0
  return places.map((place, i) => {
    const { task, template } = present(tasks[place], `the task at place ${place}`)
    if (template.outputs === 0) return task
    output = place === places[i - 1] ? output + 1 : 0
    return outputOf(task, output)
  })
}
