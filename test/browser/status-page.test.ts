/**
 * The status page in a real browser, under real load. Every view is looked at in both themes and on a phone: nothing is cut,
 * nothing lies on anything else. With HEDDLE_PICTURES=1 the pictures in docs/images are taken anew.
 */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import type { Page } from 'playwright-core'
import type { Client } from '../../client/client.js'
import { connect } from '../../client/connect.js'
import { LocalCluster } from '../../deploy/local-cluster.js'
import { createRoleToken, newToken } from '../../scheduler/role-token.js'
import { eventually } from '../support/eventually.js'
import { PROJECT } from '../support/project.js'
import { TemporaryFolder } from '../support/temporary-folder.js'
import { layoutFaults, LOOKS, noBrowser, TestBrowser, type Look } from './browser.js'
import { joinManyWorkers } from './many-workers.js'

const VIEWS = ['overview', 'workers', 'stream', 'functions', 'graph', 'errors', 'logs', 'profile', 'scheduler'] as const
const PICTURES = path.join(PROJECT, 'docs/images')

suite('the status page in a browser', { skip: noBrowser() }, () => {
  let browser: TestBrowser

  before(async () => {
    browser = await TestBrowser.start()
  })

  after(async () => {
    await browser[Symbol.asyncDispose]()
  })

  test('every view of a cluster at work is whole, by day, by night and on a phone', async () => {
    await using cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 2, logLevel: 'error' })
    await using client = await connect(cluster)
    work(client)
    for (const look of LOOKS) {
      const page = await browser.open(cluster.statusPage, look)
      await page.getByText('resizePhoto').first().waitFor()
      // So that the charts show more than a moment.
      await until(page, 'document.querySelectorAll(".chart canvas").length === 2')
      if (takesPictures()) await page.waitForTimeout(20_000)
      for (const view of VIEWS) await checkView(page, view, look)
      await page.close()
    }
    assert.deepEqual(browser.complaints, [])
  })

  test('a failing task is found from the overview, its error is read, it is run again, and is seen to pass', async () => {
    await using folder = await TemporaryFolder.create('heddle-page')
    await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1, logLevel: 'error' })
    await using client = await connect(cluster)
    const file = path.join(folder.path, 'prices.csv')
    const readPrices = async (where: string) => {
      const { existsSync } = await import('node:fs')
      if (!existsSync(where)) throw new Error(`There is no file ${where}`)
      return 'read'
    }
    const future = client.submit(readPrices, file)
    await assert.rejects(future.result())

    const page = await browser.open(cluster.statusPage)
    await page.getByRole('link', { name: '1 task failed, most of them of readPrices.' }).click()
    await page.getByRole('heading', { name: `There is no file ${file}` }).waitFor()
    assert.deepEqual(await layoutFaults(page), [])
    await page.getByRole('link', { name: future.key }).click()
    await page.getByText('It threw an error').waitFor()
    assert.match((await page.locator('pre').textContent()) ?? '', /There is no file .*\n +at /)
    await page.getByText(/^\d\d:\d\d:\d\d\.\d{3} begun on local-1, thread 1$/).waitFor()
    for (const { scheme, width, height } of LOOKS) {
      await page.emulateMedia({ colorScheme: scheme })
      await page.setViewportSize({ width, height })
      assert.deepEqual(await layoutFaults(page), [])
      if (takesPictures()) await picture(page, 'task', { scheme, width, height })
    }
    await page.getByRole('button', { name: 'Run it again' }).click()
    await page.getByText('It runs again.').waitFor()
    await page.locator('.state').getByText('failed').waitFor()
    writeFileSync(file, 'price')
    await page.getByRole('button', { name: 'Run it again' }).click()
    await page.locator('.state').getByText('in-memory').waitFor()
    assert.equal(await future.result(), 'read')
    await page.close()
  })

  test('a viewer’s page has no button that would change something', async () => {
    const { startTestScheduler } = await import('../scheduler-shell/test-scheduler.js')
    const token = newToken()
    await using scheduler = await startTestScheduler({ token })
    await using _workers = await joinManyWorkers(scheduler.address, 1, { token })
    for (const [role, buttons] of [
      ['client', 2],
      ['viewer', 0],
    ] as const) {
      const page = await browser.open(
        `${scheduler.statusPage}?token=${createRoleToken(token, { role, expiresAtS: 0 })}`,
      )
      await show(page, 'workers')
      await page.getByText('node-0').waitFor()
      assert.equal(await page.locator('td button').count(), buttons, role)
      await page.close()
    }
  })

  test('a view is shown that is chosen as soon as the page is drawn', async () => {
    await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1, logLevel: 'error' })
    const page = await browser.open('about:blank')
    await page.addInitScript(`
      new MutationObserver((_, observer) => {
        if (document.querySelector('nav') === null) return
        observer.disconnect()
        location.hash = '#/workers'
      }).observe(document, { childList: true, subtree: true })
    `)
    await page.goto(cluster.statusPage)
    await page.locator('nav a[aria-current=page][href="#/workers"]').waitFor()
    await page.close()
  })

  test('with no worker and no task each view says what to do', async () => {
    await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1, logLevel: 'error' })
    const page = await browser.open(cluster.statusPage)
    await page.getByText('No task was submitted yet').waitFor()
    await page.getByText('Nothing.').waitFor()
    for (const view of VIEWS) await checkLayout(page, view)
  })

  for (const count of [0, 2, 200]) {
    test(`with ${count} workers every view is whole, with one task and with a million`, async () => {
      const { startTestScheduler } = await import('../scheduler-shell/test-scheduler.js')
      await using scheduler = await startTestScheduler()
      await using workers = await joinManyWorkers(scheduler.address, count)
      await using client = await connect(scheduler.address)
      const one = client.submit(function watermarkPhotographsOfTheWholeArchive() {
        return 1
      })
      const page = await browser.open(scheduler.statusPage)
      const looks = async (): Promise<void> => {
        for (const look of LOOKS) {
          await page.emulateMedia({ colorScheme: look.scheme })
          await page.setViewportSize(look)
          for (const view of [...VIEWS, `task/${one.key}`]) {
            await checkLayout(page, view)
            if (view.startsWith('task') && count === 0) {
              const { state, reason } = await one.explain()
              assert.equal(await page.locator('p:has(.state)').textContent(), `${state} ${reason}`)
            }
            if (view === 'stream' && count > 0) workers.tellRuns(1_000)
          }
        }
      }
      await page.getByText('watermarkPhotographsOfTheWholeArchive').first().waitFor()
      if (count === 0) await page.getByText('1 task waits, and there is no worker.').waitFor()
      await looks()
      const many = client.map(
        (n: number) => n,
        Array.from({ length: 1_000_000 }, (_, n) => n),
        { name: 'count' },
      )
      await show(page, 'overview')
      await page.getByText('of 1,000,001').waitFor()
      if (count === 0) await page.getByText('1,000,001 tasks wait, and there is no worker.').waitFor()
      await looks()
      await show(page, 'workers')
      if (count === 0) await page.getByText(`heddle worker join ${scheduler.address}`).waitFor()
      assert.equal(many.length, 1_000_000, 'held until here: what nobody holds is let go')
      await page.close()
    })
  }

  test('with 200 workers they are paged, found by name, and sorted', async () => {
    const { startTestScheduler } = await import('../scheduler-shell/test-scheduler.js')
    await using scheduler = await startTestScheduler()
    await using _workers = await joinManyWorkers(scheduler.address, 200)
    for (const look of LOOKS) {
      const page = await browser.open(scheduler.statusPage, look)
      await page.getByText('200 workers').first().waitFor()
      await show(page, 'workers')
      assert.equal(await page.locator('tbody tr').count(), 50)
      await page.getByRole('button', { name: 'Next' }).click()
      await page.getByText('2 of 4').waitFor()
      await page.getByRole('searchbox', { name: 'Find a worker' }).fill('node-117')
      await until(page, 'document.querySelectorAll("tbody tr").length === 1')
      await page.close()
    }
    const page = await browser.open(`${scheduler.statusPage}#/workers`)
    await page.getByRole('button', { name: 'Memory' }).click()
    await page.locator('[aria-sort=ascending]').getByText('Memory').waitFor()
    assert.equal(await page.locator('tbody .name').first().textContent(), 'node-199')
    await page.close()
  })

  test('the task stream shows what each thread runs, is zoomed by keyboard, and tells what is under the pointer', async () => {
    await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 2, logLevel: 'error' })
    await using client = await connect(cluster)
    const page = await browser.open(`${cluster.statusPage}#/stream`)
    await page.getByText('No thread has run a task since this page looks').waitFor()
    const held = client.submit(function holdOn() {
      const end = performance.now() + 60_000
      while (performance.now() < end);
    })
    held.result().catch(() => undefined)
    const stream = page.getByRole('group', { name: /^Task stream/ })
    await stream.waitFor()
    await page.getByText('30s, live').waitFor()
    await stream.focus()
    await page.keyboard.press('+')
    await page.getByText('20s, live').waitFor()
    await page.keyboard.press('ArrowLeft')
    await page.getByText('20s, stopped').waitFor()
    await page.keyboard.press('End')
    const box = (await stream.boundingBox())!
    await until(page, 'document.querySelector("canvas").dataset.drawnInMs !== undefined')
    await page.mouse.move(box.x + box.width - 3, box.y + 30)
    await page.getByText(/^running for /).waitFor()
    await page.getByRole('status').getByText('holdOn', { exact: true }).waitFor()
    await page.close()
  })

  test('the task stream is drawn quickly with 100,000 bars, and keeps no more', async (context) => {
    const { startTestScheduler } = await import('../scheduler-shell/test-scheduler.js')
    await using scheduler = await startTestScheduler()
    await using workers = await joinManyWorkers(scheduler.address, 200)
    const page = await browser.open(`${scheduler.statusPage}#/stream`)
    await page.getByText('No thread has run a task since this page looks').waitFor()
    // Sent on and on, a quarter of a second's worth at once, until the page has as many as it keeps.
    const telling = setInterval(() => workers.tellRuns(4_000), 300)
    const barsOf = '(/([\\d,]+) bars/.exec(document.body.innerText)?.[1] ?? "0").replaceAll(",", "")'
    await until(page, `Number(${barsOf}) > 95_000`)
    clearInterval(telling)
    const drawnInMs = await page.evaluate(`(async () => {
      const times = []
      for (let frame = 0; frame < 30; frame++) {
        await new Promise((resolve) => requestAnimationFrame(resolve))
        times.push(Number(document.querySelector('canvas').dataset.drawnInMs))
      }
      return times.sort((a, b) => a - b)[15]
    })()`)
    context.diagnostic(`a frame of the task stream with 100,000 bars is drawn in ${Number(drawnInMs).toFixed(1)} ms`)
    assert.deepEqual(await layoutFaults(page), [])
    await page.close()
  })

  test('the graph shows functions, what one of them takes values of, and single tasks while they are few', async () => {
    await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1, logLevel: 'error' })
    await using client = await connect(cluster)
    const page = await browser.open(`${cluster.statusPage}#/graph`)
    await page.getByText('No task was submitted yet').waitFor()
    const spun = client.map(
      function spin(n: number) {
        return n
      },
      [1, 2, 3],
    )
    const woven = client.submit(function weave(threads: number[]) {
      return threads.length
    }, spun)
    await woven.result()
    await page.getByRole('button', { name: /^weave/ }).focus()
    await page.keyboard.press('Enter')
    await page.getByText('It takes values of spin (3). Nothing takes its values.').waitFor()
    await page.getByText('Of its tasks 1 are in memory.').waitFor()
    assert.deepEqual(await layoutFaults(page), [])
    await page.getByRole('button', { name: 'Single tasks' }).click()
    await until(
      page,
      'document.querySelectorAll(".dot").length === 4 && document.querySelectorAll(".arrow").length === 3',
    )
    await page.getByRole('link', { name: `weave, ${woven.key}: in-memory` }).click()
    await page.getByRole('heading', { name: woven.key }).waitFor()
    await page.close()
  })

  test('a profile is taken on demand, and shows by function where time goes', async () => {
    await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1, logLevel: 'error' })
    await using client = await connect(cluster)
    const page = await browser.open(`${cluster.statusPage}#/profile`)
    const held = client.submit(function spinYarn() {
      function* twist(): Generator<number> {
        let sum = 0
        for (let i = 0; i < 100_000; i++) sum += Math.sqrt(i)
        yield sum
      }
      for (;;) twist().next()
    })
    held.result().catch(() => undefined)
    await eventually('it runs', async () => (await held.explain()).reason.startsWith('It runs'))
    await page.getByRole('combobox', { name: 'For how long' }).selectOption('1')
    await page.getByRole('button', { name: 'Take a profile' }).click()
    const flame = page.getByRole('button', { name: /^twist, / })
    await flame.focus()
    await page.keyboard.press('Enter')
    await until(page, 'document.querySelector(".flame[aria-pressed=true]").textContent === "twist"')
    await page.getByRole('cell', { name: 'twist', exact: true }).waitFor()
    for (const look of LOOKS) {
      await page.emulateMedia({ colorScheme: look.scheme })
      await page.setViewportSize(look)
      assert.deepEqual(await layoutFaults(page), [])
    }
    await held.cancel()
    await page.close()
  })

  test('logs come as they are written, are found by worker and text, and stand still to be read', async () => {
    await using cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1, logLevel: 'error' })
    await using client = await connect(cluster)
    const say = (words: string): void => console.warn(words)
    const page = await browser.open(`${cluster.statusPage}#/logs`)
    await page.getByText('worker joined').first().waitFor()
    const spoken = client.with({ workers: ['local-1'] }).submit(say, 'The loom is dressed.')
    await page.getByText('The loom is dressed.').waitFor()
    await client
      .with({ workers: ['local-2'] })
      .submit(say, 'A thread is torn.')
      .result()
    await page.getByText('A thread is torn.').waitFor()
    await page.getByRole('searchbox', { name: 'Find in the lines' }).fill('LOOM')
    await until(page, 'document.querySelectorAll(".log li").length === 1')
    await page.getByRole('searchbox', { name: 'Find in the lines' }).fill('')
    await page.getByRole('combobox').selectOption('local-2')
    assert.deepEqual(
      [await page.getByText('A thread is torn.').count(), await page.getByText('The loom is dressed.').count()],
      [1, 0],
    )
    await page.getByRole('button', { name: 'Stop here' }).click()
    await client
      .with({ workers: ['local-2'] })
      .submit(say, 'It is tied again.')
      .result()
    await page.getByText('stopped, 1 newer line').waitFor()
    assert.equal(await page.getByText('It is tied again.').count(), 0)
    await page.getByRole('button', { name: 'Go on' }).click()
    await page.getByText('It is tied again.').waitFor()
    await page.getByRole('combobox').selectOption('')
    await page.getByRole('link', { name: spoken.key }).click()
    await page.getByRole('heading', { name: spoken.key }).waitFor()
    await page.close()
  })

  test('it is used by keyboard: the views are links, and the heading of the chosen one has the focus', async () => {
    await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1, logLevel: 'error' })
    const page = await browser.open(cluster.statusPage)
    await page.getByText('No task was submitted yet').waitFor()
    const focused = (): Promise<string> => page.evaluate('document.activeElement.textContent')
    const reached: string[] = []
    for (let presses = 0; presses < 5; presses++) {
      await page.keyboard.press('Tab')
      reached.push(await focused())
    }
    assert.deepEqual(reached, ['To the content', 'Overview', 'Workers', 'Task stream', 'Functions'])
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Functions' }).waitFor()
    assert.equal(await focused(), 'Functions')
    await page.close()
  })

  test('a page whose scheduler is gone says so', async () => {
    const { startTestScheduler } = await import('../scheduler-shell/test-scheduler.js')
    const scheduler = await startTestScheduler()
    const page = await browser.open(scheduler.statusPage)
    await page.getByText('0 workers').waitFor()
    await scheduler.close()
    await page.getByText('The scheduler does not answer').waitFor()
    await page.close()
  })

  async function checkView(page: Page, view: string, look: Look): Promise<void> {
    await checkLayout(page, view)
    if (!takesPictures()) return
    if (view === 'stream') await page.waitForTimeout(15_000)
    if (view === 'profile') {
      await page.getByRole('button', { name: 'Take a profile' }).click()
      await page.locator('.flame').first().waitFor()
    }
    await picture(page, view, look)
  }

  async function picture(page: Page, view: string, { scheme, width }: Look): Promise<void> {
    mkdirSync(PICTURES, { recursive: true })
    // Of lines and functions there is no end.
    const fullPage = view !== 'logs' && view !== 'profile'
    await page.screenshot({ path: path.join(PICTURES, `${view}-${scheme}-${width}.png`), fullPage })
  }

  async function checkLayout(page: Page, view: string): Promise<void> {
    await show(page, view)
    assert.deepEqual(await layoutFaults(page), [], view)
  }

  async function show(page: Page, view: string): Promise<void> {
    await page.evaluate(`location.hash = '#/${view}'`)
    const name = view.split('/')[0]!
    // The page of one task is in no menu.
    if (name === 'task') await page.locator('.state').waitFor()
    else await page.locator(`nav a[aria-current=page][href="#/${name}"]`).waitFor()
  }
})

