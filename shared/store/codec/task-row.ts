// A task as a stored row. A write costs one unit per started kilobyte and a task's row is written five times in its
// life, so the row must stay under 1 KB: short names, defaults left out, what the keys say is not said again.
//
//   x  suffix of the task id       po pool             r  resources      ag agent while the task is on it
//   s  state                       pr priority (0)     co constraints    a  agent after the end
//   c  config id                   sv service (no)     g  grant          dl deadline (0)
//   v  spec version                mf max failures (1) an ancestor       e  events: code, base-36 ms, message
//   t  created at                  fc failures (0)     fs flap streak (0)
//   w  warm-up seconds (0)
import { formatTaskId, parseTaskId, type TaskRef } from '../../model/job-key.ts';
import type { Grant, Resources } from '../../model/resources.ts';
import {
  isOnAgent,
  isTerminal,
  type Task,
  type TaskEvent,
  type TaskState,
  taskStates,
} from '../../model/task.ts';
import type { Constraint } from '../../model/task-config.ts';
import { dueKeysOf, parsePendingSortKey, parseTaskKey, pendingKeysOf, taskKeyOf } from '../keys.ts';
import type { PendingRow } from '../port.ts';
import { ttlAttribute } from '../tables.ts';
import { decoder, numberOf, numberOr, type Row, stringOf, unreadable } from './row.ts';

export type TaskAttributes = Record<string, string | number | boolean | readonly string[]>;

const codes: Readonly<Record<TaskState, string>> = {
  THROTTLED: 'T',
  PENDING: 'P',
  ASSIGNED: 'A',
  STARTING: 'S',
  RUNNING: 'R',
  PARTITIONED: 'U',
  PREEMPTING: 'V',
  RESTARTING: 'B',
  DRAINING: 'D',
  KILLING: 'K',
  FINISHED: 'F',
  FAILED: 'X',
  KILLED: 'Y',
  LOST: 'L',
};
const stateOfCode = new Map(taskStates.map((state) => [codes[state], state]));
const stateNames = new Set<string>(taskStates);

/**
 * `P` + base-36 epoch ms (8 digits until 2059) + a space and the message, if there is one. A message may have been cut in
 * the middle of a character, and the table takes only whole ones: it must never be what keeps a task from moving.
 */
export function encodeEvent(event: TaskEvent): string {
  const head = `${codes[event.state]}${event.at.toString(36)}`;
  return event.message === undefined ? head : `${head} ${event.message.toWellFormed()}`;
}

function decodeEvent(text: unknown, row: Row): TaskEvent {
  const state = typeof text === 'string' ? stateOfCode.get(text.charAt(0)) : undefined;
  if (state === undefined || typeof text !== 'string') throw unreadable('task', row);
  const space = text.indexOf(' ');
  const at = Number.parseInt(space < 0 ? text.slice(1) : text.slice(1, space), 36);
  if (Number.isNaN(at)) throw unreadable('task', row);
  return space < 0 ? { state, at } : { state, at, message: text.slice(space + 1) };
}

/** `[cpu, ram, disk, gpus, gpuMilli, models, ports]` with defaults cut off the end. */
function encodeResources(resources: Resources): string {
  const { cpuMilli, ramMb, diskMb, gpus, gpuMilli, gpuModels, ports } = resources;
  const list: unknown[] = [cpuMilli, ramMb, diskMb, gpus, gpuMilli, gpuModels, ports];
  const isDefault = (value: unknown): boolean => value === 0 || (Array.isArray(value) && value.length === 0);
  while (list.length > 3 && isDefault(list.at(-1))) list.pop();
  return JSON.stringify(list);
}

function decodeResources(row: Row): Resources {
  const list = parse<readonly [number, number, number, number?, number?, string[]?, string[]?]>(row, 'r');
  if (!Array.isArray(list) || list.slice(0, 3).some((amount) => typeof amount !== 'number'))
    throw unreadable('task', row);
  const [cpuMilli, ramMb, diskMb, gpus = 0, gpuMilli = 0, gpuModels = [], ports = []] = list;
  return { cpuMilli, ramMb, diskMb, gpus, gpuMilli, gpuModels, ports };
}

function parse<T>(row: Row, name: string): T {
  try {
    return JSON.parse(stringOf(row, name, 'task')) as T;
  } catch (cause) {
    throw unreadable('task', row, cause);
  }
}

function decodeConstraints(row: Row): Constraint[] {
  return row.co === undefined ? [] : parse(row, 'co');
}

/** Left out when empty, which an agent's presence tells from "none yet". */
export function encodeGrant(task: Pick<Task, 'grant' | 'agentId'>): string | undefined {
  const { grant, agentId } = task;
  if (grant === undefined) return agentId === undefined ? undefined : 'null';
  const ports = Object.keys(grant.ports).length > 0;
  if (!ports && grant.gpus.length === 0 && agentId !== undefined) return undefined;
  return JSON.stringify(ports ? [grant.gpus, grant.ports] : [grant.gpus]);
}

function decodeGrant(row: Row, agentId: string | undefined): Grant | undefined {
  if (row.g === undefined) return agentId === undefined ? undefined : { gpus: [], ports: {} };
  const stored = parse<readonly [Grant['gpus'], Grant['ports']?] | null>(row, 'g');
  if (stored === null) return undefined;
  return { gpus: stored[0], ports: stored[1] ?? {} };
}

/** Usually the previous generation of the same instance: then its suffix says it all. */
function encodeAncestor(task: Task): string | undefined {
  if (task.ancestorId === undefined) return undefined;
  const suffix = parseTaskId(task.ancestorId)?.suffix ?? '';
  return ancestorIdOf(task, suffix) === task.ancestorId ? suffix : task.ancestorId;
}

