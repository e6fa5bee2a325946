/** Makes tasks: encodes the arguments, gives each task its place in a task array, and makes its future. */
import { present } from '../common/assert.js'
import { entryOf, type Packed } from '../common/packed.js'
import { ARRAY_CAPACITY, type TaskId } from '../protocol/ids.js'
import { encodeValue } from '../protocol/values/encode.js'
import { EncodedArguments } from './encoded-arguments.js'
import type { Failure } from './failure.js'
import type { Future } from './future.js'
import { futureList } from './future-list.js'
import { InputSink } from './input-sink.js'
import { addItem, MapSlice, type Items } from './map-slice.js'
import type { Outgoing } from './outgoing.js'
import type { TaskParent } from './parent.js'
import { ENOUGH_BYTES } from './submission.js'
import { SubmitSites, type SubmitSite } from './submit-site.js'
import type { TaskArray } from './task-array.js'
import { TaskFuture, type FutureGroup, type FutureOwner } from './task-future.js'
import { checkKey, type ResolvedMapOptions, type ResolvedTaskOptions } from './task-options.js'
import { NO_CONSTANTS, placesOf, type Constants, type Template } from './template.js'
import type { TaskFunction, Templates } from './templates.js'

/** A `map` over more items than these is encoded bit by bit, after the call. */
const MAX_ITEMS_AT_ONCE = 1_000
/**
 * Then its futures are watched by so many neighbours, which costs each a tenth. Those of one group that are garbage keep
 * their results until the others are garbage too, or all of them are released.
 */
const GROUP_SIZE = 16

export interface SubmitterOptions {
  readonly owner: FutureOwner
  readonly outgoing: Outgoing
  readonly templates: Templates
  readonly makeFuture: (array: TaskArray, index: number) => Future<unknown>
  /** For futures of `count` tasks from `first` on, that are released together when all of them are garbage. */
  readonly makeGroup: (array: TaskArray, first: number, count: number) => FutureGroup
  /** When the list is garbage, the tasks of what is left in `unmade` then are released. */
  readonly watchList: (list: object, unmade: ReadonlyMap<number, TaskArray>) => void
}

/** What one task gives: its future, or, if it has outputs, those of its outputs. */
export type Made = Future<unknown> | Future<unknown>[]

/** A `map` whose items come one at a time. */
export interface OneByOne {
  readonly make: (item: unknown) => Made
  readonly close: () => void
}

/** A `map` on its way to its tasks. */
interface Mapping {
  readonly template: Template
  readonly items: Items
  readonly keys: readonly string[] | undefined
  readonly site: SubmitSite
  readonly parent: TaskParent | undefined
}

export class Submitter {
  readonly #owner: FutureOwner
  readonly #outgoing: Outgoing
  readonly #templates: Templates
  readonly #makeFuture: SubmitterOptions['makeFuture']
  readonly #makeGroup: SubmitterOptions['makeGroup']
  readonly #watchList: SubmitterOptions['watchList']
  readonly #sink: InputSink
  readonly #sites = new SubmitSites()

  constructor({ owner, outgoing, templates, makeFuture, makeGroup, watchList }: SubmitterOptions) {
    this.#owner = owner
    this.#outgoing = outgoing
    this.#templates = templates
    this.#makeFuture = makeFuture
    this.#makeGroup = makeGroup
    this.#watchList = watchList
    this.#sink = new InputSink(owner, { released: 'never' })
  }

