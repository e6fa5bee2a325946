/** Options of a worker, and the memory that it finds. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { availableMemoryBytes } from '../../worker/memory-limit.js'
import { defaultThreadHeapBytes, resolveWorkerOptions, type GivenWorkerOptions } from '../../worker/options.js'

const MIB = 1024 * 1024
const NO_LIMIT = 2 ** 64
const schedulerUrl = 'ws://127.0.0.1:8786'

suite('options of a worker', () => {
  test('are complete when only the address is given', () => {
    const options = resolveWorkerOptions({ schedulerUrl })
    assert.ok(options.threads >= 1)
    assert.ok(options.memoryLimitBytes > 0)
    assert.deepEqual(options.listen, { host: undefined, port: 0 })
    assert.ok(Object.isFrozen(options))
  })

  test('give each worker a name and an incarnation of its own', () => {
    const [a, b] = [resolveWorkerOptions({ schedulerUrl }), resolveWorkerOptions({ schedulerUrl })]
    assert.notEqual(a.name, b.name)
    assert.notEqual(a.incarnation, b.incarnation)
  })

  test('count what it offers in thousandths', () => {
    const { resources } = resolveWorkerOptions({ schedulerUrl, resources: { gpu: 1.5 } })
    assert.deepEqual(resources, [{ name: 'gpu', thousandths: 1_500 }])
    const { ioTasks, tags } = resolveWorkerOptions({ schedulerUrl, tags: { zone: 'a', rack: '7.b' } })
    assert.deepEqual([ioTasks, tags], [256, ['zone=a', 'rack=7.b']])
  })

  test('share the memory limit out as heaps of threads, each as large as Node makes it if the limit allows that', () => {
    const heaps = (limitGib: number, threads: number): number =>
      Math.round((10 * defaultThreadHeapBytes(limitGib * 1024 * MIB, threads, 4096 * MIB)) / (1024 * MIB)) / 10
    assert.deepEqual([heaps(1, 1), heaps(1, 8), heaps(8, 4), heaps(100, 8), heaps(100, 2)], [0.9, 0.9, 4, 11.3, 45])
    assert.equal(defaultThreadHeapBytes(1, 1), 32 * MIB)
  })

  test('say where to listen', () => {
    const listenOf = (listen: string): unknown => resolveWorkerOptions({ schedulerUrl, listen }).listen
    assert.deepEqual(listenOf('10.0.0.5:9000'), { host: '10.0.0.5', port: 9000 })
    assert.deepEqual(listenOf('[::1]:0'), { host: '::1', port: 0 })
  })

  const wrong: [GivenWorkerOptions, RegExp][] = [
    [{ schedulerUrl: 'http://x' }, /"http:\/\/x" is no address/],
    [{ schedulerUrl, threads: 0 }, /threads is 0/],
    [{ schedulerUrl, threads: 1.5 }, /threads is 1\.5/],
    [{ schedulerUrl, memoryLimitBytes: -1 }, /memoryLimitBytes is -1/],
    [
      { schedulerUrl, threadHeapBytes: MIB },
      /threadHeapBytes is 1048576; give a whole number of bytes, 33554432 \(32 MiB\) or more\.$/,
    ],
    [{ schedulerUrl, name: 'a b' }, /"a b" is no name/],
    [{ schedulerUrl, listen: '9000' }, /"9000" is no place to listen/],
    [{ schedulerUrl, listen: 'host:70000' }, /"host:70000" is no place to listen/],
    [{ schedulerUrl, ioTasks: -1 }, /ioTasks is -1; give a whole number from 0 to 65536\.$/],
    [{ schedulerUrl, tags: { zone: 'a b' } }, /"zone=a b" is no tag; write a name and a value/],
    [{ schedulerUrl, resources: { threads: 2 } }, /"threads" is what the worker's threads says/],
    [{ schedulerUrl, resources: { '1st': 2 } }, /"1st" is no name of a resource/],
    [{ schedulerUrl, resources: { gpu: -1 } }, /The resource gpu is -1; give a number above 0/],
    [{ schedulerUrl, advertiseUrl: 'host' }, /"host" is no address to reach/],
  ]
  for (const [given, message] of wrong) {
    test(`refuse ${JSON.stringify(given)}`, () => {
      assert.throws(() => resolveWorkerOptions(given), { code: 'ERR_HEDDLE_INVALID_OPTION', message })
    })
  }
})

suite('available memory', () => {
  const of = (files: Readonly<Record<string, string>>, constrainedBytes = NO_LIMIT): number =>
    availableMemoryBytes({ machineBytes: 8000 * MIB, constrainedBytes, readText: (file) => files[file] }) / MIB

  test('is that of the machine where nothing limits it', () => {
    assert.equal(of({}), 8000)
    assert.equal(of({}, 0), 8000)
    assert.equal(of({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.max': 'max\n' }), 8000)
  })

  test('is what Node found', () => {
    assert.equal(of({}, 500 * MIB), 500)
  })

  test('is the smallest limit of the groups around the process (version 2)', () => {
    const files = {
      '/proc/self/cgroup': '0::/slice/service\n',
      '/sys/fs/cgroup/slice/service/memory.max': 'max\n',
      '/sys/fs/cgroup/slice/memory.max': `${300 * MIB}\n`,
    }
    assert.equal(of(files), 300)
  })

  test('is the smallest limit of the groups around the process (version 1)', () => {
    const files = {
      '/proc/self/cgroup': '12:cpu,cpuacct:/a\n4:memory:/docker/abc\n',
      '/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes': '9223372036854771712\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': `${200 * MIB}\n`,
    }
    assert.equal(of(files), 200)
  })

  test('of this very process is something sensible', () => {
    const bytes = availableMemoryBytes()
    assert.ok(Number.isSafeInteger(bytes) && bytes > 16 * MIB)
  })
})
