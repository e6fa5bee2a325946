/** The words by which a mail is judged. */
import type { Mail } from './mail.js'

const MIN_LENGTH = 2
/** Longer ones are keys, hashes and attachments that no header announces. */
const MAX_LENGTH = 30
const NUMBER = /^[\d.,:]+$/

/** Unicode's own rules find words in any language, also in those that put no space between them. */
const segmenter = new Intl.Segmenter(undefined, { granularity: 'word' })

/**
 * Each word once, in lower case, those of the subject marked as such. Numbers are left out, and so are all other headers:
 * they would tell in whose mailbox a mail was found, not what it is.
 */
export function wordsOf(mail: Mail): string[] {
  const words = new Set<string>()
  addWords(words, mail.subject, 'subject:')
  addWords(words, mail.text, '')
  return [...words]
}

function addWords(words: Set<string>, text: string, prefix: string): void {
  // Line by line, because the segmenter takes far longer over one long text than over its pieces.
  for (const line of text.toLowerCase().split('\n')) {
    for (const { segment, isWordLike } of segmenter.segment(line)) {
      if (isWordLike === true && isTelling(segment)) words.add(prefix + segment)
    }
  }
}

function isTelling(word: string): boolean {
  return word.length >= MIN_LENGTH && word.length <= MAX_LENGTH && !NUMBER.test(word)
}
