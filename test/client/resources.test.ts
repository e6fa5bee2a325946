/** What a task says it needs: what is taken, how it is counted, and what is refused with which words. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { DEFAULT_TASK_OPTIONS, resolveMapOptions, resolveTaskOptions } from '../../client/task-options.js'
import type { Resources } from '../../client/resources.js'
import { Templates } from '../../client/templates.js'
import { NO_NEEDS } from '../../protocol/messages/needs.js'

const needsOf = (resources: unknown) =>
  resolveTaskOptions({ resources: resources as Resources }, DEFAULT_TASK_OPTIONS).needs

test('resources are counted: threads, bytes, and thousandths by name', () => {
  assert.deepEqual(needsOf({ threads: 2, memory: '2GiB', licence: 1, gpu: 0.5 }), {
    ...NO_NEEDS,
    threads: 2,
    memoryBytes: 2 ** 31,
    others: [
      { name: 'gpu', thousandths: 500 },
      { name: 'licence', thousandths: 1_000 },
    ],
  })
  assert.equal(needsOf({ memory: 1_000 }).memoryBytes, 1_000)
  assert.equal(needsOf({ threads: 0 }).threads, 0)
  for (const nothing of [{}, { threads: 1 }, { gpu: undefined }]) assert.equal(needsOf(nothing), NO_NEEDS)
})

test('resources hold for the client they are given to, and for one map', () => {
  const base = resolveTaskOptions({ resources: { gpu: 1 } }, DEFAULT_TASK_OPTIONS)
  assert.equal(resolveTaskOptions({ priority: 1 }, base).needs, base.needs)
  assert.equal(resolveTaskOptions({ resources: {} }, base).needs, NO_NEEDS)
  assert.equal(resolveMapOptions('client.map()', {}, base).needs, base.needs)
  assert.equal(resolveMapOptions('client.map()', { resources: { memory: 5 } }, base).needs.memoryBytes, 5)
})

test('one function with other needs is another template', () => {
  const templates = new Templates(() => {}, undefined)
  const fn = () => 1
  const options = (resources: Resources) => resolveTaskOptions({ resources }, DEFAULT_TASK_OPTIONS)
  const one = templates.of(fn, options({ gpu: 1 }))
  assert.notEqual(templates.of(fn, options({ gpu: 2 })), one)
  assert.notEqual(templates.of(fn, DEFAULT_TASK_OPTIONS), one)
  assert.equal(templates.of(fn, options({ gpu: 1 })), one)
  assert.deepEqual(one.needs.others, [{ name: 'gpu', thousandths: 1_000 }])
})

test('what is wrong with resources is said in one sentence that names it', () => {
  const wrong: [unknown, RegExp][] = [
    ['2GiB', /^resources is "2GiB"; give an object, as in \{ memory: '2GiB', gpu: 1 \}\.$/],
    [{ threads: -1 }, /^resources\.threads is -1; give a whole number from 0 to 1024\.$/],
    [{ threads: 1.5 }, /^resources\.threads is 1\.5; give a whole number from 0 to 1024\.$/],
    [{ memory: '2 gigs' }, /^resources\.memory is "2 gigs"; write it like "2GiB"/],
    [{ memory: 0 }, /^resources\.memory is 0;/],
    [{ gpu: 0 }, /^resources\.gpu is 0; give a number above 0 with at most three decimals\.$/],
    [{ gpu: 0.0001 }, /^resources\.gpu is 0\.0001;/],
    [{ gpu: '1' }, /^resources\.gpu is "1";/],
    [{ '7up': 1 }, /^resources has "7up", which is no name;/],
    [
      Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`r${i}`, 1])),
      /^resources has 17 names; .* at most 16\.$/,
    ],
  ]
  for (const [resources, message] of wrong) {
    assert.throws(() => needsOf(resources), { code: 'ERR_HEDDLE_INVALID_OPTION', message })
  }
})
