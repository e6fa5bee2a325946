/**
 * Every reason that a task may be told for being where it is: for each, a cluster that has such a task. Whoever asks hears the
 * same: a future, the command line, the HTTP API and with it the status page.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import test, { suite } from 'node:test'
import ts from 'typescript'
import { describeExplanation } from '../../cli/explain-command.js'
import { attempt, type TaskId } from '../../protocol/ids.js'
import { NO_NEEDS, type Needs } from '../../protocol/messages/needs.js'
import { NO_RETRIES } from '../../protocol/messages/rules.js'
import { handleEvent } from '../../scheduler/core/machine.js'
import { detailsOf } from '../../scheduler/core/views/details.js'
import { explain } from '../../scheduler/core/views/explain.js'
import { PROJECT } from '../support/project.js'
import { SchedulerHarness, type TestClient } from '../support/scheduler-harness.js'

const GIB = 2 ** 30
const needs = (given: Partial<Needs>): { needs: Needs } => ({ needs: { ...NO_NEEDS, ...given } })
const gpus = (thousandths: number) => [{ name: 'gpu', thousandths }]
const limited = (name: string, units = 1) => needs({ limits: [{ name, units }] })

/** A cluster with a task; of the others, what the task is told beside its reason must be there too. */
interface Case {
  readonly reason: RegExp
  /** Sentences of its details, or what is said of workers. */
  readonly more?: readonly RegExp[]
  readonly arrange: (place: ReturnType<typeof start>) => TaskId
}

function start() {
  // Of small values it keeps one.
  const scheduler = new SchedulerHarness({ keepsState: true, maxInlineCacheBytes: 3 })
  const client = scheduler.client()
  const f = client.define('f')
  /** The last of so many tasks, behind which there is no room. */
  const last = (count: number, template = f): TaskId => client.map(template, count).at(-1)!
  return { scheduler, client, f, last }
}

function declare(client: TestClient, name: string, units: number, perSecond = 0): void {
  const kind = perSecond === 0 ? ('semaphore' as const) : ('rate' as const)
  client.send({ type: 'declare-limit', limit: { name, kind, units, perSecond } })
}

function scatter(client: TestClient): TaskId {
  const { message, ids } = client.submission(1, [{}])
  assert.ok(message.type === 'submit')
  client.send({ type: 'scatter', array: message.array, sizeBytes: 5, copies: 'one', workers: [] })
  return ids[0]!
}

const BUSY = /^It waits for a worker: each is busy or can’t take it\.$/

const WAITING: readonly Case[] = [
  {
    reason: /^It waits for 1 input of 2\.$/,
    more: [/^1 input failed; it gets the error in the place of the value\.$/],
    arrange: ({ scheduler, client, f }) => {
      const [bad, open] = client.map(f, 2)
      const worker = scheduler.worker()
      worker.fail(bad!)
      const passing = client.define('pass', { rules: { onDependencyError: 'pass-error' } })
      return client.submit(passing, [{ inputs: [bad!, open!] }])[0]!
    },
  },
  {
    reason: /^It waits for 1 input of 1; it was sent ahead of them to \S+\.$/,
    arrange: ({ scheduler, client, f }) => {
      const worker = scheduler.worker()
      worker.finish(client.map(f, 1), { template: f, us: 10 })
      const [first] = client.map(f, 1)
      return client.submit(f, [{ inputs: [first!] }])[0]!
    },
  },
  {
    reason: /^It is an output of split-\w+, which has not ended\.$/,
    arrange: ({ client }) => client.split(client.define('split', { outputs: 2 }), 2).outputs[0]!,
  },
  { reason: /^Its client has the value, and there is no worker/, arrange: ({ client }) => scatter(client) },
  {
    reason: /^Its client is bringing the value to a worker\.$/,
    arrange: ({ scheduler, client }) => {
      scheduler.worker()
      return scatter(client)
    },
  },
]

