// Liveness, asked once faults have stopped and time has passed: everything asked for runs, nothing else does, whatever
// fits is placed, no state that should pass has stayed, and the books are closed.
import { planPlacement } from '../../../shared/domain/placement/index.ts';
import { containsInstance } from '../../../shared/model/instance-ranges.ts';
import type { Job } from '../../../shared/model/job.ts';
import { jobPath, liveId } from '../../../shared/model/job-key.ts';
import { isActive, isOnAgent, type Task } from '../../../shared/model/task.ts';
import { isTerminalUpdate } from '../../../shared/model/update.ts';
import { jobKeyOf } from '../../../shared/store/keys.ts';
import { ttlAttribute } from '../../../shared/store/tables.ts';
import { forgetAfterMs, tableNames } from '../world/functions.ts';
import type { World } from '../world/world.ts';
import type { Monitor } from './monitor.ts';

/** A task may wait this long for its turn even when all is well, ms. */
const patienceMs = 150_000;

const promptMs = 10_000;
/** The roll call looks at all rows every four minutes, and forgets only while heartbeats can be trusted, ms. */
const forgetPatienceMs = 15 * 60_000;

/** What functions/sweeper/audit-ledgers.ts logs then. */
const ledgerHealed = 'a ledger promised room that tasks hold, and was set right';
const leakHealed = 'a ledger held room for tasks that are gone, and was set right';

/** Where nothing goes wrong, everything happens at once: hints do their work, and no sweep is needed. */
export function dawdling(world: World, monitor: Monitor): string[] {
  const tasks = [...monitor.tasks.values()];
  const problems = placementProblems(tasks, world, monitor, promptMs);
  return [...problems, ...tasks.flatMap((task) => dawdlingTask(task, world))];
}

function dawdlingTask({ taskId, state, agentId, deadlineAt, events }: Task, world: World): string[] {
  const { now } = world.scheduler;
  if (state === 'THROTTLED')
    return now > (deadlineAt ?? now) + promptMs ? [`${taskId} is still THROTTLED`] : [];
  const agent = world.agents.get(agentId ?? '');
  if (now - (events.at(-1)?.at ?? 0) < promptMs || !agent) return [];
  const problems: string[] = [];
  const said = agent.isUp && agent.isLinked && isOnAgent(state) ? agent.said(taskId) : undefined;
  if (said && now - said.at > promptMs && isNews(said.state, state)) {
    problems.push(`${taskId} is ${said.state} for a while and still counts as ${state}`);
  }
  if (state === 'ASSIGNED' && !agent.alive().includes(taskId)) problems.push(`${taskId} is not started`);
  if ((state === 'KILLING' || state === 'RESTARTING') && !agent.isEnding(taskId)) {
    problems.push(`${taskId} is ${state} and was not told to end`);
  }
  return problems;
}

/** Does what an agent says of a task ask for a change of its row? */
function isNews(said: string, state: Task['state']): boolean {
  if (said === 'STARTING') return state === 'ASSIGNED';
  if (said === 'RUNNING') return state === 'ASSIGNED' || state === 'STARTING';
  return true;
}

/** What is not as it should be; empty when all is well. */
export function unsettled(world: World, monitor: Monitor): string[] {
  const problems: string[] = [];
  // The audit of ledgers would hide what gives back too much; that a release got lost is what it is for.
  if (world.logged.has(ledgerHealed)) problems.push(ledgerHealed);
  if (world.logged.has(leakHealed) && world.stream.dropped.length === 0)
    problems.push(`${leakHealed}, though no record was given up`);
  const { now } = world.scheduler;
  for (const { updateId, status } of monitor.updates.active())
    problems.push(`update ${updateId} is still ${status}`);
  problems.push(...executionProblems(world, monitor));
  const tasks = [...monitor.tasks.values()];
  const byJob = Map.groupBy(tasks, (task) => jobPath(task));
  for (const job of monitor.jobs.values()) {
    const own = byJob.get(jobPath(job)) ?? [];
    problems.push(...jobProblems(job, own, monitor), ...endProblems(job, own, world));
  }
  if (world.stream.dropped.length === 0) problems.push(...monitor.history.leftovers(now, monitor.jobs));
  for (const task of tasks) problems.push(...taskProblems(task, world, now));
  problems.push(...agentProblems(world, monitor));
  problems.push(...placementProblems(tasks, world, monitor, patienceMs));
  return problems;
}

