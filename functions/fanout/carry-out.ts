// Carries out the effects of one stream batch, coalesced: one message per pool and job, one list of commands and one
// release per agent. Every group knows the records it stands for, so a failure names the records to be sent again.
//
// Order: the commands of one agent go out in stream order; a pool is woken after its releases are in the ledger.
// Events are published beside the rest, so that a slow bus does not slow a launch.

import { needsReconcile } from '../../shared/domain/job/desired.ts';
import { nextKillRetryMs } from '../../shared/domain/task/flapping.ts';
import type { RandomSource } from '../../shared/lib/ports.ts';
import type { BusEvent } from '../../shared/model/events.ts';
import { type JobKey, jobPath } from '../../shared/model/job-key.ts';
import type { Timer } from '../../shared/model/wake.ts';
import { isUnreadable } from '../../shared/store/codec/row.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { Release, Store } from '../../shared/store/port.ts';
import type { ConfigCache } from '../launch.ts';
import {
  drainTimer,
  matcherWake,
  probeMessage,
  reconcileWake,
  timerMessage,
  updateWake,
} from '../messages.ts';
import type {
  AgentCommandPort,
  EventPort,
  Log,
  MessagePort,
  MetricPort,
  OutgoingMessage,
  WorkflowPort,
} from '../ports.ts';
import { type AgentItem, type CommandDeps, commandAgent } from './command-agent.ts';
import type { Effect } from './derive.ts';
import type { JobEnds } from './job-ends.ts';
import { dropConfigs, type PruneDeps, prunedTogether, pruneHistory } from './prune.ts';

export interface FanoutDeps extends CommandDeps, PruneDeps {
  readonly store: Pick<Store, 'release' | 'getJob'> & CommandDeps['store'] & PruneDeps['store'];
  readonly jobEnds: JobEnds;
  readonly configs: ConfigCache;
  readonly messages: MessagePort;
  readonly agents: AgentCommandPort;
  readonly events: EventPort;
  readonly cluster: string;
  readonly workflows: Pick<WorkflowPort, 'start'>;
  readonly queues: {
    readonly matcher: string;
    readonly jobs: string;
    readonly timers: string;
    readonly intake: string;
  };
  readonly clock: () => number;
  readonly random: RandomSource;
  readonly log: Log;
  readonly meter: MetricPort;
}

/** An effect and the index of the record that asked for it. */
export interface Due {
  readonly record: number;
  readonly effect: Effect;
}

const agentsAtOnce = 16;
const jobsAtOnce = 16;

