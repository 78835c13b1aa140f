// Which effects a change of a row asks for. Pure: the whole outbox (design D1) is this table.
//
//   task   -> PENDING                    wake its pool
//          -> THROTTLED                  unthrottle timer at its deadline
//          PENDING -> ASSIGNED           LAUNCH to its agent
//          killNeeded(each step)         KILL to its agent
//          -> KILLING                    kill retry timer
//          releasesResources(from, to)   give back to the ledger, then wake its pool
//          KILLING -> ended              reconcile its job if that still waits (a re-created instance)
//          up, down or gone              wake the update of its job, if it has one
//          ended or removed for good     has its job ended?
//          every state change            event on the bus
//   job    new spec version              reconcile
//          newest version reconciled     has it ended already?
//   agent  new                           its command queue; wake its pool
//          another owner                 its command queue is the new owner's
//          offer or mode changed         wake its pool
//          -> DRAINING, or its deadline  wake the drainer
//          lost, back                    event; wake its pool when it is back
//          forgotten                     its command queue goes; event
//   update new, or its next execution    start that execution
//          other change of status        wake it: an execution may be waiting
//          ended                         has its job ended?
//          every change of status        event on the bus
//   probe  sent                         goes on to the intake queue, behind the reports
//   ledger nothing: whatever frees room also changes a task or an agent

import { isHistoryDue } from '../../shared/domain/task/history.ts';
import { killNeeded, releasesResources } from '../../shared/domain/task/transitions.ts';
import { isRolling } from '../../shared/domain/update/status-machine.ts';
import { canonicalJson } from '../../shared/lib/hash.ts';
import type { Agent } from '../../shared/model/agent.ts';
import type { BusEvent, EventDetail } from '../../shared/model/events.ts';
import type { Job } from '../../shared/model/job.ts';
import { type JobKey, jobKeyOnly } from '../../shared/model/job-key.ts';
import { isTerminal, type Task, type TaskState } from '../../shared/model/task.ts';
import { isTerminalUpdate } from '../../shared/model/update.ts';
import type { Release, StreamChange, UpdateHead } from '../../shared/store/port.ts';

export type Effect =
  | { readonly kind: 'wake'; readonly pool: string }
  | { readonly kind: 'reconcile'; readonly key: JobKey; readonly onlyIfWaiting: boolean }
  | { readonly kind: 'instanceChanged'; readonly key: JobKey; readonly instance: number }
  | {
      readonly kind: 'startExecution';
      readonly key: JobKey;
      readonly updateId: string;
      readonly sequence: number;
    }
  | { readonly kind: 'wakeUpdate'; readonly key: JobKey; readonly updateId: string }
  | { readonly kind: 'launch'; readonly agentId: string; readonly task: Task }
  | { readonly kind: 'kill'; readonly agentId: string; readonly taskId: string }
  | { readonly kind: 'killRetry'; readonly taskId: string }
  | { readonly kind: 'unthrottle'; readonly taskId: string; readonly dueAt: number }
  | {
      readonly kind: 'release';
      readonly agentId: string;
      readonly pool: string;
      readonly release: Release;
    }
  | { readonly kind: 'drain' }
  | { readonly kind: 'agentQueue'; readonly agentId: string; readonly owner: string | undefined }
  /** The agent is forgotten: so is its command queue. */
  | { readonly kind: 'queueEnd'; readonly agentId: string }
  /** Look whether the instances beside this one have more history than is kept. */
  | { readonly kind: 'prune'; readonly key: JobKey; readonly instance: number }
  /** The job is gone: so may its configs be. */
  | { readonly kind: 'dropConfigs'; readonly key: JobKey }
  /** Look whether no task of the job is left; if so that is an event on the bus. */
  | { readonly kind: 'endCheck'; readonly key: JobKey }
  /** A sweep asks whether changes and reports are in time; it goes on with the reports. */
  | { readonly kind: 'probe'; readonly sentAt: number }
  | { readonly kind: 'event'; readonly event: BusEvent };

/**
 * Everything that must happen because of one change, in order. Repeating any of it does no harm. `now`: when the change
 * was made, for the row that is gone cannot say.
 */
export function deriveEffects(change: StreamChange, cluster: string, now: number): Effect[] {
  switch (change.kind) {
    case 'task':
      return taskEffects(change, cluster, now);
    case 'job':
      return jobEffects(change, now);
    case 'agent':
      return agentEffects(change, cluster);
    case 'update':
      return updateEffects(change, cluster);
    case 'probe':
      return [{ kind: 'probe', sentAt: change.sentAt }];
    case 'ledger':
    case 'other':
      return [];
  }
}

interface Change<T> {
  readonly before?: T;
  readonly after?: T;
}

