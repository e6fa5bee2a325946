/** Tasks on their way to the scheduler: neighbours in one task array, encoded, and soon one message. */
import type { TaskId } from '../protocol/ids.js'
import { CHUNK_BYTES } from '../protocol/limits.js'
import type { Submit } from '../protocol/messages/client.js'
import { EncodedArguments } from './encoded-arguments.js'
import type { PureTask } from './pure-keys.js'
import type { TaskArray } from './task-array.js'
import { placesOf, type Template } from './template.js'

/** A message of this size is large enough: more tasks go into the next one. */
export const ENOUGH_BYTES = CHUNK_BYTES / 2

interface Run {
  readonly template: Template
  count: number
}

interface Doomed<F> {
  readonly index: number
  readonly template: Template
  readonly because: F
}

export class Submission {
  readonly array: TaskArray
  readonly firstIndex: number
  readonly tasks = new EncodedArguments()
  readonly runs: Run[] = []

  constructor(array: TaskArray, firstIndex: number) {
    this.array = array
    this.firstIndex = firstIndex
  }

  get isLargeEnough(): boolean {
    return this.tasks.sizeBytes >= ENOUGH_BYTES
  }

  /** Says which template the next `count` places have, before or after they are added. */
  addRun(template: Template, count: number): void {
    const last = this.runs.at(-1)
    if (last?.template === template) {
      last.count += count
      return
    }
    this.runs.push({ template, count })
    template.unsent += 1
  }

  /** Which tasks, by their index in the array, need one of `given`, and what goes with that one there, if `dooms` says so. */
  *tasksNeeding<F>(
    given: ReadonlyMap<TaskId, F>,
    dooms: (because: F, template: Template) => boolean,
  ): Iterable<Doomed<F>> {
    const templates = this.runs.flatMap(({ template, count }) => new Array<Template>(count).fill(template))
    let place = 0
    let end = 0
    for (const inputs of this.tasks.inputsByTask()) {
      const template = templates[place]!
      if (place === end) {
        end += placesOf(template)
        for (const id of [...inputs, ...template.constants.inputs]) {
          const because = given.get(id)
          if (because === undefined || !dooms(because, template)) continue
          yield { index: this.firstIndex + place, template, because }
          break
        }
      }
      place += 1
    }
  }

  /** What was encoded of each task. */
  *taskParts(): Iterable<PureTask> {
    const templates = this.runs.flatMap(({ template, count }) => new Array<Template>(count).fill(template))
    let place = 0
    for (const inputs of this.tasks.inputsByTask()) {
      const { array } = this
      const args = this.tasks.argumentsAt(place)
      yield { array, index: this.firstIndex + place, template: templates[place]!, args, inputs }
      place += 1
    }
  }

  /** The message. Nothing may be added any more. */
  toMessage(): Submit {
    const { inputs, inputCounts, count } = this.tasks
    const keys: { place: number; key: string }[] = []
    for (let place = 0; this.array.hasKeys && place < count; place++) {
      const key = this.array.explicitKeyOf(this.firstIndex + place)
      if (key !== undefined) keys.push({ place, key })
    }
    const runs = this.runs.flatMap((run) => [run.template.id, run.count])
    const { array, firstIndex } = this
    return {
      type: 'submit',
      array: array.id,
      firstIndex,
      runs,
      args: this.tasks.takePacked(),
      inputCounts,
      inputs,
      keys,
    }
  }
}
