/** The command line of the benchmarks: which workloads to run, and with which numbers. */
import { parseArgs } from 'node:util'
import type { Params, Workload } from './workload.js'

export interface Arguments {
  readonly selected: readonly Selection[]
  /** Only JSON goes to standard output. */
  readonly json: boolean
  readonly help: boolean
  /** Beside other systems. */
  readonly peers: boolean
  /** How long a comparison with peers may go on. */
  readonly minutes: number
}

const DEFAULT_MINUTES = 8
const MAX_MINUTES = 600

export interface Selection {
  readonly workload: Workload
  readonly params: Params
}

/** What was typed means nothing. Its message is one sentence for whoever typed it. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** @throws {UsageError} */
export function parseArguments(args: readonly string[], workloads: readonly Workload[]): Arguments {
  const parameterNames = new Set(workloads.flatMap(({ parameters }) => Object.keys(parameters)))
  const { tokens } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
      peers: { type: 'boolean' },
      only: { type: 'string' },
      minutes: { type: 'string' },
      ...Object.fromEntries([...parameterNames].map((name) => [name, { type: 'string' as const }])),
    },
    tokens: true,
    strict: false, // What is wrong is said below, in our words.
    allowPositionals: true,
  })
  const flags = new Set<string>()
  const settings = new Map<string, string | undefined>()
  const texts = new Map<string, string | undefined>()
  const names: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') names.push(token.value)
    else if (token.kind === 'option' && parameterNames.has(token.name)) texts.set(token.name, token.value)
    else if (token.kind === 'option' && (token.name === 'only' || token.name === 'minutes'))
      settings.set(token.name, token.value)
    else if (token.kind === 'option') flags.add(flagOf(token.name, token.rawName, token.value))
  }
  const [name, extra] = names
  if (extra !== undefined) {
    throw new UsageError(`"${extra}" is one workload too many; name one, or none to run them all.`)
  }
  const workload = name === undefined ? undefined : find(name, workloads)
  if (workload !== undefined && settings.has('only')) {
    throw new UsageError('--only chooses several workloads; name one, or give --only.')
  }
  if (settings.has('minutes') && !flags.has('peers')) {
    throw new UsageError('--minutes bounds a comparison; give --peers too.')
  }
  const only = settings.has('only')
    ? (settings.get('only') ?? '').split(',').map((each) => find(each, workloads))
    : workloads
  const [parameter] = texts.keys()
  if (workload === undefined && parameter !== undefined) {
    throw new UsageError(`--${parameter} is an option of a single workload; name the workload too.`)
  }
  return {
    selected: (workload === undefined ? only : [workload]).map((each) => select(each, texts)),
    json: flags.has('json'),
    help: flags.has('help'),
    peers: flags.has('peers'),
    minutes: settings.has('minutes')
      ? wholeNumber('minutes', settings.get('minutes'), 1, MAX_MINUTES)
      : DEFAULT_MINUTES,
  }
}

function find(name: string, workloads: readonly Workload[]): Workload {
  const workload = workloads.find((each) => each.name === name)
  if (workload !== undefined) return workload
  throw new UsageError(`There is no workload "${name}"; give one of ${workloads.map((each) => each.name).join(', ')}.`)
}

function flagOf(name: string, rawName: string, value: string | undefined): string {
  if (name !== 'json' && name !== 'help' && name !== 'peers')
    throw new UsageError(`There is no option ${rawName}; see --help.`)
  if (value !== undefined) throw new UsageError(`${rawName} takes no value; leave "${value}" out.`)
  return name
}

function select(workload: Workload, texts: ReadonlyMap<string, string | undefined>): Selection {
  for (const name of texts.keys()) {
    if (!(name in workload.parameters)) {
      const known = Object.keys(workload.parameters)
        .map((each) => `--${each}`)
        .join(', ')
      throw new UsageError(`${workload.name} has no option --${name}; it has ${known}.`)
    }
  }
  const params: Record<string, number> = {}
  for (const [name, { initial, lowest, highest }] of Object.entries(workload.parameters)) {
    params[name] = texts.has(name) ? wholeNumber(name, texts.get(name), lowest, highest) : initial
  }
  return { workload, params }
}

function wholeNumber(name: string, text: string | undefined, lowest: number, highest: number): number {
  const value = text !== undefined && /^\d+$/.test(text) ? Number(text) : NaN
  if (value >= lowest && value <= highest) return value
  const given = text === undefined ? 'has no value' : `is "${text}"`
  throw new UsageError(`--${name} ${given}; give a whole number from ${lowest} to ${highest}.`)
}