function taskEffects({ before, after }: Change<Task>, cluster: string, now: number): Effect[] {
  if (after === undefined) return before ? removedTaskEffects(before, cluster, now) : [];
  if (before?.state === after.state) return [];
  const effects: Effect[] = [];
  const { taskId, agentId, pool } = after;
  if (after.state === 'PENDING') effects.push({ kind: 'wake', pool });
  if (after.state === 'THROTTLED') {
    effects.push({ kind: 'unthrottle', taskId, dueAt: after.deadlineAt ?? now });
  }
  if (agentId !== undefined && before) effects.push(...onAgentEffects(before, after, agentId));
  if (matterToUpdates.includes(after.state)) effects.push(instanceChanged(after));
  if (isTerminal(after.state) && !isReplaced(after)) effects.push(endCheck(after));
  if (isTerminal(after.state) && isHistoryDue(after)) {
    effects.push({ kind: 'prune', key: jobKeyOnly(after), instance: after.instance });
  }
  effects.push(...stateChanges(before, after, cluster));
  return effects;
}

/** States in which an instance is up again, or down without the update's doing, or down as the update wanted. */
const matterToUpdates: readonly TaskState[] = [
  'RUNNING',
  'PARTITIONED',
  'PREEMPTING',
  'RESTARTING',
  'DRAINING',
  'THROTTLED',
  'FINISHED',
  'FAILED',
  'KILLED',
  'LOST',
];

function instanceChanged(task: Task): Effect {
  return { kind: 'instanceChanged', key: jobKeyOnly(task), instance: task.instance };
}

/** An ended task of a service is followed by another unless it was killed. */
function isReplaced({ service, events }: Task): boolean {
  return service && !events.some(({ state }) => state === 'KILLING');
}

function endCheck(job: JobKey): Effect {
  return { kind: 'endCheck', key: jobKeyOnly(job) };
}

/** Effects of a change of a task that has an agent. */
function onAgentEffects(before: Task, after: Task, agentId: string): Effect[] {
  const effects: Effect[] = [];
  const { taskId } = after;
  if (before.state === 'PENDING' && after.state === 'ASSIGNED') {
    effects.push({ kind: 'launch', agentId, task: after });
  }
  if (statesBetween(before, after).some(([from, to]) => killNeeded(from, to)))
    effects.push({ kind: 'kill', agentId, taskId });
  if (after.state === 'KILLING') effects.push({ kind: 'killRetry', taskId });
  if (releasesResources(before.state, after.state)) effects.push(releaseOf(after, agentId));
  if (before.state === 'KILLING' && isTerminal(after.state)) effects.push(reconcileIfWaiting(after));
  return effects;
}

/** Each step of a write, and the whole of it: a kill may be asked for by either. */
function statesBetween(before: Task, after: Task): (readonly [Task['state'], Task['state']])[] {
  const added = after.events.slice(before.events.length).map(({ state }) => state);
  const path = [before.state, ...added];
  const steps = added.map((to, index) => [path[index] as Task['state'], to] as const);
  return [...steps, [before.state, after.state]];
}

/** One write may carry several state changes (STARTING and RUNNING reported together); each is an event. */
function stateChanges(before: Task | undefined, after: Task, cluster: string): Effect[] {
  const added = Math.max(1, after.events.length - (before?.events.length ?? 0));
  let from = before?.state ?? null;
  return after.events.slice(-added).map((event) => {
    const effect = taskEvent(after, { from, to: event.state, at: event.at, message: event.message }, cluster);
    from = event.state;
    return effect;
  });
}

/** A row that is gone: killed before any agent had it, or (much later) history that expired, which is no news. */
function removedTaskEffects(before: Task, cluster: string, now: number): Effect[] {
  if (isTerminal(before.state)) return [];
  const effects: Effect[] = [];
  if (before.agentId !== undefined && releasesResources(before.state, 'DELETED')) {
    effects.push(releaseOf(before, before.agentId));
  }
  effects.push(instanceChanged(before));
  effects.push(endCheck(before));
  const at = Math.max(now, before.events.at(-1)?.at ?? 0);
  effects.push(taskEvent(before, { from: before.state, to: 'DELETED', at }, cluster));
  return effects;
}

function releaseOf(task: Task, agentId: string): Effect {
  const { taskId, resources, pool } = task;
  const grant = task.grant ?? { gpus: [], ports: {} };
  return { kind: 'release', agentId, pool, release: { taskId, resources, grant } };
}

function reconcileIfWaiting(task: Task): Effect {
  return { kind: 'reconcile', key: jobKeyOnly(task), onlyIfWaiting: true };
}

interface StateChange {
  readonly from: Task['state'] | null;
  readonly to: Task['state'] | 'DELETED';
  readonly at: number;
  readonly message?: string | undefined;
}

