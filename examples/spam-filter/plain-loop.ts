/** The same work without a cluster: what the speed-up is measured against, and what the result is compared with. */
import { readFileSync } from 'node:fs'
import { Classifier, Tally, noConfusion, tellingWords, train } from './bayes.js'
import { kindOf, type Corpus } from './corpus.js'
import { parseMail } from './mail.js'
import type { Outcome } from './report.js'
import { wordsOf } from './words.js'

export function trainInPlainLoop(corpus: Corpus, tellingCount: number): Outcome {
  const tally = new Tally()
  for (const path of corpus.training) tally.addMessage(kindOf(path), wordsOf(parseMail(readFileSync(path))))
  const model = train(tally.toCounts())
  const classifier = new Classifier(model)
  const confusion = noConfusion()
  for (const path of corpus.heldOut) {
    confusion[kindOf(path)][classifier.classify(wordsOf(parseMail(readFileSync(path))))] += 1
  }
  return { confusion, telling: tellingWords(model, tellingCount) }
}
