/** What tasks need of workers: who may take which, and that everything taken is given back. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { NO_NEEDS, type Needs } from '../../protocol/messages/needs.js'
import { SchedulerHarness, type TestWorker } from '../support/scheduler-harness.js'

const GIB = 2 ** 30
const gpu = (amount: number): Needs['others'] => [{ name: 'gpu', thousandths: amount * 1_000 }]
const needs = (given: Partial<Needs>): Needs => ({ ...NO_NEEDS, ...given })

/** What the scheduler believes that nobody has taken of the worker. */
function spareOf(scheduler: SchedulerHarness, { id }: TestWorker) {
  const { free, extraSlots, lingering } = scheduler.state.workers.get(id)!
  return { memory: free.memoryBytes, gpu: free.others.get('gpu'), extraSlots, lingering: lingering.size }
}

test('a task goes to a worker that has what it needs, and only as many at once as that has it for', () => {
  const scheduler = new SchedulerHarness()
  const plain = scheduler.worker({ threads: 4 })
  const equipped = scheduler.worker({ threads: 4, resources: gpu(1) })
  const client = scheduler.client()

  const tasks = client.map(client.define('train', { needs: needs({ others: gpu(0.5) }) }), 5)

  assert.deepEqual(plain.takeTasks(), [])
  assert.deepEqual(equipped.takeTasks(), tasks.slice(0, 2))
  equipped.finish([tasks[0]!], { template: 1, us: 10 })
  assert.deepEqual(equipped.takeTasks(), [tasks[2]])
})

test('a task that no worker can take waits, with its reason, and blocks nobody', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ memoryLimitBytes: GIB })
  const client = scheduler.client()
  client.map(client.define('huge', { needs: needs({ memoryBytes: 2 * GIB, others: gpu(1) }) }), 100)

  const [small] = client.map(client.define('small', { needs: needs({ memoryBytes: GIB }) }), 1)
  assert.deepEqual(worker.takeTasks(), [small])

  const reason = 'needs memory=2 GiB, gpu=1, which none of 1 workers has'
  assert.deepEqual(scheduler.takeOrder('tell-blocked').reason, reason)
  client.send({ type: 'ask-status', request: 1 })
  assert.deepEqual(client.take('status').status.blocked, [{ needs: 'memory=2 GiB, gpu=1', reason }])
  assert.throws(() => scheduler.takeOrder('tell-blocked'), 'it is told only once')

  const able = scheduler.worker({ memoryLimitBytes: 2 * GIB, resources: gpu(1) })
  assert.equal(able.takeTasks().length, 1)
  client.send({ type: 'ask-status', request: 2 })
  assert.deepEqual(client.take('status').status.blocked, [])
})

test('declared memory bounds what runs at once: 1 GiB and small tasks share a worker of 1.5 GiB', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 4, memoryLimitBytes: 1.5 * GIB })
  const client = scheduler.client()
  const large = client.map(client.define('large', { needs: needs({ memoryBytes: GIB }) }), 3)
  assert.deepEqual(worker.takeTasks(), [large[0]])

  const small = client.map(client.define('small', { needs: needs({ memoryBytes: GIB / 4 }) }), 8)
  // The next large one is waited for: small ones take what is left beside it, and no more.
  assert.deepEqual(worker.takeTasks(), small.slice(0, 2))
  worker.finish([large[0]!])
  assert.deepEqual(worker.takeTasks(), [large[1]])
})

test('a task of several threads has them to itself, and waits no longer than what runs takes', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 2 })
  const client = scheduler.client()
  const plain = client.define('plain')
  const short = client.map(plain, 1_000)
  worker.finish([short[0]!, short[1]!], { template: 1, us: 10 })
  const ahead = worker.takeTasks()
  assert(ahead.length > 100, 'short tasks are sent ahead')

  const [wide] = client.map(client.define('wide', { needs: needs({ threads: 2 }) }), 1)
  client.map(plain, 5_000)
  worker.finish(ahead.slice(2, 50), { template: 1 })
  assert.deepEqual(worker.takeTasks(), [], 'nothing more is sent that would take its threads')
  worker.finish(ahead.slice(50), { template: 1 })
  assert.deepEqual(worker.takeTasks(), [wide])

  worker.finish([wide!])
  assert(worker.takeTasks().length > 1)
})

