import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AuthenticationError, SchedulerUnreachableError } from '../../protocol/errors.js'
import { dialUntil } from '../../protocol/transport/reconnect.js'
import { FakeTimers } from './fake-timers.js'

const unreachable = (): SchedulerUnreachableError => new SchedulerUnreachableError('No answer.')

test('dials until someone answers, waiting longer each time up to a limit', async () => {
  const timers = new FakeTimers()
  const delays: number[] = []
  let dials = 0
  const dial = (): Promise<string> => (++dials <= 9 ? Promise.reject(unreachable()) : Promise.resolve('open'))
  const dialling = dialUntil(dial, {
    signal: new AbortController().signal,
    random: () => 1,
    timers,
    onFailure: (_, delayMs) => {
      delays.push(delayMs)
      queueMicrotask(() => timers.advance(delayMs))
    },
  })
  assert.equal(await dialling, 'open')
  assert.deepEqual(delays, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000])
  assert.equal(timers.pending, 0)
})

test('waits at least half as long, so that those who fail together do not come back together', async () => {
  const timers = new FakeTimers()
  const delays: number[] = []
  let dials = 0
  const dial = (): Promise<string> => (++dials <= 2 ? Promise.reject(unreachable()) : Promise.resolve('open'))
  await dialUntil(dial, {
    signal: new AbortController().signal,
    random: () => 0,
    timers,
    onFailure: (_, delayMs) => {
      delays.push(delayMs)
      queueMicrotask(() => timers.advance(delayMs))
    },
  })
  assert.deepEqual(delays, [50, 100])
})

test('stops at an error that another try would not mend', async () => {
  const error = new AuthenticationError('Wrong token.')
  const options = { signal: new AbortController().signal, random: () => 0, timers: new FakeTimers() }
  await assert.rejects(
    dialUntil(() => Promise.reject(error), options),
    error,
  )
})

test('stops at once when the caller aborts, also while it waits', async () => {
  const timers = new FakeTimers()
  const aborter = new AbortController()
  const reason = new Error('shutting down')
  const dialling = dialUntil(() => Promise.reject(unreachable()), {
    signal: aborter.signal,
    random: () => 0,
    timers,
    onFailure: () => queueMicrotask(() => aborter.abort(reason)),
  })
  await assert.rejects(dialling, reason)
  assert.equal(timers.pending, 0)
})
