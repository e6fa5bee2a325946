/**
 * The directory that a scheduler keeps its journal in. One scheduler has it at a time; its files are numbered, and the
 * highest one that is complete holds all there is.
 */
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { mayBeAlive, ownIdentity, type ProcessIdentity } from '../../common/node/process-identity.js'
import { HeddleError } from '../../protocol/errors.js'

const LOCK = 'lock'
const FILE = /^journal-(\d+)\.log$/

export class StateDirectory {
  readonly path: string

  /**
   * Takes the directory, which is made if it is not there, for this process.
   *
   * @throws {HeddleError} `ERR_HEDDLE_STATE_IN_USE` when another process has it; `ERR_HEDDLE_INVALID_OPTION` when it can't be
   * written.
   */
  constructor(directory: string) {
    this.path = path.resolve(directory)
    try {
      // What users' tasks are called and given is in it, and what members show each other.
      mkdirSync(this.path, { recursive: true, mode: 0o700 })
      this.#lock()
    } catch (cause) {
      if (cause instanceof HeddleError) throw cause
      const why = cause instanceof Error ? cause.message : String(cause)
      const message = `The state directory ${this.path} cannot be used (${why}); choose another with --state-dir, or none.`
      throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message, { cause })
    }
  }

  /** Numbers of the files, the highest first. */
  get files(): number[] {
    return readdirSync(this.path)
      .flatMap((name) => FILE.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => b - a)
  }

  pathOf(file: number): string {
    return path.join(this.path, `journal-${String(file).padStart(6, '0')}.log`)
  }

  remove(file: number): void {
    unlinkSync(this.pathOf(file))
  }

  /** Makes sure that the names of its files outlive the machine. */
  sync(): void {
    const fd = openSync(this.path, 'r')
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  }

  /** Lets others have it. */
  release(): void {
    unlinkSync(path.join(this.path, LOCK))
  }

  /** The lock is never there without saying whose it is: it is written elsewhere, and then given its name. */
  #lock(): void {
    const file = path.join(this.path, LOCK)
    const own = `${file}-${process.pid}`
    writeFileSync(own, JSON.stringify(ownIdentity()), { mode: 0o600 })
    try {
      while (!isLinked(own, file)) {
        const holder = holderOf(file)
        if (holder !== undefined && mayBeAlive(holder)) throw inUse(this.path, holder)
        takeAway(file, holder)
      }
    } finally {
      unlinkSync(own)
    }
  }
}

/** Gives the file its second name, unless another file has that. */
function isLinked(file: string, name: string): boolean {
  try {
    linkSync(file, name)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Takes the lock of a process that is gone. Another process may just have done that, and have its own there by now. */
function takeAway(file: string, holder: ProcessIdentity | undefined): void {
  const away = `${file}-of-${process.pid}`
  try {
    renameSync(file, away)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  if (JSON.stringify(holderOf(away)) !== JSON.stringify(holder)) isLinked(away, file)
  unlinkSync(away)
}

/** Who has the directory; `undefined` when nobody can tell. */
function holderOf(file: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity
  } catch {
    return undefined
  }
}

function inUse(directory: string, { pid }: ProcessIdentity): HeddleError {
  const message =
    `The state directory ${directory} is in use by process ${pid}, which is a scheduler; stop that one, or choose ` +
    `another directory with --state-dir.`
  return new HeddleError('ERR_HEDDLE_STATE_IN_USE', message)
}