const READY: readonly Case[] = [
  { reason: /^It waits for a worker: there is none\.$/, arrange: ({ last }) => last(1) },
  {
    reason: BUSY,
    more: [
      /^About 4 ready tasks with the same needs come before it\.$/,
      /^has 2 of 2 threads busy, and tasks sent ahead$/,
    ],
    arrange: ({ scheduler, last }) => {
      scheduler.worker({ threads: 2 })
      return last(7)
    },
  },
  {
    reason: BUSY,
    more: [/^It needs gpu=1\.$/, /^has no gpu to spare$/],
    arrange: ({ scheduler, client, last }) => {
      scheduler.worker({ threads: 4, resources: gpus(1_000) })
      return last(2, client.define('g', needs({ others: gpus(1_000) })))
    },
  },
  {
    reason: BUSY,
    more: [/^has gpu=0\.5 to spare$/],
    arrange: ({ scheduler, client, last }) => {
      scheduler.worker({ threads: 8, resources: gpus(2_000) })
      last(1, client.define('most', needs({ others: gpus(1_500) })))
      return last(1, client.define('g', needs({ others: gpus(1_000) })))
    },
  },
  {
    reason: BUSY,
    more: [/^has 0 B of memory to spare$/],
    arrange: ({ scheduler, client, last }) => {
      scheduler.worker({ threads: 4, memoryLimitBytes: 2 * GIB })
      return last(2, client.define('g', needs({ memoryBytes: 2 * GIB })))
    },
  },
  {
    reason: BUSY,
    more: [/^runs 1 tasks without a thread already$/],
    arrange: ({ scheduler, client, last }) => {
      scheduler.worker({ ioTasks: 1 })
      return last(2, client.define('io', needs({ threads: 0 })))
    },
  },
  {
    reason: BUSY,
    more: [/^is kept free for tasks that need threads=2$/],
    arrange: ({ scheduler, client, last }) => {
      scheduler.worker({ threads: 2 })
      last(1)
      last(1, client.define('wide', needs({ threads: 2 })))
      return last(1)
    },
  },
  {
    reason: BUSY,
    more: [/^is paused: its values take so much of its memory/],
    arrange: ({ scheduler, last }) => {
      const worker = scheduler.worker()
      last(1)
      worker.pulse({ pausedBy: 'values' })
      return last(5)
    },
  },
  {
    reason: BUSY,
    more: [/^is leaving$/],
    arrange: ({ scheduler, last }) => {
      const leaving = scheduler.worker()
      scheduler.worker()
      const task = last(9)
      leaving.send({ type: 'leaving' })
      return task
    },
  },
  {
    reason: /^It waits, and nothing that is there will let it run: it needs gpu=1, which none of 1 workers has\.\.?$/,
    arrange: ({ scheduler, client, last }) => {
      scheduler.worker()
      return last(1, client.define('g', needs({ others: gpus(1_000) })))
    },
  },
  {
    reason: /^It waits for the limit "db": 1 of 1 units are taken\.$/,
    arrange: ({ scheduler, client, last }) => {
      scheduler.worker({ threads: 8 })
      declare(client, 'db', 1)
      return last(2, client.define('query', limited('db')))
    },
  },
  {
    reason: /^It waits for the limit "db": 1 of 1 units are taken, and 1 client waits too\.$/,
    arrange: ({ scheduler, client, last }) => {
      scheduler.worker({ threads: 8 })
      declare(client, 'db', 1)
      const task = last(2, client.define('query', limited('db')))
      client.send({ type: 'take-unit', request: 1, limit: { name: 'db', kind: 'semaphore', units: 1, perSecond: 0 } })
      return task
    },
  },
  {
    reason: /^It waits for the limit "db": what is free is kept for a task that needs more\.$/,
    arrange: ({ scheduler, client, last }) => {
      scheduler.worker({ threads: 8 })
      declare(client, 'db', 2)
      const query = client.define('query', limited('db'))
      last(1, query)
      last(1, client.define('wide', { ...limited('db', 2), priority: 1 }))
      return last(1, query)
    },
  },
  {
    reason: /^It waits for the limit "api": the next begins in 250ms\.$/,
    arrange: ({ scheduler, client, last }) => {
      scheduler.worker({ threads: 8 })
      declare(client, 'api', 1, 4)
      return last(2, client.define('page', limited('api')))
    },
  },
  {
    reason: /^It is held back: 900 B of values wait for tasks that use them up/,
    arrange: ({ scheduler, client, f, last }) => {
      const worker = scheduler.worker({ memoryLimitBytes: 1_000 })
      const input = last(1)
      worker.finish([input], { sizeBytes: 900 })
      client.submit(f, [{ inputs: [input] }])
      return last(1)
    },
  },
  {
    reason: /^It waits: the state directory of the scheduler is full; make room there\.$/,
    arrange: ({ scheduler, last }) => {
      scheduler.worker()
      scheduler.turn({ type: 'journal-full', isFull: true })
      return last(1)
    },
  },
  {
    reason: /^It is among the next to be sent to a worker\.$/,
    arrange: ({ scheduler, client, f }) => {
      scheduler.worker()
      const { message, ids } = client.submission(f, [{}])
      // In the middle of a turn: nothing has been placed.
      handleEvent(scheduler.state, { type: 'client-message', client: client.id, message, nowMs: scheduler.nowMs })
      return ids[0]!
    },
  },
]

