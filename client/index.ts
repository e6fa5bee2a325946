/**
 * heddle: a compute cluster for TypeScript. `connect()` gives a {@link Client}, whose `submit` and `map` run functions in
 * the cluster and return {@link Future | futures} of their results.
 *
 * @example
 * ```ts
 * import { connect } from 'heddle'
 *
 * await using client = await connect()
 * const squares = client.map((x: number) => x * x, [1, 2, 3])
 * console.log(await client.gather(squares)) // => [ 1, 4, 9 ]
 * ```
 *
 * @module heddle
 */
/// <reference types="node" preserve="true" />
export { LocalCluster } from '../deploy/local-cluster.js'
export type { LocalClusterOptions } from '../deploy/local-options.js'
export {
  AuthenticationError,
  FatalError,
  FunctionNotPortableError,
  GraphError,
  HeddleError,
  NotSerializableError,
  OutOfMemoryError,
  ProtocolError,
  SchedulerUnreachableError,
  TaskCancelledError,
  TaskTimeoutError,
  TimeoutError,
  UnsatisfiableError,
  VersionMismatchError,
  WorkerLostError,
} from '../protocol/errors.js'
export type { ErrorCode, HeddleErrorOptions, PostMortem } from '../protocol/errors.js'
export type { Explanation } from '../protocol/messages/explanation.js'
export type {
  BlockedStatus,
  ClusterStatus,
  FunctionStatus,
  StateCounts,
  WorkerStatus,
} from '../protocol/messages/status.js'
export type { TlsOptions } from '../protocol/transport/tls.js'
export { registerType } from '../protocol/values/register.js'
export type { ClassOf, TypeCodec } from '../protocol/values/register.js'
export { asCompleted } from './as-completed.js'
export type {
  Additions,
  AsCompleted,
  CompletedOptions,
  CompletedStream,
  FutureStream,
  FutureStreamFace,
  ResultsOptions,
} from './as-completed.js'
export type { CancelOptions, CancelResult } from './cancellation.js'
export type {
  Client,
  ComputedFutures,
  ComputeOptions,
  GatherOptions,
  ReplicateOptions,
  ScatterOptions,
  StreamOptions,
  WaitForWorkersOptions,
} from './client.js'
export { connect } from './connect.js'
export type { Cluster, ConnectOptions } from './connect.js'
export type { RebalanceResult, RestartOptions, RetireOptions, RetireResult } from './data-calls.js'
export type { RunOnWorkersOptions } from './run-on-workers.js'
export { delayed } from './delayed.js'
export type {
  Delayed,
  DelayedFunction,
  DelayedInput,
  DelayedInputs,
  DelayedOptions,
  TolerantDelayedOptions,
} from './delayed.js'
export type {
  DelayedInputOrError,
  DelayedInputsOrErrors,
  InputOrError,
  Tolerance,
  TolerantClient,
  TolerantInput,
  TolerantInputs,
  TolerantMapOptions,
  TolerantOption,
  TolerantOptions,
  TolerantResult,
} from './dependency-errors.js'
export type { FailureOptions } from './failure-options.js'
export type { Future, FutureStatus, Input, Inputs, ResultOptions, TaskProgress } from './future.js'
export type { ErrorMode } from './gather.js'
export type { AcquireOptions, RateLimitOptions } from './limit-options.js'
export type { HeldUnit, RateLimit, Semaphore } from './limits.js'
export type { NeedOptions } from './needs.js'
export type { PreloadedName } from './preloaded.js'
export type { Profile, ProfiledFunction, ProfiledThread, ProfileNode, ProfileOptions } from './profile.js'
export { progress } from './progress.js'
export type { ProgressOptions, ProgressOutput } from './progress.js'
export { ref } from './raw-graph.js'
export type { RawCall, RawFutures, RawGraph, Ref } from './raw-graph.js'
export type { RemoteFunction, RemoteModule } from './remote-module.js'
export type { LogLine, Trace, TraceEvent } from './reports.js'
export type { OutputFutures, SplittingClient } from './splitting-client.js'
export type { RetryOptions } from './retry-options.js'
export type { Resources } from './resources.js'
export type { BlockedTasks } from './session.js'
export type { MapOptions, MapOptionsWithArgs, OutputOptions, TaskOptions } from './task-options.js'
export { wait } from './wait.js'
export type { Waited, WaitOptions } from './wait.js'
