/** What the cluster runs. Each function is one kind of task; this module and what it imports travel to the workers. */
import { readFileSync } from 'node:fs'
import {
  Classifier,
  Tally,
  noConfusion,
  splitWords,
  train,
  type Confusion,
  type Counts,
  type Message,
  type Model,
} from './bayes.js'
import { kindOf } from './corpus.js'
import { parseMail } from './mail.js'
import { wordsOf } from './words.js'

export { tellingWords } from './bayes.js'

/** Reads, parses and tokenises one mail. */
export function readMessage(path: string): Message {
  return { kind: kindOf(path), words: wordsOf(parseMail(readFileSync(path))).join(' ') }
}

export function countWords(messages: readonly Message[]): Counts {
  const tally = new Tally()
  for (const { kind, words } of messages) tally.addMessage(kind, splitWords(words))
  return tally.toCounts()
}

export function mergeCounts(parts: readonly Counts[]): Counts {
  const tally = new Tally()
  for (const part of parts) tally.addCounts(part)
  return tally.toCounts()
}

export function trainModel(counts: Counts): Model {
  return train(counts)
}

/** Classifies many messages at once, so that the model is unpacked once for all of them. */
export function judge(messages: readonly Message[], model: Model): Confusion {
  const classifier = new Classifier(model)
  const confusion = noConfusion()
  for (const { kind, words } of messages) confusion[kind][classifier.classify(splitWords(words))] += 1
  return confusion
}