/** Until the expression is true in the page, which lets no script in that is not its own. */
async function until(page: Page, expression: string): Promise<void> {
  await eventually(expression, async () => (await page.evaluate<unknown>(expression)) === true, { timeoutMs: 60_000 })
}

function takesPictures(): boolean {
  return process.env['HEDDLE_PICTURES'] === '1'
}

/** Enough for every view to have something to show: long and short tasks, tasks that wait for others, some that fail. */
function work(client: Client): void {
  const trained = client.submit(function trainModel() {
    const end = performance.now() + 300_000
    while (performance.now() < end);
  })
  const resized = client.map(
    function resizePhoto(n: number) {
      const end = performance.now() + 40 + (n % 7) * 20
      while (performance.now() < end);
      if (n % 37 === 5) throw new Error(`photo-${n}.jpg is no photograph`)
      if (n % 11 === 0) console.log(`resized photo-${n}.jpg to 1600 × 1067`)
      if (n % 53 === 0) console.warn(`photo-${n}.jpg has no date; took that of its file`)
      return new Uint8Array(200_000 + n)
    },
    Array.from({ length: 4_000 }, (_, n) => n),
  )
  const described = resized.slice(0, 1_000).map((photo) =>
    client.submit(function describePhoto(bytes: Uint8Array) {
      const end = performance.now() + 15
      while (performance.now() < end);
      return bytes.length
    }, photo),
  )
  const indexed = client.map(
    function buildIndex(n: number) {
      const end = performance.now() + 4
      while (performance.now() < end);
      return n
    },
    Array.from({ length: 20_000 }, (_, n) => n),
  )
  for (const future of [trained, ...resized, ...described, ...indexed]) future.result().catch(() => undefined)
}
