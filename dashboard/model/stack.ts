/** Stacks as people want to read them: without the frames of the thread that runs everybody’s tasks. */

const OURS = /\/dist\/worker\/thread\/|\/node_modules\/piscina\//

export function withoutOurFrames(stack: string): string {
  return stack
    .split('\n')
    .filter((line) => !OURS.test(line))
    .join('\n')
}
