/**
 * The console of a worker thread. Node's own would print a busy thread's lines only when its event loop turns, and lose
 * them when the thread is terminated; here each line is posted at once, with the task that printed it.
 */
import { Console } from 'node:console'
import { Writable } from 'node:stream'
import { currentTask } from './current-task.js'
import type { LogLevel, ThreadMessage } from './thread-message.js'

/** What one line may have, in characters; the rest is cut off. */
const MAX_LINE_CHARACTERS = 8 * 1024
/** Lines of one thread within one second; the rest is counted and left out, so that a flood cannot fill the memory. */
const MAX_LINES_PER_SECOND = 1_000

type Post = (message: ThreadMessage) => void

/** Replaces the methods of the global console, which every module of this thread shares. */
export function replaceConsole(post: Post, nowMs: () => number = () => performance.now()): void {
  const lines = new LineLimit(post, nowMs)
  const output = lineStream((text) => lines.post('info', text))
  let errorLevel: LogLevel = 'error'
  const replacement = new Console({
    stdout: output,
    stderr: lineStream((text) => lines.post(errorLevel, text)),
    colorMode: false,
  })
  const warn = replacement.warn.bind(replacement)
  replacement.warn = (...parts: unknown[]): void => {
    errorLevel = 'warn'
    warn(...parts)
    errorLevel = 'error'
  }
  for (const [name, method] of Object.entries(replacement)) {
    if (typeof method === 'function' && name in console) Object.assign(console, { [name]: method as unknown })
  }
}

class LineLimit {
  readonly #post: Post
  readonly #nowMs: () => number
  #secondEndsAtMs = 0
  #lineCount = 0
  #leftOutCount = 0

  constructor(post: Post, nowMs: () => number) {
    this.#post = post
    this.#nowMs = nowMs
  }

  post(level: LogLevel, text: string): void {
    const nowMs = this.#nowMs()
    if (nowMs >= this.#secondEndsAtMs) this.#beginSecond(nowMs)
    this.#lineCount += 1
    if (this.#lineCount > MAX_LINES_PER_SECOND) {
      this.#leftOutCount += 1
      return
    }
    this.#post({ type: 'log', level, task: currentTask()?.key, text: shortened(text) })
  }

  #beginSecond(nowMs: number): void {
    this.#secondEndsAtMs = nowMs + 1_000
    this.#lineCount = 0
    if (this.#leftOutCount === 0) return
    const text = `${this.#leftOutCount} lines were left out: a thread may print ${MAX_LINES_PER_SECOND} a second.`
    this.#leftOutCount = 0
    this.#post({ type: 'log', level: 'warn', task: undefined, text })
  }
}

function shortened(text: string): string {
  const cut = text.length - MAX_LINE_CHARACTERS
  return cut <= 0 ? text : `${text.slice(0, MAX_LINE_CHARACTERS)} … ${cut} more characters`
}

/** The console writes one call's text at once, with a line feed at its end. */
function lineStream(onText: (text: string) => void): Writable {
  return new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      onText(text.endsWith('\n') ? text.slice(0, -1) : text)
      done()
    },
  })
}