function taskEvent(task: Task, { from, to, at, message }: StateChange, cluster: string): Effect {
  const { role, environment, name, taskId, instance, generation, configId, failureCount } = task;
  const detail = {
    version: 1 as const,
    cluster,
    role,
    environment,
    name,
    taskId,
    instance,
    generation,
    from,
    to,
    at: new Date(at).toISOString(),
    message: message ?? '',
    agentId: task.agentId ?? null,
    configId,
    failureCount,
  };
  return { kind: 'event', event: { detailType: 'Task State Change', detail } };
}

/** An execution that ends by itself writes the update last, so a changed status may find nobody waiting. */
function updateEffects({ before, after }: Change<UpdateHead>, cluster: string): Effect[] {
  if (after === undefined) return [];
  const { updateId, status, sequence } = after;
  const key = jobKeyOnly(after);
  const effects: Effect[] = [];
  if (isRolling(status) && before?.sequence !== sequence) {
    effects.push({ kind: 'startExecution', key, updateId, sequence });
  } else if (before && before.status !== status) {
    effects.push({ kind: 'wakeUpdate', key, updateId });
  }
  if (isTerminalUpdate(status) && before?.status !== status) effects.push(endCheck(key));
  if (before?.status !== status) effects.push(updateEvent(before, after, cluster));
  return effects;
}

function updateEvent(before: UpdateHead | undefined, after: UpdateHead, cluster: string): Effect {
  const { role, environment, name, updateId, status, events } = after;
  const last = events.at(-1);
  const detail = {
    version: 1 as const,
    cluster,
    role,
    environment,
    name,
    updateId,
    from: before?.status ?? null,
    to: status,
    at: new Date(last?.at ?? 0).toISOString(),
    user: last?.user ?? null,
    message: last?.message ?? '',
  };
  return { kind: 'event', event: { detailType: 'Update Change', detail } };
}

function jobEffects({ before, after }: Change<Job>, now: number): Effect[] {
  const job = after ?? before;
  if (!job) return [];
  const effects: Effect[] = [];
  const { role, environment, name, cluster, specVersion, reconciledVersion } = job;
  const edited = after !== undefined && before?.specVersion !== after.specVersion;
  if (edited && specVersion > reconciledVersion) {
    effects.push({ kind: 'reconcile', key: jobKeyOnly(job), onlyIfWaiting: false });
  }
  const change = jobChange(before, after);
  if (!change) return effects;
  if (change === 'reconciled') effects.push(endCheck(job));
  if (change === 'removed') effects.push({ kind: 'dropConfigs', key: jobKeyOnly(job) });
  const at = new Date(after?.updatedAt ?? now).toISOString();
  const detail = {
    version: 1 as const,
    cluster,
    role,
    environment,
    name,
    change,
    specVersion,
    reconciledVersion,
    at,
  };
  effects.push({ kind: 'event', event: { detailType: 'Job Change', detail } });
  return effects;
}

function jobChange(
  before: Job | undefined,
  after: Job | undefined,
): 'created' | 'changed' | 'reconciled' | 'removed' | undefined {
  if (!after) return 'removed';
  if (!before) return 'created';
  if (before.specVersion !== after.specVersion) return 'changed';
  const caughtUp = after.reconciledVersion === after.specVersion;
  return caughtUp && before.reconciledVersion !== after.reconciledVersion ? 'reconciled' : undefined;
}

type AgentChange = EventDetail<'Agent Change'>;

function agentEffects({ before, after }: Change<Agent>, cluster: string): Effect[] {
  const agent = after ?? before;
  if (!agent) return [];
  const { agentId, host, pool, mode } = agent;
  const event = (change: AgentChange['change']): Effect => ({
    kind: 'event',
    event: { detailType: 'Agent Change', detail: { version: 1, cluster, agentId, change, host, pool, mode } },
  });
  if (!after) return [{ kind: 'queueEnd', agentId }, event('removed')];
  const queue: Effect = { kind: 'agentQueue', agentId, owner: after.principal };
  if (!before) return [queue, { kind: 'wake', pool }, event('registered')];
  if (before.lostAt === undefined && after.lostAt !== undefined) return [event('lost')];
  if (before.lostAt !== undefined && after.lostAt === undefined)
    return [{ kind: 'wake', pool }, event('returned')];
  if (sameOffer(before, after)) return [];
  const drains = after.mode === 'DRAINING' && !sameDrain(before, after);
  return [
    ...(drains ? [{ kind: 'drain' } as const] : []),
    ...(before.principal === after.principal ? [] : [queue]),
    { kind: 'wake', pool },
    event('changed'),
  ];
}

function sameDrain(a: Agent, b: Agent): boolean {
  return a.mode === b.mode && JSON.stringify(a.drain) === JSON.stringify(b.drain);
}

/** A new session of the same agent with the same offer is no news to anyone. */
function sameOffer(a: Agent, b: Agent): boolean {
  const offer = (agent: Agent) => {
    const { registeredAt: _at, sessionId: _id, sessionAt: _since, pastSessions: _past, ...rest } = agent;
    return canonicalJson(rest);
  };
  return offer(a) === offer(b);
}