/** Does everything; answers the records of which some effect failed. Never throws. */
export async function carryOut(due: readonly Due[], deps: FanoutDeps): Promise<Set<number>> {
  const failed = new Set<number>();
  const guard = async (what: string, records: Iterable<number>, work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      if (isUnreadable(error)) {
        // It would be the same at every repeat, and each would hold up what comes behind it.
        deps.meter.count('EffectsLeftOut', 1);
        deps.log.error(`${what} needs a stored row that cannot be read; it is left out`, { error });
        return;
      }
      for (const record of records) failed.add(record);
      deps.log.error(`${what} failed; its stream records are sent again`, { error });
    }
  };
  const groups = groupEffects(due, deps.clock());
  logEffects(due, deps.log);
  // One read for all launches of the batch; if it fails, each agent tries for itself and says which records it cost.
  const launches = due.flatMap(({ effect }) => (effect.kind === 'launch' ? [effect.task] : []));
  const configs = launches.map((task) => ({ key: task, configId: task.configId }));
  const loading = deps.configs.load(configs).catch(() => undefined);
  await Promise.all([
    guard('publishing events', groups.events.records, () => deps.events.publish(groups.events.items)).then(
      () => guard('telling the end of jobs', groups.ends.records, () => tellEnds(groups.ends.items, deps)),
    ),
    mapLimit([...groups.agents], agentsAtOnce, ([agentId, { records, items }]) =>
      guard(`commanding agent ${agentId}`, records, async () => {
        await loading;
        await commandAgent(agentId, items, deps);
      }),
    ),
    mapLimit([...groups.prunes.values()], jobsAtOnce, ({ records, items }) =>
      guard('removing what nobody needs', records, () => prune(items, deps)),
    ),
    guard('arming timers', groups.timers.records, () =>
      deps.messages.send(
        deps.queues.timers,
        groups.timers.items.map((item) => timerOf(item, deps)),
      ),
    ),
    guard('waking the drainer', groups.drains.records, () =>
      deps.messages.send(deps.queues.timers, groups.drains.items.slice(0, 1)),
    ),
    mapLimit([...groups.jobs.values()], jobsAtOnce, ({ records, items }) =>
      guard('waking those who work on a job', records, () => wakeForJob(items, deps)),
    ),
    mapLimit(groups.executions, jobsAtOnce, ({ record, item }) =>
      guard(`starting execution ${item.sequence} of update ${item.updateId}`, [record], () =>
        deps.workflows.start(item),
      ),
    ),
    mapLimit([...groups.releases], agentsAtOnce, ([agentId, { records, items }]) =>
      guard(`releasing resources of agent ${agentId}`, records, async () => {
        await deps.store.release(agentId, items);
      }),
    ).then(() =>
      guard('waking the matcher', groups.pools.records, () =>
        deps.messages.send(deps.queues.matcher, [...new Set(groups.pools.items)].map(matcherWake)),
      ),
    ),
  ]);
  // Last, and only if all of the batch is done: it says so of everything before it.
  if (failed.size === 0 && groups.probes.items.length > 0) {
    const newest = Math.max(...groups.probes.items);
    await guard('passing on a probe', groups.probes.records, () =>
      deps.messages.send(deps.queues.intake, [probeMessage(newest)]),
    );
  }
  return failed;
}

/** One line a batch, so that the way of a task or job can be followed through the outbox. */
function logEffects(due: readonly Due[], log: Log): void {
  const launches: string[] = [];
  const kills: string[] = [];
  const jobs = new Set<string>();
  const pools = new Set<string>();
  for (const { effect } of due) {
    if (effect.kind === 'launch') launches.push(effect.task.taskId);
    else if (effect.kind === 'kill') kills.push(effect.taskId);
    else if (effect.kind === 'reconcile') jobs.add(jobPath(effect.key));
    else if (effect.kind === 'wake') pools.add(effect.pool);
  }
  if (launches.length + kills.length + jobs.size + pools.size === 0) return;
  log.info('effects carried out', { launches, kills, jobs: [...jobs], pools: [...pools] });
}

type TimerItem = Extract<Effect, { kind: 'killRetry' | 'unthrottle' }>;
type JobItem = Extract<Effect, { kind: 'reconcile' | 'instanceChanged' | 'wakeUpdate' }>;
type PruneItem = Extract<Effect, { kind: 'prune' | 'dropConfigs' }>;
type ExecutionItem = Extract<Effect, { kind: 'startExecution' }>;

class Group<T> {
  readonly records = new Set<number>();
  readonly items: T[] = [];
  add(record: number, item: T): void {
    this.records.add(record);
    this.items.push(item);
  }
}

