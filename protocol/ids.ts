/**
 * Ids, and the only place that mints them. A task's id is one safe integer that also says where the task is kept:
 * which task array, and which place in it. So a task needs no key string and no map entry of its own.
 */
import type { Brand } from '../common/brand.js'

/** Names a task in the whole cluster: its array's id and its place there. See {@link taskId}. */
export type TaskId = Brand<number, 'TaskId'>
/** Names a task array in the whole cluster. The scheduler leases ranges of them to clients, so no two share one. */
export type ArrayId = Brand<number, 'ArrayId'>
/** Numbers the function-with-options of a client's tasks, in that client's own counting. */
export type TemplateId = Brand<number, 'TemplateId'>
/** Numbers a worker for the lifetime of one registration with one scheduler. Never used twice. */
export type WorkerId = Brand<number, 'WorkerId'>
/** Numbers a client for the lifetime of one connection to one scheduler. Never used twice. */
export type ClientId = Brand<number, 'ClientId'>
/** Counts the starts of one task, from 1. An outcome that names an older attempt changes nothing. */
export type Attempt = Brand<number, 'Attempt'>
/** A SHA-256 in hexadecimal digits: names code by its content. */
export type CodeHash = Brand<string, 'CodeHash'>

/** How many tasks one array holds at most. A power of two: ids are made and taken apart by it. */
export const ARRAY_CAPACITY = 1024
/** How many array ids a client gets at once: 2^53 / 1024 / 2^18 = 33 million leases before they run out. */
export const ARRAY_LEASE = 2 ** 18

export const taskId = (array: ArrayId, index: number): TaskId => (array * ARRAY_CAPACITY + index) as TaskId
export const arrayOf = (task: TaskId): ArrayId => Math.floor(task / ARRAY_CAPACITY) as ArrayId
export const indexOf = (task: TaskId): number => task % ARRAY_CAPACITY
/** The task that stands for an output of a task with several: output 0 is at the next place, and so on. */
export const outputOf = (producer: TaskId, output: number): TaskId => (producer + 1 + output) as TaskId
export const arrayId = (value: number): ArrayId => value as ArrayId
export const templateId = (value: number): TemplateId => value as TemplateId
export const workerId = (value: number): WorkerId => value as WorkerId
export const clientId = (value: number): ClientId => value as ClientId
export const attempt = (value: number): Attempt => value as Attempt
export const codeHash = (value: string): CodeHash => value as CodeHash

/** The key that people see of a task without an explicit one: `name-3k9f`, unique in the cluster. */
export function generatedKey(name: string, task: TaskId): string {
  return `${name}-${task.toString(36)}`
}

/** The task that a generated key names; of any other key nothing, or a task with another key. */
export function taskInKey(key: string): TaskId | undefined {
  const id = Number.parseInt(/-([0-9a-z]+)$/.exec(key)?.[1] ?? '', 36)
  return Number.isSafeInteger(id) ? (id as TaskId) : undefined
}