const SENT: readonly Case[] = [
  {
    reason: /^It was sent to w1 as attempt 1, and had not begun there when it was last heard of 40ms ago\.$/,
    more: [
      /^1 task sent there earlier may come before it\.$/,
      /^The worker has no memory to spare for the next of its tasks\.$/,
    ],
    arrange: ({ scheduler, f, last }) => {
      const worker = scheduler.worker()
      worker.finish([last(1)], { template: f, us: 10 })
      const task = last(2)
      worker.pulse({ isHoldingBack: true })
      scheduler.nowMs += 40
      scheduler.turn()
      return task
    },
  },
  {
    reason: /^It was sent to w\d as attempt 1, and had not begun there/,
    more: [/^The worker gets 1 input from other workers first\.$/],
    arrange: ({ scheduler, client, last }) => {
      const first = scheduler.worker()
      const input = last(1)
      first.finish([input], { sizeBytes: 100 })
      scheduler.worker({ resources: gpus(1_000) })
      return client.submit(client.define('use', needs({ others: gpus(1_000) })), [{ inputs: [input] }])[0]!
    },
  },
  {
    reason: /^It was sent to w1 as attempt 1/,
    more: [/^The worker is paused: its values take so much memory/, /^w1 is leaving, and ends what runs\.$/],
    arrange: ({ scheduler, last }) => {
      const worker = scheduler.worker()
      const task = last(1)
      worker.pulse({ pausedBy: 'values' })
      worker.send({ type: 'leaving' })
      return task
    },
  },
  {
    reason: /^It runs on w1, as attempt 1, for 35ms when it was last heard of 0ms ago\.$/,
    more: [/^It reported that 25 % is done: row 25$/],
    arrange: ({ scheduler, last }) => {
      const worker = scheduler.worker()
      const task = last(1)
      worker.pulse({ running: [task], runningForMs: [35] })
      worker.send({ type: 'task-progressed', task, attempt: attempt(1), fraction: 0.25, note: 'row 25' })
      return task
    },
  },
  {
    reason: /^It failed, and is tried again in 5s\.$/,
    arrange: ({ scheduler, client, last }) => {
      const worker = scheduler.worker()
      const retries = { ...NO_RETRIES, count: 1, delayMs: 5_000, maxDelayMs: 5_000 }
      const task = last(1, client.define('flaky', { rules: { retries } }))
      worker.fail(task)
      return task
    },
  },
  {
    reason: /^It fails, since w1 died with it: how that ended is being found out\.$/,
    arrange: ({ scheduler, client, last }) => {
      const worker = scheduler.worker({ isWatched: true })
      const task = last(1, client.define('deadly', { rules: { allowedFailures: 1 } }))
      worker.pulse({ memoryBytes: 50 })
      worker.leave('its connection ended')
      return task
    },
  },
]

const ENDED: readonly Case[] = [
  {
    reason: /^It has finished; its value, 2 KiB, is on w1\.$/,
    arrange: ({ scheduler, last }) => {
      const worker = scheduler.worker()
      const task = last(1)
      worker.finish([task], { sizeBytes: 2_048 })
      return task
    },
  },
  {
    reason: /^It has finished; the scheduler has its value, 2 B\.$/,
    arrange: ({ scheduler, client, last }) => {
      const worker = scheduler.worker()
      const task = last(1)
      client.want(task)
      worker.finish([task])
      worker.leave()
      return task
    },
  },
  {
    reason: /^It was skipped, because an input of it failed; its value is undefined\.$/,
    arrange: ({ scheduler, client, last }) => {
      const worker = scheduler.worker()
      const bad = last(1)
      const [task] = client.submit(client.define('skip', { rules: { onDependencyError: 'skip' } }), [{ inputs: [bad] }])
      worker.fail(bad)
      return task!
    },
  },
  {
    reason: /^It threw an error, on w1$/,
    arrange: ({ scheduler, last }) => {
      const worker = scheduler.worker()
      const task = last(1)
      worker.fail(task)
      return task
    },
  },
  {
    reason: /^f-\w+, which it needs, failed, on w1$/,
    arrange: ({ scheduler, client, f, last }) => {
      const worker = scheduler.worker()
      const bad = last(1)
      const [task] = client.submit(f, [{ inputs: [bad] }])
      worker.fail(bad)
      return task!
    },
  },
  {
    reason: /^It failed with ERR_HEDDLE_WORKER_LOST: .*, on w1$/,
    arrange: ({ scheduler, client, last }) => {
      const worker = scheduler.worker()
      const task = last(1, client.define('deadly', { rules: { allowedFailures: 1 } }))
      worker.pulse({ running: [task], runningForMs: [1] })
      worker.leave('its connection ended')
      return task
    },
  },
  {
    reason: /^Nobody needs its value now; it would run again if a task had to that needs it\.$/,
    arrange: ({ scheduler, client, f, last }) => {
      const worker = scheduler.worker()
      const input = last(1)
      const [task] = client.submit(f, [{ inputs: [input] }])
      worker.finish([input], { sizeBytes: 100 })
      worker.finish([task!], { sizeBytes: 100 })
      client.release(input)
      return input
    },
  },
]