/** An execution ends with its update. One started by hand takes over what another waits for, which then waits in vain. */
function executionProblems({ workflows, scheduler }: World, { updates }: Monitor): string[] {
  if (workflows.hasStrays) return [];
  return workflows.running().flatMap((name) => {
    const { update } = updates.books.get(name.slice(0, name.lastIndexOf('-')))?.stored ?? {};
    const isOver = update && isTerminalUpdate(update.status) && scheduler.now - update.updatedAt > patienceMs;
    return isOver ? [`execution ${name} goes on though its update is ${update.status}`] : [];
  });
}

function jobProblems(job: Job, tasks: readonly Task[], monitor: Monitor): string[] {
  const problems: string[] = [];
  const path = jobPath(job);
  if (job.reconciledVersion < job.specVersion) problems.push(`job ${path} is not reconciled`);
  const byInstance = Map.groupBy(tasks, ({ instance }) => instance);
  for (let instance = 0; instance < job.instanceSpan; instance++) {
    const all = byInstance.get(instance) ?? [];
    const range = job.desired.find(({ instances }) => containsInstance([instances], instance));
    const active = all.filter(({ state }) => isActive(state));
    const newest = monitor.history.madeFor({ ...job, instance }).at(-1);
    if (!range) {
      for (const { taskId, state } of active) problems.push(`${taskId} is ${state} but not wanted`);
    } else if (!newest || newest.spec < range.since) {
      problems.push(
        `instance ${instance} of ${path} was never made (wanted since ${range.since}, newest ${newest?.taskId} of ${newest?.spec})`,
      );
    } else if (active.length > 0 && newest.configId !== range.configId && job.updateId === undefined) {
      problems.push(`instance ${instance} of ${path} runs ${newest.configId}, wanted is ${range.configId}`);
    } else if (active.length === 0 && !mayStayEnded(newest)) {
      problems.push(`${newest.taskId} ended as ${newest.state} and has no successor`);
    }
  }
  return problems;
}

/** A job that has ended has a day on which its row goes, and no other job has one (docs/adr/0016-pruning.md). */
function endProblems(job: Job, tasks: readonly Task[], world: World): string[] {
  const { pk, sk } = jobKeyOf(job);
  const isLeaving = world.dynamo.table(tableNames.stateTable).get(pk, sk)?.[ttlAttribute] !== undefined;
  const active = tasks.find(({ state }) => isActive(state));
  if (isLeaving && active)
    return [`job ${jobPath(job)} will be removed while ${active.taskId} is ${active.state}`];
  const isOver = active === undefined && job.updateId === undefined && world.stream.dropped.length === 0;
  return isOver && !isLeaving ? [`job ${jobPath(job)} has ended and stays for ever`] : [];
}

/** Specification, section 4: what is not rescheduled. */
function mayStayEnded(task: Task): boolean {
  const { state, service, failureCount, maxTaskFailures, events } = task;
  // What an update ended it replaces, or asks reconcile to.
  const isUsers = (message = '') => !message.startsWith('Killed for job update');
  if (events.some((event) => event.state === 'KILLING' && isUsers(event.message))) return true;
  if (state === 'FINISHED') return !service;
  return state === 'FAILED' && !service && maxTaskFailures !== -1 && failureCount >= maxTaskFailures;
}

/** States that end by themselves, and after how long at most (specification, section 5); no task here warms up. */
const passing: readonly Task['state'][] = ['ASSIGNED', 'STARTING', 'KILLING', 'RESTARTING', 'DRAINING'];
const longestPassingMs = 5 * 60_000;

