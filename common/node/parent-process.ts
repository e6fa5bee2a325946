/** A child's side of `child-process.ts`: what it says to its parent, and how it ends with it. */
import type { ChildReport, ParentMessage } from './child-process.js'
import { killGroup } from './child-process.js'

/**
 * Ends this process, and every program that it started, as soon as its parent is gone, however the parent ended. What
 * listens for the `exit` of the process is heard first, so that no folder stays behind. Does nothing in a process that
 * was not started by `Child`.
 */
export function dieWithParent(): void {
  if (process.send === undefined) return
  const die = (): void => {
    process.once('exit', () => killGroup(process.pid))
    process.exit(1)
  }
  // The parent may have died before this line ran.
  if (!process.connected) die()
  process.once('disconnect', die)
  process.channel?.unref()
}

/** Tells the parent, if there is one, and waits until that is on its way. */
export async function reportToParent(report: ChildReport): Promise<void> {
  if (process.send === undefined || !process.connected) return
  await new Promise<void>((resolve) => process.send!(report, () => resolve()))
}

/** Hears what the parent says, if there is one. It does not keep this process alive. */
export function hearParent(listener: (message: ParentMessage) => void): void {
  if (process.send === undefined) return
  process.on('message', (message) => listener(message as ParentMessage))
  process.channel?.unref()
}
