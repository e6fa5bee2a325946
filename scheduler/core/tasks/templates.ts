/** Templates, their code and their statistics: made when a client defines them, gone when nothing uses them. */
import { codeHash, templateId, type CodeHash, type TemplateId } from '../../../protocol/ids.js'
import { ownBytes } from '../../../common/packed.js'
import type { DefineCode } from '../../../protocol/messages/common.js'
import type { DefineTemplate } from '../../../protocol/messages/client.js'
import { NO_RULES } from '../../../protocol/messages/rules.js'
import { PRIORITY_BASE, urgencyOf } from '../../../protocol/urgency.js'
import type { ClientRecord } from '../clients/client-record.js'
import { joinDemand, leaveDemand, tellIfBlocked } from '../placing/demand.js'
import { workerOutboxOf, type SchedulerState } from '../state.js'
import type { CodeRecord, FunctionStatistics, Template } from './template.js'

/** Functions that no template refers to any more, whose figures are kept all the same. */
const MAX_IDLE_FUNCTIONS = 1_000

export function onDefineCode(state: SchedulerState, client: ClientRecord, define: DefineCode): void {
  let record = state.codes.get(define.code)
  if (record === undefined) {
    record = { define: { ...define, source: ownBytes(define.source) }, users: 0 }
    state.codes.set(define.code, record)
  }
  if (client.codes.has(record)) return
  client.codes.add(record)
  record.users++
}

/** Returns false when the template's code is not defined. */
export function onDefineTemplate(state: SchedulerState, client: ClientRecord, define: DefineTemplate): boolean {
  const code = state.codes.get(define.code)
  const { filter } = define.rules.retries
  const filterCode = state.codes.get(codeHash(filter))
  if (code === undefined || client.templates.has(define.template)) return false
  if (filter !== '' && filterCode === undefined) return false
  const statistics = statisticsOf(state, define)
  statistics.templates++
  code.users++
  if (filterCode !== undefined) filterCode.users++
  const template: Template = {
    id: templateId(state.nextTemplate++),
    name: define.name,
    code: define.code,
    exportName: define.exportName,
    constants: ownBytes(define.constants),
    constantInputs: define.constantInputs,
    priority: urgencyOf(define.priority - PRIORITY_BASE, define.depth),
    outputs: define.outputs,
    demand: joinDemand(state, define.needs),
    rules: define.rules,
    statistics,
    isScattered: false,
    tasks: 0,
    knownBy: new Set(),
    isOpen: true,
    failures: 0,
    stop: undefined,
  }
  client.templates.set(define.template, template)
  tellIfBlocked(state, client, template)
  return true
}

/** The template of one task that never runs, such as a scattered value: it has no code, and no worker ever hears of it. */
export function templateWithoutCode(state: SchedulerState, name: 'scatter' | 'dataset'): Template {
  const code = '' as CodeHash
  const statistics = statisticsOf(state, { code, exportName: '', name })
  statistics.templates++
  return {
    id: templateId(state.nextTemplate++),
    name,
    code,
    exportName: '',
    constants: new Uint8Array(0),
    constantInputs: [],
    priority: 0,
    statistics,
    isScattered: true,
    knownBy: new Set(),
    outputs: 0,
    demand: undefined,
    rules: NO_RULES,
    tasks: 1,
    isOpen: false,
    failures: 0,
    stop: undefined,
  }
}

/** The client submits nothing more with this template: it stays only as long as tasks need it. */
export function onForgetTemplate(state: SchedulerState, client: ClientRecord, id: TemplateId): void {
  const template = client.templates.get(id)
  if (template === undefined) return
  client.templates.delete(id)
  template.isOpen = false
  forgetIfUnused(state, template)
}

/** A task of the template is gone. */
export function forgetTask(state: SchedulerState, template: Template): void {
  template.tasks--
  forgetIfUnused(state, template)
}

/** The client is gone: its templates stay only as long as tasks need them. */
export function closeTemplates(state: SchedulerState, client: ClientRecord): void {
  for (const template of client.templates.values()) {
    template.isOpen = false
    forgetIfUnused(state, template)
  }
  for (const code of client.codes) dropCodeUser(state, code)
  client.templates.clear()
  client.codes.clear()
}

function forgetIfUnused(state: SchedulerState, template: Template): void {
  if (template.tasks > 0 || template.isOpen) return
  for (const worker of template.knownBy) {
    worker.templates.delete(template)
    workerOutboxOf(state, worker).addForgottenTemplate(template.id)
  }
  template.knownBy.clear()
  leaveDemand(state, template)
  template.statistics.templates--
  const code = state.codes.get(template.code)
  if (code !== undefined) dropCodeUser(state, code)
  const filterCode = state.codes.get(codeHash(template.rules.retries.filter))
  if (filterCode !== undefined) dropCodeUser(state, filterCode)
  if (template.statistics.templates === 0 && state.functions.size > MAX_IDLE_FUNCTIONS) dropIdleFunctions(state)
}

function dropCodeUser(state: SchedulerState, code: CodeRecord): void {
  code.users--
  if (code.users > 0) return
  state.codes.delete(code.define.code)
}

function dropIdleFunctions(state: SchedulerState): void {
  for (const [id, { templates }] of state.functions) if (templates === 0) state.functions.delete(id)
}

function statisticsOf(
  state: SchedulerState,
  define: { code: CodeHash; exportName: string; name: string },
): FunctionStatistics {
  const id = `${define.code} ${define.exportName} ${define.name}`
  let statistics = state.functions.get(id)
  if (statistics === undefined) {
    const tasks = { waiting: 0, ready: 0, processing: 0, 'in-memory': 0, failed: 0, released: 0, delayed: 0 }
    statistics = {
      name: define.name,
      tasks,
      inputs: new Map(),
      finished: 0,
      failed: 0,
      meanUs: undefined,
      templates: 0,
    }
    state.functions.set(id, statistics)
  }
  return statistics
}
