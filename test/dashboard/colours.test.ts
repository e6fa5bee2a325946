/** The colours of the status page can be told from their ground by everybody, in both themes (WCAG 2.1: 4.5 for text, 3 for shapes). */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { PROJECT } from '../support/project.js'

const STYLE = readFileSync(path.join(PROJECT, 'dashboard/status.css'), 'utf8')
const TEXT = ['text', 'quiet', 'accent', 'bad', 'well'] as const
const SHAPES = [
  'done',
  'processing',
  'ready',
  'waiting',
  'failed',
  'delayed',
  'values',
  'beside',
  'spilled',
  'fetched',
  'loaded',
  'series-1',
  'series-2',
  'series-3',
  'series-4',
  'series-5',
  'series-6',
] as const

const [light = '', dark = ''] = [...STYLE.matchAll(/:root \{([^}]*)\}/g)].map(([, body]) => body ?? '')

for (const [theme, body] of [
  ['light', light],
  ['dark', dark],
] as const) {
  const colours = new Map(
    [...body.matchAll(/--([a-z0-9-]+): (#[0-9a-f]{6})/g)].map(([, name = '', value = '']) => [name, value]),
  )
  const contrast = (one: string, other: string): number => ratioOf(colours.get(one)!, colours.get(other)!)

  test(`text stands out from every ground in the ${theme} theme`, () => {
    const faint = TEXT.flatMap((name) =>
      ['ground', 'panel'].filter((ground) => contrast(name, ground) < 4.5).map((ground) => `${name} on ${ground}`),
    )
    if (contrast('text', 'bad-ground') < 4.5 || contrast('text', 'warning-ground') < 4.5) faint.push('text of problems')
    assert.deepEqual(faint, [])
  })

  test(`states stand out from their ground in the ${theme} theme`, () => {
    assert.deepEqual(
      SHAPES.filter((name) => contrast(name, 'ground') < 3),
      [],
    )
  })
}

function ratioOf(one: string, other: string): number {
  const [darker, lighter] = [luminanceOf(one), luminanceOf(other)].sort((a, b) => a - b)
  return (lighter! + 0.05) / (darker! + 0.05)
}

function luminanceOf(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const share = parseInt(colour.slice(at, at + 2), 16) / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!
}
