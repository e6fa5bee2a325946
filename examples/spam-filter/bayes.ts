/**
 * Naive Bayes on the words of mails. Tables are kept column by column (all words as one text, numbers as typed arrays):
 * that is small on its way from task to task, and quick to read.
 */

export const KINDS = ['ham', 'spam'] as const
export type Kind = (typeof KINDS)[number]

/** A mail as the classifier sees it: its distinct words, with a space between them. */
export interface Message {
  readonly kind: Kind
  readonly words: string
}

/** How many messages there were, and in how many each word occurs. */
export interface Counts {
  readonly messages: Readonly<Record<Kind, number>>
  readonly words: string
  readonly ham: Uint32Array
  readonly spam: Uint32Array
}

/** For each word by how much it speaks for spam, or for ham when negative: the logarithm of its odds. */
export interface Model {
  readonly prior: number
  readonly words: string
  readonly weights: Float32Array
}

/** Words in fewer messages than this say more about chance than about spam. */
const MIN_MESSAGES = 3
/** Added to each count, so that a word never seen in one kind is strong evidence and no proof. */
const SMOOTHING = 0.5

/** Counts being added up. */
export class Tally {
  readonly #messages = { ham: 0, spam: 0 }
  readonly #byWord = new Map<string, Record<Kind, number>>()

  addMessage(kind: Kind, words: readonly string[]): void {
    this.#messages[kind] += 1
    for (const word of words) this.#countsOf(word)[kind] += 1
  }

  addCounts(counts: Counts): void {
    for (const kind of KINDS) this.#messages[kind] += counts.messages[kind]
    for (const [index, word] of splitWords(counts.words).entries()) {
      const sums = this.#countsOf(word)
      for (const kind of KINDS) sums[kind] += counts[kind][index] ?? 0
    }
  }

  toCounts(): Counts {
    const rows = [...this.#byWord.values()]
    return {
      messages: this.#messages,
      words: [...this.#byWord.keys()].join(' '),
      ham: Uint32Array.from(rows, ({ ham }) => ham),
      spam: Uint32Array.from(rows, ({ spam }) => spam),
    }
  }

  #countsOf(word: string): Record<Kind, number> {
    let counts = this.#byWord.get(word)
    if (counts === undefined) this.#byWord.set(word, (counts = { ham: 0, spam: 0 }))
    return counts
  }
}

export function train({ messages, words, ham, spam }: Counts): Model {
  const kept: string[] = []
  const weights: number[] = []
  for (const [index, word] of splitWords(words).entries()) {
    const inHam = ham[index] ?? 0
    const inSpam = spam[index] ?? 0
    if (inHam + inSpam < MIN_MESSAGES) continue
    const hamRate = (inHam + SMOOTHING) / (messages.ham + 2 * SMOOTHING)
    const spamRate = (inSpam + SMOOTHING) / (messages.spam + 2 * SMOOTHING)
    kept.push(word)
    weights.push(Math.log(spamRate / hamRate))
  }
  const prior = Math.log((messages.spam + SMOOTHING) / (messages.ham + SMOOTHING))
  return { prior, words: kept.join(' '), weights: Float32Array.from(weights) }
}

/** A model made ready to judge many messages. */
export class Classifier {
  readonly #prior: number
  readonly #weights: ReadonlyMap<string, number>

  constructor(model: Model) {
    this.#prior = model.prior
    this.#weights = weightsByWord(model)
  }

  classify(words: readonly string[]): Kind {
    let evidence = this.#prior
    for (const word of words) evidence += this.#weights.get(word) ?? 0
    return evidence > 0 ? 'spam' : 'ham'
  }
}

/** The words that speak most clearly for each kind, the clearest first. */
export function tellingWords(model: Model, count: number): Record<Kind, string[]> {
  const ranked = [...weightsByWord(model)].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([word]) => word)
  return { ham: ranked.slice(-count).reverse(), spam: ranked.slice(0, count) }
}

/** How many messages of each kind were taken for which: `confusion.ham.spam` are the mails lost. */
export type Confusion = Record<Kind, Record<Kind, number>>

export function noConfusion(): Confusion {
  return { ham: { ham: 0, spam: 0 }, spam: { ham: 0, spam: 0 } }
}

export function sumConfusions(confusions: readonly Confusion[]): Confusion {
  const sum = noConfusion()
  for (const each of confusions)
    for (const kind of KINDS) for (const verdict of KINDS) sum[kind][verdict] += each[kind][verdict]
  return sum
}

export function splitWords(words: string): string[] {
  return words === '' ? [] : words.split(' ')
}

function weightsByWord({ words, weights }: Model): Map<string, number> {
  return new Map(splitWords(words).map((word, index) => [word, weights[index] ?? 0]))
}
