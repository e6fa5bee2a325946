/** Network namespaces that stand for hosts: each has an address of its own, and they see each other through a cable. */
import { execFileSync, spawnSync } from 'node:child_process'

export interface Hosts extends Disposable {
  /** Puts a command in front of its arguments that runs it on host 0 or 1. */
  on(host: 0 | 1): { readonly command: string; readonly args: readonly string[] }
  readonly addresses: readonly [string, string]
}

/** Can this machine make them? It takes root and the `ip` command. */
export const canMakeHosts = process.getuid?.() === 0 && spawnSync('ip', ['netns', 'list']).status === 0

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