function taskProblems(task: Task, world: World, now: number): string[] {
  const { taskId, state, agentId, deadlineAt, events } = task;
  const problems: string[] = [];
  const sinceMs = now - (events.at(-1)?.at ?? 0);
  if (isActive(state) && deadlineAt !== undefined && deadlineAt + patienceMs < now) {
    problems.push(
      `${taskId} is still ${state}, ${Math.round((now - deadlineAt) / 1000)} s after its deadline`,
    );
  }
  // Not by the deadline in the row, which may be wrong itself.
  if (passing.includes(state) && sinceMs > longestPassingMs + patienceMs)
    problems.push(`${taskId} has been ${state} for ${Math.round(sinceMs / 1000)} s`);
  const agent = agentId === undefined ? undefined : world.agents.get(agentId);
  const runs = agent === undefined || agent.isGone || agent.alive().includes(taskId);
  if (state === 'RUNNING' && !runs && sinceMs > patienceMs)
    problems.push(`${taskId} is RUNNING but nothing runs`);
  return problems;
}

function agentProblems(world: World, monitor: Monitor): string[] {
  const rows = new Map([...monitor.tasks.values()].map((task) => [task.taskId, task]));
  return [...world.agents.values()].flatMap((agent) => {
    if (agent.isGone) return goneProblems(agent.id, world, monitor);
    const strays = agent.alive().flatMap((taskId) => {
      const task = rows.get(taskId);
      const mine = task !== undefined && task.agentId === agent.id && isOnAgent(task.state);
      return mine ? [] : [`${taskId} runs on ${agent.id} but its row says ${task?.state ?? 'nothing'}`];
    });
    return [...strays, ...bookProblems(agent.id, monitor, world.scheduler.now)];
  });
}

/** What is gone for good leaves nothing behind, once nothing holds it. */
function goneProblems(agentId: string, world: World, monitor: Monitor): string[] {
  const { agent, ledger } = monitor.agents.get(agentId) ?? {};
  if (agent?.lostAt === undefined || ledger === undefined || ledger.live.length > 0) return [];
  const lateMs = world.scheduler.now - agent.lostAt - forgetAfterMs;
  return lateMs > forgetPatienceMs ? [`${agentId} is gone for good and not forgotten`] : [];
}

/** What is wrong with the rows of an agent. */
function bookProblems(agentId: string, monitor: Monitor, now: number): string[] {
  const books = monitor.agents.get(agentId);
  if (!books?.ledger) return [`${agentId} is not registered`];
  const problems: string[] = [];
  const { mode, drain } = books.agent ?? {};
  if (mode === 'DRAINING' && drain && drain.deadlineAt + patienceMs < now)
    problems.push(`${agentId} is still DRAINING`);
  const onAgent = new Set([...books.onAgent.keys()].map(liveId));
  for (const id of books.ledger.live) {
    const endedLongAgo = now - (books.given.get(id)?.events.at(-1)?.at ?? 0) > patienceMs;
    if (!onAgent.has(id) && endedLongAgo) problems.push(`ledger of ${agentId} still holds ${id}`);
  }
  return problems;
}

/** Nothing waits that the planner would place now. */
function placementProblems(tasks: readonly Task[], world: World, monitor: Monitor, waitMs: number): string[] {
  const { now } = world.scheduler;
  const waiting = tasks.filter(({ state, events }) => {
    return state === 'PENDING' && now - (events.at(-1)?.at ?? 0) > waitMs;
  });
  const agents = [...monitor.agents.values()].flatMap(({ agent, ledger }) =>
    agent && ledger && !world.agents.get(agent.agentId)?.isGone ? [{ agent, ledger }] : [],
  );
  const pending = waiting.map((task) => ({ ...task, jobPath: jobPath(task) }));
  const running = tasks.flatMap((task) =>
    isOnAgent(task.state) && task.agentId !== undefined
      ? [{ jobPath: jobPath(task), agentId: task.agentId }]
      : [],
  );
  return [...new Set(pending.map(({ pool }) => pool))].flatMap((pool) => {
    const plan = planPlacement(
      {
        agents: agents.filter(({ agent }) => agent.pool === pool),
        pending: pending.filter((task) => task.pool === pool),
        running,
      },
      now,
    );
    return plan.assignments.flatMap(({ agentId, tasks: placed }) =>
      placed.map(({ taskId }) => `${taskId} waits although it fits on ${agentId}`),
    );
  });
}