  /** `called` is the function of ours that the user called. */
  submit(fn: TaskFunction, args: readonly unknown[], options: ResolvedTaskOptions, called: TaskFunction): Made {
    const template = this.#templates.of(fn, options)
    const site = this.#sites.take(called, template, this.#outgoing.turn)
    const open = this.#outgoing.openFor(template, options.parent)
    open.tasks.add(args, this.#sink, 'args')
    const { failure } = this.#sink
    open.tasks.addOutputs(template.outputs)
    open.addRun(template, placesOf(template))
    const { array } = open
    const index = addPlaces(array, 1, template, site)
    if (options.key !== undefined) array.setKey(index, options.key)
    if (options.pure) {
      const args = open.tasks.argumentsAt(open.tasks.count - 1)
      this.#outgoing.pureKeys.give({ array, index, template, args, inputs: this.#sink.ids })
    }
    const made = this.#futuresAt(array, index, template)
    if (failure !== undefined) this.#outgoing.refuseTask(array, index, template, failure)
    return made
  }

  /** Makes the tasks of one `map` one at a time, as their items come; `close` when no more do. */
  mapOneByOne(fn: TaskFunction, options: ResolvedMapOptions, called: TaskFunction): OneByOne {
    const constants = this.#encodeConstants(options.args)
    const isShared = constants === NO_CONSTANTS && options.rules.maxFailures === 0
    const own = isShared ? undefined : this.#templates.forOneMap(fn, options, constants)
    const keyOf = options.key === undefined ? undefined : keyMaker(options.key)
    const site = this.#sites.take(called, own ?? this.#templates.of(fn, options), this.#outgoing.turn)
    let count = 0
    const make = (item: unknown): Made => {
      const keys = keyOf === undefined ? undefined : [keyOf(item, count)]
      // One that others use too may have been given up since the last item.
      const template = own ?? this.#templates.of(fn, options)
      const items: Items = { values: [item], are: 'item', first: count }
      const [future] = this.#mapAtOnce({ template, items, keys, site, parent: options.parent })
      count += 1
      return present(future, 'the future of an item')
    }
    return { make, close: () => own !== undefined && this.#templates.close(own) }
  }

  map(fn: TaskFunction, items: Items, options: ResolvedMapOptions, called: TaskFunction): Made[] {
    const { values } = items
    const keys = options.key === undefined ? undefined : values.map(keyMaker(options.key))
    const constants = this.#encodeConstants(options.args)
    const isShared = constants === NO_CONSTANTS && options.rules.maxFailures === 0
    const template = isShared ? this.#templates.of(fn, options) : this.#templates.forOneMap(fn, options, constants)
    const site = this.#sites.take(called, template, this.#outgoing.turn)
    const mapping: Mapping = { template, items, keys, site, parent: options.parent }
    try {
      return values.length > MAX_ITEMS_AT_ONCE ? this.#mapInSlices(mapping) : this.#mapAtOnce(mapping)
    } finally {
      if (!isShared) this.#templates.close(template)
    }
  }

  /** All items or none: what can't be sent throws from here. */
  #mapAtOnce(mapping: Mapping): Made[] {
    const { template, items } = mapping
    const { length } = items.values
    const futures: Made[] = []
    const tasks = new EncodedArguments()
    const failures = new Map<number, Failure>()
    const places = placesOf(template)
    const inputsOf: TaskId[][] = []
    for (let place = 0; place < length; place++) {
      addItem(tasks, items, place, this.#sink)
      if (template.pureName !== undefined) inputsOf.push([...this.#sink.ids])
      const failure = this.#sink.failure ?? template.constants.failure
      if (failure !== undefined) failures.set(place, failure)
    }
    const packed = tasks.takePacked()
    while (futures.length < length) {
      const start = futures.length
      const open = this.#outgoing.openFor(template, mapping.parent)
      const room = Math.floor(open.array.room / places)
      const end = endOfMessage(packed, start, Math.min(length, start + room))
      open.tasks.addFrom(tasks, packed, start, end, template.outputs)
      open.addRun(template, (end - start) * places)
      const first = addTasks(mapping, open.array, start, end - start)
      for (let place = start; place < end; place++) {
        futures.push(this.#futuresAt(open.array, first + (place - start) * places, template))
      }
      for (let place = start; place < end && template.pureName !== undefined; place++) {
        const index = first + place - start
        const args = entryOf(packed, place)
        this.#outgoing.pureKeys.give({ array: open.array, index, template, args, inputs: inputsOf[place]! })
      }
      for (const [place, failure] of failures) {
        if (place < start || place >= end) continue
        this.#outgoing.refuseTask(open.array, first + (place - start) * places, template, failure)
      }
    }
    return futures
  }

  #mapInSlices(mapping: Mapping): Made[] {
    const { template, items, parent } = mapping
    const { length } = items.values
    const tasksPerArray = Math.floor(ARRAY_CAPACITY / placesOf(template))
    const arrays: TaskArray[] = []
    this.#outgoing.beginSlices(Math.ceil(length / tasksPerArray))
    for (let start = 0; start < length; start += tasksPerArray) {
      const array = this.#outgoing.newArray(parent)
      addTasks(mapping, array, start, Math.min(length - start, tasksPerArray))
      this.#outgoing.addSlice(new MapSlice(this.#owner, array, template, items, start))
      arrays.push(array)
    }
    const make = (array: TaskArray): Made[] => this.#allFuturesOf(array, template)
    const { list, unmade } = futureList({ owner: this.#owner, arrays, tasksPerArray, length, make })
    this.#watchList(list, unmade)
    return list
  }

  #allFuturesOf(array: TaskArray, template: Template): Made[] {
    const places = placesOf(template)
    const futures: Made[] = []
    let group: FutureGroup | undefined
    for (let index = 0; index < array.count; index += places) {
      if (places === 1 && index % GROUP_SIZE === 0) {
        group = this.#makeGroup(array, index, Math.min(GROUP_SIZE, array.count - index))
      }
      futures.push(group === undefined ? this.#futuresAt(array, index, template) : new TaskFuture(group, index))
    }
    return futures
  }

  #futuresAt(array: TaskArray, index: number, { outputs }: Template): Made {
    if (outputs === 0) return this.#makeFuture(array, index)
    const futures = new Array<Future<unknown>>(outputs)
    for (let output = 0; output < outputs; output++) futures[output] = this.#makeFuture(array, index + 1 + output)
    return futures
  }

  #encodeConstants(args: readonly unknown[]): Constants {
    if (args.length === 0) return NO_CONSTANTS
    this.#sink.begin()
    const bytes = encodeValue(args, { path: 'options.args', inputs: this.#sink })
    return { bytes, inputs: [...this.#sink.ids], failure: this.#sink.failure }
  }
}

/** Gives `count` tasks of a map, from `start` on, their places and keys, and returns the first place. */
function addTasks({ template, keys, site }: Mapping, array: TaskArray, start: number, count: number): number {
  const first = addPlaces(array, count, template, site)
  for (let i = 0; keys !== undefined && i < count; i++) array.setKey(first + i * placesOf(template), keys[start + i]!)
  return first
}

/** Gives `count` tasks their places, and returns the first. */
function addPlaces(array: TaskArray, count: number, template: Template, site: SubmitSite): number {
  const places = placesOf(template)
  const first = array.add(count * places, template, site)
  if (places > 1) array.addWithoutFutures(first, places)
  return first
}

/** Where a message that begins with entry `start` is large enough: at `limit` at the latest. */
function endOfMessage({ ends }: Packed, start: number, limit: number): number {
  const startBytes = start === 0 ? 0 : ends[start - 1]!
  let end = start + 1
  while (end < limit && ends[end - 1]! - startBytes < ENOUGH_BYTES) end += 1
  return end
}

function keyMaker(key: (item: never, index: number) => string): (item: unknown, index: number) => string {
  return (item, index) => {
    const made = key(item as never, index) // The compiler checked that the function takes such items.
    checkKey(made)
    return made
  }
}
