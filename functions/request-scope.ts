// What every log line of one invocation carries: the request id, and what the request is about. It travels with the
// asynchronous calls of the invocation, because on the embedded stack many invocations share one process.
import { AsyncLocalStorage } from 'node:async_hooks';

/** Keys of the log: `requestId` always; `route`, `job`, `taskId`, `agentId`, `pool` where the work is about one. */
export interface RequestFields {
  /** Of the HTTP request as its problem documents quote it, else of the Lambda invocation. */
  readonly requestId: string;
  readonly [key: string]: string;
}

const scope = new AsyncLocalStorage<Readonly<Record<string, string>>>();

/** Runs one invocation; lines logged meanwhile carry the fields. */
export function inRequest<R>(fields: RequestFields, work: () => R): R {
  return scope.run(fields, work);
}

/** Runs a part of an invocation that is about one job, task, agent or pool; its lines say so as well. */
export function about<R>(fields: Readonly<Record<string, string>>, work: () => R): R {
  return scope.run({ ...scope.getStore(), ...fields }, work);
}

/** The fields of the invocation this code runs in; none outside of one. */
export function requestFields(): Readonly<Record<string, string>> {
  return scope.getStore() ?? {};
}
