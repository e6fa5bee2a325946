/** A real browser for the tests of the status page: Chromium as Debian has it. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { chromium, type Browser, type Page } from 'playwright-core'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Why there is no browser, or false. Browsers are for `npm run test:all`, which must have one under CI. */
export function noBrowser(): string | false {
  if (process.env['HEDDLE_BROWSER'] !== '1') return 'a real browser is part of npm run test:all'
  if (program() !== undefined || process.env['CI'] === 'true') return false
  return 'Chromium is not installed'
}

export interface Look {
  readonly scheme: 'light' | 'dark'
  readonly width: number
  readonly height: number
}

/** How pages are looked at: on a desk by day and by night, and on a phone. */
export const LOOKS: readonly Look[] = [
  { scheme: 'light', width: 1440, height: 900 },
  { scheme: 'dark', width: 1440, height: 900 },
  { scheme: 'light', width: 390, height: 844 },
]

export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser
  /** What pages complained about. */
  readonly complaints: string[] = []

  private constructor(browser: Browser) {
    this.#browser = browser
  }

  static async start(): Promise<TestBrowser> {
    const executablePath = program()
    assert.ok(executablePath !== undefined, 'Chromium is not installed; install the package "chromium".')
    // Its sandbox wants rights that containers have not; the only pages it opens are ours.
    return new TestBrowser(await chromium.launch({ executablePath, args: ['--no-sandbox'] }))
  }

  async open(url: string, { scheme, width, height }: Look = LOOKS[0]!): Promise<Page> {
    const page = await this.#browser.newPage({ viewport: { width, height }, colorScheme: scheme })
    page.on('pageerror', (error) => this.complaints.push(String(error)))
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.complaints.push(message.text())
    })
    await page.goto(url)
    return page
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close()
  }
}

/**
 * What is wrong with how the page is laid out, as sentences: it is wider than the screen, text is cut, or texts lie on each
 * other.
 */
export async function layoutFaults(page: Page): Promise<string[]> {
  return await page.evaluate(`(${findFaults})()`)
}

/** As source, because it runs in the browser, whose types this project’s tests don’t have. */
const findFaults = `() => {
  const faults = []
  const nameOf = (element) => element.tagName.toLowerCase() + '.' + element.className + ' "' + element.textContent.slice(0, 40) + '"'
  const root = document.documentElement
  if (root.scrollWidth > root.clientWidth) faults.push('the page is ' + root.scrollWidth + ' wide on a screen of ' + root.clientWidth)
  const leaves = []
  for (const element of document.body.querySelectorAll('*')) {
    if (element.closest('.unseen, .skip, .uplot, noscript, script') || !element.checkVisibility()) continue
    const box = element.getBoundingClientRect()
    if (box.width === 0 || box.height === 0) continue
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '')
    if (!hasText) continue
    const style = getComputedStyle(element)
    const isCut = element.scrollWidth > element.clientWidth + 1 && style.overflowX !== 'visible' && style.display !== 'inline'
    if (isCut && !element.closest('.clipped, input, select')) faults.push('text is cut: ' + nameOf(element))
    const range = document.createRange()
    range.selectNodeContents(element)
    for (const node of element.childNodes) {
      if (node.nodeType !== 3 || node.textContent.trim() === '') continue
      range.selectNodeContents(node)
      for (const rect of range.getClientRects()) {
        // Of a text that is cut on purpose only what is seen can lie on anything.
        const right = element.closest('.clipped') ? Math.min(rect.right, box.right) : rect.right
        leaves.push({ element, rect: { left: rect.left, top: rect.top, bottom: rect.bottom, right } })
      }
    }
  }
  leaves.sort((a, b) => a.rect.top - b.rect.top)
  for (let i = 0; i < leaves.length && faults.length < 10; i++) {
    for (let j = i + 1; j < leaves.length && leaves[j].rect.top < leaves[i].rect.bottom - 2; j++) {
      const a = leaves[i].rect, b = leaves[j].rect
      if (leaves[i].element === leaves[j].element) continue
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left)
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)
      if (wide > 1 && high > 3) faults.push(nameOf(leaves[i].element) + ' lies on ' + nameOf(leaves[j].element))
    }
  }
  return faults
}`

function program(): string | undefined {
  return PLACES.find((place) => existsSync(place))
}
