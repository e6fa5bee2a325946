/** Functions that submit themselves, as a module: each call is a task of its own. */
import { task } from 'heddle/task'

export async function fib(n: number): Promise<number> {
  if (n < 2) return n
  const client = task.client()
  const [a, b] = await client.gather([client.submit(fib, n - 1), client.submit(fib, n - 2)])
  return a! + b!
}

export async function mergeSort(numbers: readonly number[]): Promise<readonly number[]> {
  if (numbers.length < 2) return numbers
  const client = task.client()
  const middle = numbers.length >> 1
  const left = client.submit(mergeSort, numbers.slice(0, middle))
  const right = client.submit(mergeSort, numbers.slice(middle))
  return merge(await left, await right)
}

function merge(left: readonly number[], right: readonly number[]): readonly number[] {
  const merged: number[] = []
  let i = 0
  let j = 0
  while (i < left.length && j < right.length) merged.push(left[i]! <= right[j]! ? left[i++]! : right[j++]!)
  return [...merged, ...left.slice(i), ...right.slice(j)]
}
