/** Network namespaces that stand for hosts: each has an address of its own, and they see each other through a cable. */
import { execFileSync, spawnSync } from 'node:child_process'
import { PROJECT } from './project.js'
import { runProgram } from './run-program.js'

export interface Hosts extends Disposable {
  /** Puts a command in front of its arguments that runs it on host 0 or 1. */
  on(host: 0 | 1): { readonly command: string; readonly args: readonly string[] }
  readonly addresses: readonly [string, string]
}

/** Can this machine make them? It takes root and the `ip` command. */
const canMakeHosts = process.getuid?.() === 0 && spawnSync('ip', ['netns', 'list']).status === 0

/** For a test's `skip`: why it can't be run here. Where everything must run, that is an error. */
export function noHosts(): string | false {
  if (canMakeHosts) return false
  const reason = 'needs root and the ip command for network namespaces'
  if (process.env['CI'] === 'true') throw new Error(`This test ${reason}.`)
  return reason
}

/** Runs a program of ours on a host to its end, and gives what it printed. @throws {Error} with all of that when it fails. */
export function runOnHost(
  { command, args }: ReturnType<Hosts['on']>,
  program: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  return runProgram(command, [...args, process.execPath, ...program], { cwd: PROJECT, env })
}

export function makeHosts(): Hosts {
  const names = [`heddle-${process.pid}-0`, `heddle-${process.pid}-1`] as const
  const cables = [`hv${process.pid}a`, `hv${process.pid}b`] as const
  const addresses = ['10.213.7.1', '10.213.7.2'] as const
  const ip = (...args: string[]): Buffer => execFileSync('ip', args)
  for (const name of names) ip('netns', 'add', name)
  ip('link', 'add', cables[0], 'type', 'veth', 'peer', 'name', cables[1])
  names.forEach((name, i) => {
    ip('link', 'set', cables[i]!, 'netns', name)
    ip('-n', name, 'addr', 'add', `${addresses[i]!}/24`, 'dev', cables[i]!)
    ip('-n', name, 'link', 'set', cables[i]!, 'up')
    ip('-n', name, 'link', 'set', 'lo', 'up')
  })
  return {
    addresses,
    on: (host) => ({ command: 'ip', args: ['netns', 'exec', names[host]] }),
    [Symbol.dispose]: () => names.forEach((name) => ip('netns', 'del', name)),
  }
}

/** Three hosts: two on cables of their own to the one in the middle, which passes nothing on between them. */
export interface Star extends Disposable {
  on(host: 'middle' | 'left' | 'right'): { readonly command: string; readonly args: readonly string[] }
  /** Addresses of the middle, as each of the others sees it. */
  readonly middle: { readonly left: string; readonly right: string }
}

export function makeStar(): Star {
  const name = (host: string): string => `heddle-${process.pid}-${host}`
  const ip = (...args: string[]): Buffer => execFileSync('ip', args)
  const middle = { left: '10.213.8.1', right: '10.213.9.1' } as const
  for (const host of ['middle', 'left', 'right']) {
    ip('netns', 'add', name(host))
    ip('-n', name(host), 'link', 'set', 'lo', 'up')
  }
  for (const side of ['left', 'right'] as const) {
    const cables = [`hs${process.pid}${side[0]}a`, `hs${process.pid}${side[0]}b`] as const
    const outer = middle[side].replace(/1$/, '2')
    ip('link', 'add', cables[0], 'type', 'veth', 'peer', 'name', cables[1])
    ip('link', 'set', cables[0], 'netns', name('middle'))
    ip('link', 'set', cables[1], 'netns', name(side))
    ip('-n', name('middle'), 'addr', 'add', `${middle[side]}/24`, 'dev', cables[0])
    ip('-n', name(side), 'addr', 'add', `${outer}/24`, 'dev', cables[1])
    ip('-n', name('middle'), 'link', 'set', cables[0], 'up')
    ip('-n', name(side), 'link', 'set', cables[1], 'up')
    // So the other side's packets have a way, and are dropped there without a word: a dial there runs into its time-out.
    ip('-n', name(side), 'route', 'add', 'default', 'via', middle[side])
  }
  return {
    middle,
    on: (host) => ({ command: 'ip', args: ['netns', 'exec', name(host)] }),
    [Symbol.dispose]: () => ['middle', 'left', 'right'].forEach((host) => ip('netns', 'del', name(host))),
  }
}
