/**
 * The log of a process: lines on standard error, as text for people or as JSON for machines. Pino is loaded at the first
 * line that is written: most processes of an embedded cluster never write one.
 */
import type * as Pino from 'pino'
import { requirePackage } from './require-package.js'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]
export const LOG_FORMATS = ['text', 'json'] as const
export type LogFormat = (typeof LOG_FORMATS)[number]

/** What a line says besides its text. An error goes under `err`. Never a token. */
export type LogFields = Readonly<Record<string, unknown>>

export type Log = Readonly<Record<LogLevel, (fields: LogFields, text: string) => void>>

export interface LogOptions {
  /** Lines below it are not written. */
  readonly level: LogLevel
  readonly format: LogFormat
  /** Which process it is: `scheduler`, or a worker's name. */
  readonly name: string
}

export function createLog({ level: lowest, format, name }: LogOptions): Log {
  let logger: Pino.Logger | undefined
  const write = (level: LogLevel, fields: LogFields, text: string): void => {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(lowest)) return
    logger ??= createLogger(lowest, format, name)
    logger[level](fields, text)
  }
  return {
    debug: (fields, text) => write('debug', fields, text),
    info: (fields, text) => write('info', fields, text),
    warn: (fields, text) => write('warn', fields, text),
    error: (fields, text) => write('error', fields, text),
  }
}

/** A log that is not written. */
export const NO_LOG: Log = Object.freeze({ debug: ignore, info: ignore, warn: ignore, error: ignore })

function ignore(): void {
  // Nobody reads it.
}

function createLogger(level: LogLevel, format: LogFormat, name: string): Pino.Logger {
  const { pino } = requirePackage('pino') as typeof Pino
  const options = {
    level,
    base: { name, pid: process.pid },
    formatters: { level: (label: string) => ({ level: label }) },
  }
  const destination = pino.destination({ fd: 2, sync: true })
  if (format === 'json') return pino(options, destination)
  return pino(options, { write: (line: string) => destination.write(textOf(line)) })
}

/** `12:01:02.345 warn scheduler: worker left (peer=…)` */
function textOf(line: string): string {
  const { time, level, name, msg, pid: _, err, ...fields } = JSON.parse(line) as Record<string, unknown>
  const clock = new Date(Number(time)).toISOString().slice(11, 23)
  const pairs = Object.entries(fields).map(
    ([field, value]) => `${field}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  const details = pairs.length === 0 ? '' : ` (${pairs.join(' ')})`
  const stack = typeof err === 'object' && err !== null && 'stack' in err ? `\n${String(err.stack)}` : ''
  return `${clock} ${String(level)} ${String(name)}: ${String(msg)}${details}${stack}\n`
}

/** A log that writes what `log` writes, and has `hear` told before, but for what only developers read. */
export function heardLog(
  log: Log,
  hear: (level: Exclude<LogLevel, 'debug'>, fields: LogFields, text: string) => void,
): Log {
  const write = (level: Exclude<LogLevel, 'debug'>, fields: LogFields, text: string): void => {
    hear(level, fields, text)
    log[level](fields, text)
  }
  return {
    debug: (fields, text) => log.debug(fields, text),
    info: (fields, text) => write('info', fields, text),
    warn: (fields, text) => write('warn', fields, text),
    error: (fields, text) => write('error', fields, text),
  }
}
