// The rest of the placed tasks' lives: every agent fetches its commands and reports STARTING, RUNNING and FINISHED of
// each task, one state after the other as real tasks do, so that each is a write of its own.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../../shared/api/client.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { TaskState } from '../../shared/model/task.ts';
import { readJob } from '../client/read.ts';
import type { Fleet } from './fleet.ts';
import type { TraceJob } from './submissions.ts';

export interface Lives {
  readonly client: ApiClient;
  readonly fleet: Fleet;
  readonly jobs: readonly TraceJob[];
  /** Filled by the fleet: task -> agent, as launch commands arrive. */
  readonly launched: ReadonlyMap<string, string>;
  /** How many launch commands must come. */
  readonly placed: number;
  readonly say: (line: string) => void;
}

const timeoutMs = 5 * 60_000;
const pollMs = 1000;

export async function liveAndEnd(lives: Lives): Promise<void> {
  const { fleet, launched, placed } = lives;
  fleet.startPolling();
  const until = performance.now() + timeoutMs;
  while (launched.size < placed) {
    if (performance.now() > until) {
      throw new BorealisError(
        'TIMEOUT',
        `${placed - launched.size} of ${placed} launch commands did not arrive.`,
      );
    }
    await Promise.race([sleep(100), fleet.failed]);
  }
  for (const state of ['STARTING', 'RUNNING', 'FINISHED'] as const) {
    reportAll(fleet, launched, state);
    await fleet.flush();
    await waitForState(lives, state);
  }
}

function reportAll(
  fleet: Fleet,
  launched: ReadonlyMap<string, string>,
  state: 'STARTING' | 'RUNNING' | 'FINISHED',
): void {
  const byAgent = Map.groupBy(launched, ([, agentId]) => agentId);
  for (const [agentId, entries] of byAgent) {
    fleet.report(
      agentId,
      entries.map(([taskId]) => ({ taskId, state, at: Date.now() })),
    );
  }
}

/** Waits until the store shows the state for every placed task. */
async function waitForState({ client, jobs, launched, placed }: Lives, state: TaskState): Promise<void> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    let reached = 0;
    for (const { submission } of jobs) {
      const { tasks } = await readJob(client, submission);
      reached += tasks.filter((task) => task.state === state && launched.has(task.taskId)).length;
    }
    if (reached >= placed) return;
    if (performance.now() > until) {
      throw new BorealisError('TIMEOUT', `only ${reached} of ${placed} tasks became ${state} in 5 minutes.`);
    }
    await sleep(pollMs);
  }
}
