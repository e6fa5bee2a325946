import assert from 'node:assert/strict'
import test, { suite } from 'node:test'
import { withCluster } from '../../testing/index.js'
import { Classifier, Tally, splitWords, tellingWords, train, type Kind } from '../../examples/spam-filter/bayes.js'
import { findCorpus, kindOf } from '../../examples/spam-filter/corpus.js'
import { parseMail, type Mail } from '../../examples/spam-filter/mail.js'
import { trainInPlainLoop } from '../../examples/spam-filter/plain-loop.js'
import { countWords, judge, mergeCounts, readMessage, trainModel } from '../../examples/spam-filter/tasks.js'
import { trainInCluster } from '../../examples/spam-filter/training.js'
import { wordsOf } from '../../examples/spam-filter/words.js'

suite('a mail is read', () => {
  test('without MIME, as headers and text', () => {
    const mail = parse(
      'From joe@x Thu Aug 22 12:36:23 2002',
      'Received: by x',
      'SUBJECT: Lunch',
      '  today?',
      '',
      'At noon.',
      '',
      'Joe',
    )
    assert.deepEqual(mail, { subject: 'Lunch today?', text: 'At noon.\n\nJoe' })
  })

  test('with line ends as on the wire', () => {
    assert.deepEqual(parseMail(Buffer.from('Subject: a\r\n b\r\n\r\nc\r\nd')), { subject: 'a b', text: 'c\nd' })
  })

  test('with encoded words in its subject, and the space between two of them dropped', () => {
    const second = Buffer.from(' tête').toString('base64')
    const mail = parse(`Subject: =?ISO-8859-1?Q?caf=E9_et?= =?utf-8?b?${second}?= now`, '', '')
    assert.equal(mail.subject, 'café et tête now')
  })

  test('in quoted-printable, with soft ends of lines', () => {
    const mail = parse(
      'Content-Type: text/plain; charset="iso-8859-1"',
      'Content-Transfer-Encoding: Quoted-Printable',
      '',
      'na=EFve 1=3D=',
      '1 =zz',
    )
    assert.equal(mail.text, 'naïve 1=1 =zz')
  })

  test('in base64 and UTF-8', () => {
    const body = Buffer.from('grüß dich').toString('base64')
    const mail = parse(
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: base64',
      '',
      body.slice(0, 7),
      body.slice(7),
    )
    assert.equal(mail.text, 'grüß dich')
  })

  test('in several parts, nested, without attachments and what surrounds the parts', () => {
    const mail = parse(
      'Content-Type: multipart/mixed; boundary="a b(1)"', '', 'for old programs',
      '--a b(1)', 'Content-Type: multipart/alternative;', '\tboundary=inner', '',
      '--inner', '', 'plain', '--inner', 'Content-Type: TEXT/HTML', '', '<p>rich</p>', '--inner--',
      '--a b(1)', 'Content-Type: image/gif', 'Content-Transfer-Encoding: base64', '', 'R0lGODlh',
      '--a b(1)', 'Content-Type: message/rfc822', '', 'Subject: forwarded', '', 'inside', '--a b(1)--',
    ) // prettier-ignore
    assert.deepEqual(mail.text.split(/\s+/).filter(Boolean).sort(), ['inside', 'plain', 'rich'])
  })

  test('as a person sees its HTML, whatever hides a word from a filter', () => {
    const html =
      '<style>p { color: red }</style><p>Vi<!-- x -->a<b>gra</b> &amp; caf&#233;&nbsp;<br>n&#x6f;w <a href="http://shop.example/buy">here</a>'
    const { text } = parse('Content-Type: text/html', '', html)
    assert.deepEqual(text.split(/\s+/).filter(Boolean), ['Viagra', '&', 'café', 'now', 'here', 'shop.example'])
  })

  test('however broken it is', () => {
    assert.deepEqual(parse(), { subject: '', text: '' })
    assert.equal(parse('no header at all', '', 'two').text, 'no header at all\n\ntwo')
    assert.deepEqual(parse('Subject: no body'), { subject: 'no body', text: '' })
    assert.equal(parse('Content-Type: multipart/mixed', '', 'no boundary').text, 'no boundary')
    assert.equal(parse('Content-Type: multipart/mixed; boundary=x', '', '--x', '', 'never ended').text, 'never ended')
    assert.equal(parse('Content-Type: text/plain; charset=default_charset', '', 'caf\xe9').text, 'café')
    assert.equal(
      parse('Content-Type: text/html', '', 'a <b unclosed &#9999999; <!-- no end').text.trim(),
      'a <b unclosed',
    )
    assert.equal(parse('Content-Type: text/plain', 'Content-Transfer-Encoding: base64', '', '!!!').text, '')
  })

  test('in bounded time and parts, when it was made to harm', () => {
    const parts = parse(
      'Content-Type: multipart/mixed; boundary=x',
      '',
      ...Array.from({ length: 5_000 }, () => '--x\n\nword'),
    )
    assert.ok(parts.text.split('word').length <= 101)
    assert.equal(parse('Content-Type: text/html', '', '<'.repeat(200_000)).text.trim(), '<'.repeat(200_000))
  })
})