/** Of the scheduler that takes the place of one that died. */
const AGAIN: readonly (readonly [RegExp, way: 'with workers' | 'without'])[] = [
  [
    /^It waits: the scheduler was started again, and 1 worker of the time before may still come back with it\.$/,
    'with workers',
  ],
  [
    /^It waits: its client has not come back since the scheduler was started again, and nobody else needs it\.$/,
    'without',
  ],
]

const seen: string[] = []

/** Asks as a future does, as the command line does, and as the API and with it the page do. */
function assertTold(scheduler: SchedulerHarness, task: TaskId, { reason, more = [] }: Omit<Case, 'arrange'>): void {
  const explanation = explain(scheduler.state, task, '')
  assert.match(explanation.reason, reason)
  const { key, state, details, waitsFor, workers, ahead } = explanation
  const others = [...details, ...workers.map((worker) => worker.reason)]
  for (const sentence of more)
    assert.ok(
      others.some((each) => sentence.test(each)),
      `${sentence}: ${others.join(' ')}`,
    )
  assert.deepEqual(explain(scheduler.state, 0 as TaskId, key), explanation)
  const page = detailsOf(scheduler.state, key)!
  assert.deepEqual(
    [page.key, page.state, page.reason, page.details, page.waitsFor, page.workers, page.ahead],
    [key, state, explanation.reason, details, waitsFor, workers, ahead],
  )
  const lines = describeExplanation(explanation).split('\n')
  assert.deepEqual(lines.slice(0, 2 + details.length), [`${key} is ${state}`, explanation.reason, ...details])
  for (const { name, reason: why } of workers)
    assert.ok(lines.some((line) => line.startsWith(name) && line.endsWith(why)))
  seen.push(explanation.reason, ...others)
}

suite('whoever asks is told the same:', () => {
  for (const { arrange, reason, more } of [...WAITING, ...READY, ...SENT, ...ENDED]) {
    test([reason, ...(more ?? [])].map(({ source }) => source).join(' '), () => {
      const place = start()
      assertTold(place.scheduler, arrange(place), { reason, ...(more !== undefined && { more }) })
    })
  }

  for (const [reason, way] of AGAIN) {
    test(reason.source, () => {
      const { scheduler, last } = start()
      if (way === 'with workers') scheduler.worker()
      const task = last(9)
      assertTold(scheduler.successor(), task, { reason })
    })
  }

  test('that its value may come back', () => {
    const { scheduler, last } = start()
    const worker = scheduler.worker()
    const task = last(1)
    worker.finish([task], { sizeBytes: 2_048 })
    const reason = /^It has finished; the scheduler was started again, and who has its value, 2 KiB, is not back yet\.$/
    assertTold(scheduler.successor(), task, { reason })
  })

  test('that there is no such task', () => {
    const { scheduler } = start()
    const { state, reason } = explain(scheduler.state, 0 as TaskId, 'nobody')
    assert.deepEqual([state, detailsOf(scheduler.state, 'nobody')], ['unknown', undefined])
    seen.push(reason)
  })

  test('and there is no sentence beside these', () => {
    const file = path.join(PROJECT, 'scheduler/core/views/explain.ts')
    const unseen = sentencesOf(readFileSync(file, 'utf8')).filter(
      (sentence) => !seen.some((each) => sentence.test(each)),
    )
    assert.deepEqual(unseen, [])
  })
})

/** The texts of a source file that people may read, with anything in the place of what is put into them. */
function sentencesOf(source: string): RegExp[] {
  const found: RegExp[] = []
  const visit = (node: ts.Node): void => {
    const parts = ts.isTemplateExpression(node)
      ? [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)]
      : ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)
        ? [node.text]
        : []
    const isSentence = parts.join('').replace(/[^a-z]/gi, '').length >= 8 && /[a-z] [a-z]/i.test(parts.join(' '))
    if (isSentence) found.push(new RegExp(parts.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')))
    node.forEachChild(visit)
  }
  visit(ts.createSourceFile('explain.ts', source, ts.ScriptTarget.Latest))
  return found
}
