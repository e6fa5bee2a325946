/** The client of the tasks that a worker runs: it submits what they submit, and tells them of the values. */
import assert from 'node:assert/strict'
import { entryOf, Packer } from '../../common/packed.js'
import {
  arrayId,
  arrayOf,
  indexOf,
  taskId,
  templateId,
  type TaskId,
  type TemplateId,
  type WorkerId,
} from '../../protocol/ids.js'
import type { ClientToScheduler, SchedulerToClient } from '../../protocol/messages/client.js'
import { NO_NEEDS } from '../../protocol/messages/needs.js'
import { NO_RULES } from '../../protocol/messages/rules.js'
import { depthOf, PRIORITY_BASE, priorityOf } from '../../protocol/urgency.js'
import type { BatchTask } from '../../worker/core/instructions.js'
import { codeOf, decodeNumber, encodeNumber, type Child } from './expression.js'
import type { Connection } from './simulated-scheduler.js'
import type { World } from './world.js'

/** A task that waits for its children. */
interface Waiting {
  readonly numbers: (number | undefined)[]
  left: number
  readonly done: (brought: Brought) => void
}

/** The values of all children; or a child failed, or the connection over which they would have come is gone. */
export type Brought = readonly number[] | 'failed' | 'orphaned'

export class SimulatedTaskClient {
  readonly #world: World
  readonly #connection: Connection<ClientToScheduler>
  readonly #templates = new Map<string, TemplateId>()
  readonly #waiting = new Map<number, Waiting>()
  #nextArray: number
  #isLost = false

  /** It begins with array ids of its worker. */
  constructor(world: World, name: string, firstArray: number) {
    this.#world = world
    this.#nextArray = firstArray
    this.#connection = world.scheduler.connectClient(
      `tasks of ${name}`,
      '',
      {
        receive: (messages) => {
          for (const message of messages) this.#receive(message)
        },
        connectionLost: () => this.#lose(),
      },
      name,
    )
  }

  get isLost(): boolean {
    return this.#isLost
  }

  cut(): void {
    this.#connection.cut()
    this.#lose()
  }

  /** The task submits these and waits for their values. */
  submit({ task, attempt, priority }: BatchTask, children: readonly Child[], done: Waiting['done']): void {
    const array = arrayId(this.#nextArray++)
    const args = new Packer()
    const runs: number[] = []
    for (const { operation, argument } of children) {
      runs.push(this.#templateOf(operation, priorityOf(priority), depthOf(priority) + 1), 1)
      args.add(encodeNumber(argument))
    }
    this.#world.counts.nested += children.length
    this.#connection.send({ type: 'submit-under', parent: task, attempt, call: 0 })
    const none = { inputCounts: [], inputs: [], keys: [] }
    this.#connection.send({ type: 'submit', array, firstIndex: 0, runs, args: args.take(), ...none })
    this.#connection.send({ type: 'want', tasks: children.map((_, i) => taskId(array, i)) })
    this.#connection.flush()
    const { length } = children
    this.#waiting.set(array, { numbers: new Array<undefined>(length).fill(undefined), left: length, done })
  }

  #receive(message: SchedulerToClient): void {
    if (this.#isLost) return
    if (message.type === 'values')
      message.tasks.forEach((id, i) => this.#settle(id, decodeNumber(entryOf(message.values, i))))
    else if (message.type === 'located') this.#fetch(message)
    else if (message.type === 'failed') for (const id of message.tasks) this.#fail(id)
    else
      assert(
        message.type === 'lease' || message.type === 'finished' || message.type === 'progressed',
        `the client of a task was told "${message.type}"`,
      )
  }

  /** The scheduler has no copy any more: the value is had from its holder, or asked for again. */
  #fetch({ task, heldAs, workers, holders }: SchedulerToClient & { readonly type: 'located' }): void {
    const { agenda, nestingRng, scheduler } = this.#world
    agenda.in(nestingRng.between(0.1, 10), () => {
      if (this.#isLost || !this.#waiting.has(arrayOf(task))) return
      const value = this.#world.workers.get(scheduler.addressOf(workers[0] as WorkerId))?.valueOf(heldAs)
      if (value !== undefined) this.#settle(task, decodeNumber(value.bytes))
      else this.#connection.send({ type: 'missing', task, holder: holders[0] ?? '' })
      this.#connection.flush()
    })
  }

  #settle(id: TaskId, number: number): void {
    const waiting = this.#waiting.get(arrayOf(id))
    if (waiting === undefined) return // Another child of its parent failed.
    assert.equal(waiting.numbers[indexOf(id)], undefined, `${id} has two values`)
    waiting.numbers[indexOf(id)] = number
    if (--waiting.left > 0) return
    this.#waiting.delete(arrayOf(id))
    waiting.done(waiting.numbers as number[])
  }

  #fail(id: TaskId): void {
    const waiting = this.#waiting.get(arrayOf(id))
    if (waiting === undefined) return
    this.#waiting.delete(arrayOf(id))
    waiting.done('failed')
  }

  #lose(): void {
    if (this.#isLost) return
    this.#isLost = true
    for (const { done } of this.#waiting.values()) done('orphaned')
    this.#waiting.clear()
  }

  #templateOf(operation: Child['operation'], priority: number, depth: number): TemplateId {
    const name = `${operation}-brisk`
    const label = `${name} ${priority} ${depth}`
    let id = this.#templates.get(label)
    if (id !== undefined) return id
    id = templateId(this.#templates.size + 1)
    this.#templates.set(label, id)
    const define = codeOf(operation)
    this.#connection.send(define)
    this.#connection.send({
      type: 'define-template',
      template: id,
      name,
      code: define.code,
      exportName: operation,
      constants: new Uint8Array(0),
      constantInputs: [],
      priority: PRIORITY_BASE + priority,
      depth,
      outputs: 0,
      needs: NO_NEEDS,
      rules: NO_RULES,
    })
    return id
  }
}
