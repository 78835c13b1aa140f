// What directed scenarios are put together from: machines with room enough, jobs whose tasks behave as told, no fault by
// chance. The rest is in each scenario.
import type { Offer } from '../../../shared/model/agent.ts';
import type { JobSubmission } from '../../../shared/model/job.ts';
import type { TaskConfig } from '../../../shared/model/task-config.ts';
import type { Action, Scenario } from '../scenario.ts';
import { simpleProcess } from '../simple-process.ts';

export type DirectedScenario = Scenario & { readonly name: string };

type Wish = Pick<DirectedScenario, 'name' | 'jobs' | 'steps'> &
  Partial<
    Pick<DirectedScenario, 'agents' | 'strikes' | 'reaches' | 'history' | 'kind' | 'calmAt' | 'maxLatencyMs'>
  >;

/** Two agents, everything calm after two minutes, unless it says otherwise. */
export function directedScenario(wish: Wish): DirectedScenario {
  return {
    seed: 0,
    kind: 'mixed',
    agents: agents(2),
    rates: { store: 0, write: 0, queue: 0, delivery: 0, index: 0, net: 0 },
    calmAt: 120_000,
    maxSkewMs: 0,
    maxLatencyMs: 15,
    ...wish,
  };
}

/** `a0`, `a1`, ... with four processors each. */
export function agents(count: number): Scenario['agents'] {
  return Array.from({ length: count }, (_, index) => ({ offer: makeOffer(`a${index}`), skewMs: 0 }));
}

function makeOffer(agentId: string): Offer {
  const host = `${agentId}.example.org`;
  return {
    agentId,
    host,
    pool: 'default',
    capacity: { cpuMilli: 4_000, ramMb: 8_192, diskMb: 10_000, gpus: [], portRange: [31_000, 31_003] },
    attributes: { host: [host], rack: ['r1'] },
    version: '0.0.0',
  };
}

/** What the processes of a task do, ms; without `run` until they are killed. */
export interface Behaviour {
  readonly start?: number;
  readonly run?: number;
  readonly end?: 'FINISHED' | 'FAILED';
  /** From being told to end to the end. */
  readonly kill?: number;
}

export function taskOf(behaviour: Behaviour, more: Partial<TaskConfig> = {}): TaskConfig {
  const metadata = Object.fromEntries(
    Object.entries(behaviour).map(([name, value]) => [name, String(value)]),
  );
  return {
    service: true,
    tier: 'preferred',
    priority: 0,
    maxTaskFailures: 1,
    constraints: [],
    pool: 'default',
    metadata,
    resources: { cpuMilli: 300, ramMb: 64, diskMb: 16, gpus: 0, gpuMilli: 0, gpuModels: [], ports: [] },
    ...simpleProcess,
    ...more,
  };
}

/** `web/prod/{name}` with so many instances. */
export function jobOf(name: string, count: number, task: TaskConfig): JobSubmission {
  return { role: 'web', environment: 'prod', name, configs: [{ instances: [[0, count - 1]], task }] };
}

/** Something done at a time, ms after the beginning. Jobs are submitted after 2 s at the earliest: agents register first. */
export function at(ms: number, action: Action): Scenario['steps'][number] {
  return { at: ms, action };
}