function groupEffects(due: readonly Due[], now: number) {
  const agents = new Map<string, Group<AgentItem>>();
  const releases = new Map<string, Group<Release>>();
  const pools = new Group<string>();
  const jobs = new Map<string, Group<JobItem>>();
  const executions: { readonly record: number; readonly item: ExecutionItem }[] = [];
  const prunes = new Map<string, Group<PruneItem>>();
  const timers = new Group<TimerItem>();
  const drains = new Group<OutgoingMessage>();
  const probes = new Group<number>();
  const ends = new Group<JobKey>();
  const events = new Group<BusEvent>();
  for (const { record, effect } of due) {
    switch (effect.kind) {
      case 'wake':
        pools.add(record, effect.pool);
        break;
      case 'reconcile':
      case 'instanceChanged':
      case 'wakeUpdate':
        groupOf(jobs, jobPath(effect.key)).add(record, effect);
        break;
      case 'startExecution':
        executions.push({ record, item: effect });
        break;
      case 'launch':
        groupOf(agents, effect.agentId).add(record, { launch: effect.task });
        break;
      case 'kill':
        groupOf(agents, effect.agentId).add(record, { kill: effect.taskId });
        break;
      case 'agentQueue':
        groupOf(agents, effect.agentId).add(record, { guardFor: effect.owner });
        break;
      case 'queueEnd':
        groupOf(agents, effect.agentId).add(record, { forgotten: true });
        break;
      case 'killRetry':
      case 'unthrottle':
        timers.add(record, effect);
        break;
      case 'release':
        groupOf(releases, effect.agentId).add(record, effect.release);
        pools.add(record, effect.pool);
        break;
      case 'drain':
        drains.add(record, drainTimer(now));
        break;
      case 'prune':
        groupOf(prunes, `${jobPath(effect.key)} ${Math.floor(effect.instance / prunedTogether)}`).add(
          record,
          effect,
        );
        break;
      case 'dropConfigs':
        groupOf(prunes, jobPath(effect.key)).add(record, effect);
        break;
      case 'endCheck':
        ends.add(record, effect.key);
        break;
      case 'probe':
        probes.add(record, effect.sentAt);
        break;
      case 'event':
        events.add(record, effect.event);
        break;
    }
  }
  return { prunes, agents, releases, pools, jobs, executions, timers, drains, ends, probes, events };
}

function groupOf<T>(groups: Map<string, Group<T>>, key: string): Group<T> {
  const group = groups.get(key) ?? new Group<T>();
  groups.set(key, group);
  return group;
}

function timerOf(item: TimerItem, { clock, random }: FanoutDeps): OutgoingMessage {
  const now = clock();
  if (item.kind === 'unthrottle') {
    const timer: Timer = { v: 1, kind: 'unthrottle', taskId: item.taskId, dueAt: item.dueAt };
    return timerMessage(timer, item.dueAt, now);
  }
  const previousMs = nextKillRetryMs(0, random);
  const timer: Timer = { v: 1, kind: 'killRetry', taskId: item.taskId, previousMs };
  return timerMessage(timer, now + previousMs, now);
}

async function prune([first]: readonly PruneItem[], deps: FanoutDeps): Promise<void> {
  if (first?.kind === 'prune') await pruneHistory(first.key, first.instance, deps);
  else if (first) await dropConfigs(first.key, deps);
}

/** One read of the job tells whether a reconcile still waits and whether the job has an update. */
async function wakeForJob(items: readonly JobItem[], deps: FanoutDeps): Promise<void> {
  const [first] = items;
  if (!first) return;
  const { key } = first;
  const sure = items.some((item) => item.kind === 'reconcile' && !item.onlyIfWaiting);
  const maybe = items.some((item) => item.kind === 'reconcile' && item.onlyIfWaiting);
  const changed = items.flatMap((item) => (item.kind === 'instanceChanged' ? [item.instance] : []));
  const updates = new Set(items.flatMap((item) => (item.kind === 'wakeUpdate' ? [item.updateId] : [])));
  const job = (maybe && !sure) || changed.length > 0 ? await deps.store.getJob(key) : undefined;
  if (changed.length > 0 && job?.updateId !== undefined) updates.add(job.updateId);
  const reconciles = sure || (maybe && job && needsReconcile(job)) ? [reconcileWake(key)] : [];
  const wakes = [...updates].map((updateId) => updateWake(key, updateId, [...new Set(changed)]));
  await deps.messages.send(deps.queues.jobs, [...reconciles, ...wakes]);
}

/** Each job once; after the events of its tasks, so that whoever sees the job end has been told of them before. */
async function tellEnds(keys: readonly JobKey[], deps: FanoutDeps): Promise<void> {
  const jobs = new Map(keys.map((key) => [jobPath(key), key]));
  const ends = await mapLimit([...jobs.values()], agentsAtOnce, (key) => deps.jobEnds.check(key));
  const events = ends.flatMap((detail) => (detail ? [{ detailType: 'Job Ended' as const, detail }] : []));
  if (events.length > 0) await deps.events.publish(events);
}
