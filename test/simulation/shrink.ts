/**
 * Makes a failing simulation small: leaves out what happens in it, half of it at a time, then a quarter, and so on down to single
 * events, as long as it fails at the same place. What follows is drawn otherwise each time; so this is a search, and not a proof
 * that nothing smaller fails.
 */
import { Program, type ProgramEvent, type ProgramOptions } from './program.js'
import { simulate, type SimulationOptions } from './simulation.js'

export interface Shrunk {
  /** What happens still, in this order. */
  readonly events: readonly ProgramEvent[]
  readonly mostTasks: number
  readonly error: Error
  /** How much happened at first, and how many simulations it took. */
  readonly before: number
  readonly runs: number
}

const MAX_RUNS = 1_000
const FEW_TASKS: readonly number[] = [1, 2, 5, 12]

/** Returns nothing if the simulation does not fail. After `maxRuns` simulations the smallest so far is given. */
export function shrink(options: SimulationOptions, maxRuns = MAX_RUNS): Shrunk | undefined {
  let smallest = run(options, {})
  if (smallest === undefined) return undefined
  const { place, events: all } = smallest
  let runs = 1
  const tryWith = (program: ProgramOptions): boolean => {
    const found = runs < maxRuns ? run(options, program) : undefined
    runs = Math.min(maxRuns, runs + 1)
    if (found?.place !== place) return false
    smallest = found
    return true
  }
  let mostTasks = Infinity
  // What happens after others were left out may be left out in its turn.
  for (let count = Infinity; smallest.events.length < count;) {
    count = smallest.events.length
    for (let size = Math.ceil(count / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let first = 0; first < smallest.events.length;) {
        const names = smallest.events.map(({ name }) => name)
        const only = new Set(names.toSpliced(first, size))
        if (!tryWith({ only, mostTasks })) first += size
      }
    }
    const only = new Set(smallest.events.map(({ name }) => name))
    mostTasks = FEW_TASKS.find((few) => few < mostTasks && tryWith({ only, mostTasks: few })) ?? mostTasks
  }
  return { events: smallest.events, mostTasks, error: smallest.error, before: all.length, runs }
}

interface Failed {
  readonly events: readonly ProgramEvent[]
  readonly error: Error
  /** Where in the code it was thrown. */
  readonly place: string
}

function run(options: SimulationOptions, given: ProgramOptions): Failed | undefined {
  const program = new Program(given)
  try {
    simulate({ ...options, program })
    return undefined
  } catch (error) {
    return { events: program.events, error: error as Error, place: placeOf(error as Error) }
  }
}

/** The first of our places that the error was thrown at or above: messages name tasks, and differ. */
function placeOf({ stack = '', message }: Error): string {
  const frames = stack.split('\n').filter((line) => line.trimStart().startsWith('at '))
  return frames.find((line) => line.includes('file:') && !line.includes('common/assert')) ?? message
}

/** The smallest program, line by line, and how to repeat it. */
export function linesOf({ events, mostTasks, error, before, runs }: Shrunk, command: string): string[] {
  const lines = events.map(({ name, atMs, said }) => {
    return `${atMs.toFixed(3)} ms ${name}${said.length > 0 ? `: ${said.join(', ')}` : ''}`
  })
  const few = mostTasks === Infinity ? '' : ` --most-tasks ${mostTasks}`
  return [
    `${before} events shrunk to ${events.length} in ${runs} simulations: ${error.message.split('\n')[0]}`,
    ...lines,
    `${command} --only ${events.map(({ name }) => name).join(',') || 'nothing'}${few}`,
  ]
}