function ancestorIdOf(ref: Omit<TaskRef, 'suffix'>, suffix: string): string {
  return formatTaskId({ ...ref, generation: ref.generation - 1, suffix });
}

function decodeAncestor(row: Row, ref: Omit<TaskRef, 'suffix'>): string | undefined {
  const stored = row.an;
  if (typeof stored !== 'string') return undefined;
  return stored.includes('~') ? stored : ancestorIdOf(ref, stored);
}

/** Where the agent's id is kept: `ag` puts the row in the by-agent index, `a` only remembers. */
function agentAttribute(state: TaskState): 'ag' | 'a' {
  return isOnAgent(state) ? 'ag' : 'a';
}

/** Every attribute that is the task's own: no keys, no events, no index entries, no expiry. */
export function ownAttributes(task: Task): TaskAttributes {
  const own: TaskAttributes = {
    x: suffixOf(task.taskId),
    s: task.state,
    c: task.configId,
    v: task.spec,
    po: task.pool,
    t: task.createdAt,
    r: encodeResources(task.resources),
  };
  if (task.priority !== 0) own.pr = task.priority;
  if (task.service) own.sv = true;
  if (task.maxTaskFailures !== 1) own.mf = task.maxTaskFailures;
  if (task.constraints.length > 0) own.co = JSON.stringify(task.constraints);
  if (task.failureCount !== 0) own.fc = task.failureCount;
  if (task.flapStreak !== 0) own.fs = task.flapStreak;
  if (task.warmUpSecs !== undefined) own.w = task.warmUpSecs;
  if (task.agentId !== undefined) own[agentAttribute(task.state)] = task.agentId;
  if (task.deadlineAt !== undefined) own.dl = task.deadlineAt;
  const grant = encodeGrant(task);
  if (grant !== undefined) own.g = grant;
  const ancestor = encodeAncestor(task);
  if (ancestor !== undefined) own.an = ancestor;
  return own;
}

/** The random part of a task id, the part the row's key doesn't say. */
export function suffixOf(taskId: string): string {
  return taskId.slice(taskId.lastIndexOf('~') + 1);
}

/** When an ended task's row may go, epoch seconds; undefined for a live task. */
export function expiryOf(task: Task, historyMs: number): number | undefined {
  if (!isTerminal(task.state)) return undefined;
  return Math.floor(((task.events.at(-1)?.at ?? task.createdAt) + historyMs) / 1000);
}

/** The whole row of a task, as it is inserted. */
export function encodeTask(task: Task, historyMs: number): TaskAttributes & { pk: string; sk: string } {
  const expiresAt = expiryOf(task, historyMs);
  return {
    ...taskKeyOf(task),
    ...ownAttributes(task),
    e: task.events.map(encodeEvent),
    ...(task.state === 'PENDING' && pendingKeysOf(task)),
    ...(task.deadlineAt !== undefined && dueKeysOf(task.taskId, task.deadlineAt)),
    ...(expiresAt !== undefined && { [ttlAttribute]: expiresAt }),
  };
}

/** A task from its row; INTERNAL if the row makes no sense. */
export const decodeTask = decoder('task', (row): Task => {
  const ref = parseTaskKey(stringOf(row, 'pk', 'task'), stringOf(row, 'sk', 'task'));
  const state = stringOf(row, 's', 'task');
  const events = row.e;
  if (ref === undefined || !stateNames.has(state) || !Array.isArray(events)) throw unreadable('task', row);
  const agentId = row.ag ?? row.a;
  if (agentId !== undefined && typeof agentId !== 'string') throw unreadable('task', row);
  const grant = decodeGrant(row, agentId);
  const ancestorId = decodeAncestor(row, ref);
  const deadlineAt = numberOr(row, 'dl', 0);
  const warmUpSecs = numberOr(row, 'w', 0);
  return {
    ...ref,
    taskId: formatTaskId({ ...ref, suffix: stringOf(row, 'x', 'task') }),
    configId: stringOf(row, 'c', 'task'),
    spec: numberOf(row, 'v', 'task'),
    state: state as TaskState,
    pool: stringOf(row, 'po', 'task'),
    service: row.sv === true,
    priority: numberOr(row, 'pr', 0),
    maxTaskFailures: numberOr(row, 'mf', 1),
    resources: decodeResources(row),
    constraints: decodeConstraints(row),
    createdAt: numberOf(row, 't', 'task'),
    events: events.map((event) => decodeEvent(event, row)),
    failureCount: numberOr(row, 'fc', 0),
    flapStreak: numberOr(row, 'fs', 0),
    ...(ancestorId !== undefined && { ancestorId }),
    ...(agentId !== undefined && { agentId }),
    ...(grant !== undefined && { grant }),
    ...(warmUpSecs !== 0 && { warmUpSecs }),
    ...(deadlineAt !== 0 && { deadlineAt }),
  };
});

/** A waiting task from its entry in the pending index. */
export const decodePendingRow = decoder('pending entry', (row): PendingRow => {
  const ref = parseTaskKey(stringOf(row, 'pk', 'pending entry'), stringOf(row, 'sk', 'pending entry'));
  if (ref === undefined) throw unreadable('pending entry', row);
  const { role, environment, name, instance, generation } = ref;
  return {
    taskId: formatTaskId({ ...ref, suffix: stringOf(row, 'x', 'pending entry') }),
    configId: stringOf(row, 'c', 'pending entry'),
    generation,
    instance,
    key: { role, environment, name },
    ...parsePendingSortKey(stringOf(row, 'gs', 'pending entry')),
    resources: decodeResources(row),
    constraints: decodeConstraints(row),
  };
});
