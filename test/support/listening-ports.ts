/** Which TCP ports a process listens on, as the operating system (Linux) tells. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

const LISTEN = '0A'

export function listeningPortsOf(pid: number): number[] {
  const sockets = new Set<string>()
  for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
    const target = linkOf(`/proc/${pid}/fd/${descriptor}`)
    if (target?.startsWith('socket:[') === true) sockets.add(target.slice('socket:['.length, -1))
  }
  const ports = new Set<number>()
  for (const table of ['tcp', 'tcp6']) {
    for (const line of readFileSync(`/proc/${pid}/net/${table}`, 'latin1').split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/)
      if (state === LISTEN && sockets.has(inode)) ports.add(parseInt(local.slice(local.lastIndexOf(':') + 1), 16))
    }
  }
  return [...ports]
}

/** It may be closed by now. */
function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}
