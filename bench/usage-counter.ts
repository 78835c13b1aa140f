// Counts what AWS would bill of an embedded stack, from what its host, its store and its queue clients count themselves.
import { addUsage, nothing, type Usage } from '../cli/cost/usage.ts';
import type { HostStats } from '../local/host/host.ts';
import type { LocalStack } from '../local/stack.ts';

/** Everything used so far, in all and in detail. */
export interface Reading {
  readonly usage: Usage;
  /** Counters by name, to be shown. */
  readonly details: ReadonlyMap<string, number>;
}

interface CapacityUse {
  readonly operation: string;
  readonly readUnits: number;
  readonly writeUnits: number;
}

/** `logBytes`: what the functions have logged so far. */
export async function readUsage(stack: LocalStack, logBytes: number): Promise<Reading> {
  const stats = await stack.stats();
  const usage = { ...nothing, logBytes, busEvents: stats.events };
  const details = new Map<string, number>();
  const machines = stats.stateMachines;
  const add = (name: string, count: number): void => void details.set(name, (details.get(name) ?? 0) + count);
  for (const { name, arn, memoryMb } of stack.plan.functions) {
    const { invocations = 0, totalMs = 0 } = stats.functions[name] ?? {};
    usage.invocations += invocations;
    usage.gbSeconds += (memoryMb / 1024) * (totalMs / 1000);
    add(`${name}: invocations`, invocations);
    add(`${name}: ms`, totalMs);
    if (stack.plan.schedules.some(({ functionArn }) => functionArn === arn))
      usage.schedulerCalls += invocations;
    if (stack.plan.routes.some(({ functionArn }) => functionArn === arn)) usage.apiRequests += invocations;
    const mapping = stack.plan.queueMappings.find(({ functionArn }) => functionArn === arn);
    // A batch is one receive and one delete.
    const batches =
      invocations - (mapping?.queue.name.endsWith('-jobs.fifo') ? workflowCalls(stack, machines) : 0);
    if (mapping) usage[mapping.queue.fifo ? 'sqsFifoRequests' : 'sqsRequests'] += 2 * batches;
  }
  for (const [command, count] of Object.entries(stats.requests as Readonly<Record<string, number>>)) {
    // Functions receive and delete only heartbeats, from a standard queue; of what they send most goes to FIFO queues, and
    // all is counted as if it did, at the higher price.
    const isHeartbeats = command.startsWith('Receive') || command.startsWith('Delete');
    usage[isHeartbeats ? 'sqsRequests' : 'sqsFifoRequests'] += count;
    add(`functions to queues: ${command}`, count);
  }
  for (const { operation, readUnits, writeUnits } of stats.capacity as readonly CapacityUse[]) {
    usage.readUnits += readUnits;
    usage.writeUnits += writeUnits;
    add(`${operation}: read units`, readUnits);
    add(`${operation}: write units`, writeUnits);
  }
  for (const { transitions } of Object.values(machines)) {
    for (const [state, count] of Object.entries(transitions)) {
      usage.stepTransitions += count;
      add(`transitions to ${state}`, count);
    }
  }
  return { usage, details };
}

/** Calls of the worker on jobs that came from the update workflow and not from its queue. */
function workflowCalls(stack: LocalStack, machines: HostStats['stateMachines']): number {
  const calls = stack.plan.stateMachines.flatMap(({ name, definition }) => {
    const states = definition.States as Readonly<Record<string, { readonly Type: string }>>;
    const entered = Object.entries(machines[name]?.transitions ?? {});
    return entered.map(([state, count]) => (states[state]?.Type === 'Task' ? count : 0));
  });
  return calls.reduce((sum, count) => sum + count, 0);
}

/** What was used between two readings; says it in detail on standard error. */
export function usedBetween(what: string, before: Reading, after: Reading): Usage {
  console.error(`\n${what}`);
  for (const [name, count] of after.details) {
    const more = count - (before.details.get(name) ?? 0);
    if (more > 0) console.error(`  ${name.padEnd(44)} ${Math.round(more * 10) / 10}`);
  }
  return addUsage([after.usage, 1], [before.usage, -1]);
}