test('a task that needs much gets its turn among many that need little of the same', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 4, resources: gpu(2) })
  const client = scheduler.client()
  const little = client.map(client.define('little', { needs: needs({ others: gpu(1) }) }), 10)
  const [much] = client.map(client.define('much', { needs: needs({ others: gpu(2) }) }), 1)
  assert.deepEqual(worker.takeTasks(), little.slice(0, 2))

  // It was one of the little ones' turn to be waited for; then it is that of the other.
  worker.finish([little[0]!])
  assert.deepEqual(worker.takeTasks(), [little[2]])
  worker.finish([little[1]!])
  assert.deepEqual(worker.takeTasks(), [])
  worker.finish([little[2]!])
  assert.deepEqual(worker.takeTasks(), [much])

  worker.finish([much!])
  assert.deepEqual(worker.takeTasks(), little.slice(3, 5))
})

test('priority decides between tasks with needs and those without', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const [low] = client.map(client.define('low', { needs: needs({ others: gpu(1) }) }), 1)
  const [high] = client.map(client.define('high', { priority: 1 }), 1)
  const [highest] = client.map(client.define('highest', { priority: 2, needs: needs({ others: gpu(1) }) }), 1)

  const worker = scheduler.worker({ resources: gpu(1) })
  const order = []
  for (let i = 0; i < 3; i++) {
    const [task] = worker.takeTasks()
    order.push(task)
    worker.finish([task!])
  }
  assert.deepEqual(order, [highest, high, low])
})

test('a key that is used again with other needs has those, and not the ones it had', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const [plainly] = client.submit(client.define('plainly'), [{ key: 'model' }])
  client.release(plainly!)
  const needy = client.define('needy', { needs: needs({ others: gpu(1) }) })
  const [x] = client.submit(needy, [{ key: 'model' }])

  const plain = scheduler.worker()
  assert.deepEqual([plain.takeTasks(), scheduler.tasks.ready], [[], 1])
  const able = scheduler.worker({ resources: gpu(1) })

  assert.deepEqual(able.takeTasks(), [x])
})

test('everything comes back: when a task ends, fails, is given back, or its worker is lost', () => {
  const scheduler = new SchedulerHarness()
  const options = { threads: 4, memoryLimitBytes: GIB, resources: gpu(4) }
  const worker = scheduler.worker(options)
  const client = scheduler.client()
  const all = spareOf(scheduler, worker)
  const template = client.define('f', { needs: needs({ threads: 2, memoryBytes: 1_000, others: gpu(1) }) })
  const [ended, failed, returned, lost] = client.map(template, 4)
  const taken = { memory: GIB - 2_000, gpu: 2_000, extraSlots: 2, lingering: 0 }
  assert.deepEqual(spareOf(scheduler, worker), taken)

  worker.finish([ended!])
  worker.fail(failed!)
  assert.deepEqual(spareOf(scheduler, worker), taken)
  const other = scheduler.worker({ ...options, threads: 2 })
  worker.send({ type: 'tasks-returned', tasks: [returned!], attempts: [1], begun: [] })
  assert.equal(spareOf(scheduler, other).extraSlots, 1)
  worker.leave()
  other.finish([returned!], { attempts: [2] })
  other.finish([lost!], { attempts: [2] })

  assert.deepEqual(spareOf(scheduler, other), all)
})

test('what a dropped task takes is free once its worker is done with it, and not before', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 4, resources: gpu(1) })
  const client = scheduler.client()
  const [dropped, next] = client.map(client.define('f', { needs: needs({ others: gpu(1) }) }), 2)
  assert.deepEqual(worker.takeTasks(), [dropped])

  client.release(dropped!)
  assert.equal(spareOf(scheduler, worker).lingering, 1)
  assert.deepEqual(worker.takeTasks(), [])

  worker.send({ type: 'tasks-returned', tasks: [dropped!], attempts: [1], begun: [] })
  assert.deepEqual(worker.takeTasks(), [next])
  worker.finish([next!])
  client.release(next!)
  assert.deepEqual(spareOf(scheduler, worker), { memory: GIB, gpu: 1_000, extraSlots: 0, lingering: 0 })
})

test('a demand goes with the last template that needs it', () => {
  const scheduler = new SchedulerHarness()
  scheduler.worker({ resources: gpu(1) })
  const client = scheduler.client()
  const tasks = client.map(client.define('f', { needs: needs({ others: gpu(2) }) }), 3)
  assert.equal(scheduler.state.demands.size, 1)

  client.release(...tasks)
  client.leave()

  assert.equal(scheduler.state.demands.size, 0)
  scheduler.expectEmpty()
})