suite('words', () => {
  test('are distinct, in lower case, without numbers, and those of the subject are marked', () => {
    const words = wordsOf({ subject: 'Re: CASH', text: "Don't pay $1,000 at www.shop.example, DON'T\n2002 a cash" })
    assert.deepEqual(words, ['subject:re', 'subject:cash', "don't", 'pay', 'at', 'www.shop.example', 'cash'])
  })

  test('are found in languages that put no space between them', () => {
    assert.ok(wordsOf({ subject: '', text: '免费的电子邮件' }).length > 1)
  })
})

suite('the classifier', () => {
  test('learns which words speak for which kind', () => {
    const tally = new Tally()
    for (let i = 0; i < 5; i++) {
      tally.addMessage('ham', ['the', 'meeting', 'agenda'])
      tally.addMessage('spam', ['the', 'cash', 'prize'])
    }
    tally.addMessage('spam', ['once'])
    const model = train(tally.toCounts())

    assert.deepEqual(tellingWords(model, 2), { ham: ['meeting', 'agenda'], spam: ['cash', 'prize'] })
    assert.deepEqual(new Set(splitWords(model.words)), new Set(['the', 'meeting', 'agenda', 'cash', 'prize']))
    const classifier = new Classifier(model)
    assert.equal(classifier.classify(['the', 'agenda', 'unheard-of']), 'ham')
    assert.equal(classifier.classify(['the', 'prize']), 'spam')
  })

  test('counts the same in one go and in a tree', () => {
    const messages = (['ham', 'spam', 'spam'] as Kind[]).map((kind, i) => ({ kind, words: `all of${i} ${kind}` }))
    const parts = messages.map((message) => countWords([message]))
    assert.deepEqual(mergeCounts([mergeCounts(parts.slice(0, 2)), ...parts.slice(2)]), countWords(messages))
    assert.deepEqual(mergeCounts([countWords([]), countWords(messages)]), countWords(messages))
  })
})

suite('the spam filter', () => {
  const corpus = findCorpus()
  const some = {
    training: corpus.training.filter((_, index) => index % 12 === 0),
    heldOut: corpus.heldOut.filter((_, index) => index % 12 === 0),
  }

  test('finds all mails of the corpus, of both kinds, and holds every fifth out', () => {
    const files = [...corpus.training, ...corpus.heldOut]
    assert.equal(files.length, 6_046)
    assert.equal(corpus.heldOut.length, Math.floor(files.length / 5))
    assert.equal(new Set(files).size, files.length)
    assert.deepEqual(new Set(files.map(kindOf)), new Set(['ham', 'spam']))
  })

  test('tells spam from ham after a twelfth of the corpus', () => {
    const model = trainModel(countWords(some.training.map(readMessage)))
    const { ham, spam } = judge(some.heldOut.map(readMessage), model)
    assert.equal(ham.ham + ham.spam + spam.ham + spam.spam, some.heldOut.length)
    assert.ok((ham.ham + spam.spam) / some.heldOut.length > 0.85)
  })

  test('learns the same in a cluster as in one plain loop', async () => {
    const outcome = await withCluster(
      async (client) => {
        const training = trainInCluster(client, some, 5)
        const learned = await training.outcome
        assert.equal(training.finishedCount(), training.taskCount)
        return learned
      },
      { kind: 'inline' },
    )
    assert.deepEqual(outcome, trainInPlainLoop(some, 5))
  })
})

function parse(...lines: readonly string[]): Mail {
  return parseMail(Buffer.from(lines.join('\n'), 'latin1'))
}
