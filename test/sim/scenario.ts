// What a seed asks for: machines, jobs, what users and machines do when, which faults strike how often. All of it is
// plain data drawn before the run, so that a failing run can be repeated with less of it.
import type { Offer } from '../../shared/model/agent.ts';
import type { JobSubmission } from '../../shared/model/job.ts';
import type { TaskConfig } from '../../shared/model/task-config.ts';
import { historyScenario } from './scenario-history.ts';
import { makeJob, makeOffer, makeRates, makeRoomyAgents } from './scenario-parts.ts';
import { makeUpdate, makeUpdateCall, type UpdateAction } from './scenario-updates.ts';
import type { HistorySettings } from './world/expiry.ts';
import type { FaultClass } from './world/faults.ts';
import { createRandom, type Random } from './world/random.ts';
import type { Strike } from './world/strikes.ts';

export type Action =
  | UpdateAction
  | { readonly kind: 'submit'; readonly job: JobSubmission }
  | { readonly kind: 'kill'; readonly job: number; readonly instances?: readonly [number, number] }
  | { readonly kind: 'restart'; readonly job: number; readonly instances?: readonly [number, number] }
  | { readonly kind: 'add'; readonly job: number; readonly count: number }
  | { readonly kind: 'resubmit'; readonly job: number }
  | {
      readonly kind: 'agentCrash' | 'agentStop' | 'powerOff' | 'wipe' | 'netsplit';
      readonly agent: number;
      readonly forMs: number;
    }
  | { readonly kind: 'resize'; readonly agent: number; readonly cpuMilli: number }
  | { readonly kind: 'clock'; readonly agent: number; readonly skewMs: number }
  | {
      readonly kind: 'outage';
      /** intake, stream: only that nobody reads them; all: everything else. */
      readonly what: 'store' | 'queues' | 'functions' | 'workflows' | 'all' | 'intake' | 'stream';
      readonly forMs: number;
    }
  | { readonly kind: 'deploy' }
  | {
      readonly kind: 'drain';
      readonly agent: number;
      readonly deadlineSecs: number;
      readonly percentage: number;
      readonly settledSecs: number;
    }
  | { readonly kind: 'undrain'; readonly agent: number }
  /** A second machine is started with the agent's id. */
  | { readonly kind: 'twin'; readonly agent: number; readonly forMs: number }
  /** The machine never returns. */
  | { readonly kind: 'gone'; readonly agent: number }
  /** An agent reports the end of a task that is another's. */
  | { readonly kind: 'forge'; readonly agent: number };

export interface Step {
  /** Milliseconds after the beginning. */
  readonly at: number;
  readonly action: Action;
}

/**
 * mixed: anything goes. calm: nothing goes wrong, so everything must happen at once. outage: nothing goes wrong but one
 * long outage of the control plane, which must kill nothing. update: one service with room enough, updated again and
 * again, with or without faults. drain: nothing goes wrong while agents are emptied and taken back, so budgets hold to
 * the letter. history: hours in which jobs leave more behind than is kept.
 */
type ScenarioKind = 'mixed' | 'calm' | 'outage' | 'update' | 'drain' | 'history';

export interface Scenario {
  readonly seed: number;
  /** Of a directed scenario: what it aims at, as a sentence. */
  readonly name?: string;
  readonly kind: ScenarioKind;
  readonly agents: readonly { readonly offer: Offer; readonly skewMs: number }[];
  readonly jobs: readonly JobSubmission[];
  readonly steps: readonly Step[];
  readonly rates: Readonly<Record<FaultClass, number>>;
  /** Faults stop and everything returns this long after the beginning, ms. */
  readonly calmAt: number;
  readonly maxSkewMs: number;
  /** A call of a service takes up to this, ms: the longer, the more happens in between. */
  readonly maxLatencyMs: number;
  /** Faults that strike where they are meant to, besides those drawn by chance. */
  readonly strikes?: readonly Strike[];
  /** Transitions of tasks and updates (`FROM>TO`) that it is there for. */
  readonly reaches?: readonly string[];
  /** How long what has ended is kept; if absent, it outlasts the run. */
  readonly history?: HistorySettings;
}

/** For people. */
export function titleOf({ seed, name }: Pick<Scenario, 'seed' | 'name'>): string {
  return name === undefined ? `seed ${seed}` : `directed: ${name}`;
}

const minuteMs = 60_000;

export function createScenario(seed: number): Scenario {
  const random = createRandom(`scenario ${seed}`);
  // They take long, so they are few; and whatever else a seed stands for stays what it was.
  if (seed % 24 === 7) return historyScenario(seed, random);
  const kind = random.pick([
    'mixed',
    'mixed',
    'mixed',
    'calm',
    'outage',
    'update',
    'update',
    'drain',
  ] as const);
  if (kind === 'outage') return outageScenario(seed, random);
  if (kind === 'update') return updateScenario(seed, random);
  if (kind === 'drain') return drainScenario(seed, random);
  const agents = Array.from({ length: random.between(1, kind === 'calm' ? 2 : 4) }, (_, index) => ({
    offer: makeOffer(`a${index}`, random),
    skewMs: random.chance(0.3) ? random.between(-3600_000, 3600_000) : random.between(-2_000, 2_000),
  }));
  const jobs = Array.from({ length: random.between(1, 3) }, (_, index) => makeJob(index, random));
  const calmAt = random.pick([3, 5, 8, 12, 20, 30]) * minuteMs;
  const submits = jobs.map((job, index): Step => {
    return { at: index === 0 ? 2_000 : random.below(calmAt / 2), action: { kind: 'submit', job } };
  });
  const others = Array.from({ length: random.pick([0, 2, 4, 8, 14]) }, (): Step => {
    const make = kind === 'calm' ? makeUserAction : makeAction;
    return { at: 5_000 + random.below(calmAt - 5_000), action: make(random, agents.length, jobs) };
  });
  const steps = [...submits, ...bunched(random, others)].sort((a, b) => a.at - b.at);
  const rates = makeRates(random, kind === 'calm');
  const maxSkewMs = kind === 'calm' ? 50 : random.pick([0, 50, 1_000, 5_000]);
  const maxLatencyMs = random.pick(kind === 'calm' ? [15, 150] : [15, 15, 150, 1_000]);
  return { seed, kind, agents, jobs, steps, calmAt, rates, maxSkewMs, maxLatencyMs };
}

/** In some runs several people do something in the same moment. */
function bunched(random: Random, steps: readonly Step[]): Step[] {
  if (random.chance(0.6)) return [...steps];
  return steps.map(({ at, action }, index) => {
    const before = steps[index - (index % 3)] as Step;
    return { at: index % 3 === 0 ? at : before.at + random.below(400), action };
  });
}

function outageScenario(seed: number, random: Random): Scenario {
  // Of many, some have been heard and some not yet when the first roll is called afterwards.
  const count = random.chance(0.3) ? 24 : random.between(1, 4);
  const agents = Array.from({ length: count }, (_, index) => {
    return { offer: makeOffer(`a${index}`, random), skewMs: random.between(-2_000, 2_000) };
  });
  const jobs = Array.from({ length: random.between(1, 3) }, (_, index) => makeJob(index, random));
  const forMs = random.pick([2, 8, 20, 60, 180]) * minuteMs;
  // While the first tasks are still on their way, or when all is quiet.
  const at = random.chance(0.6) ? 2_000 + random.below(8_000) : 60_000 + random.below(300_000);
  const what = random.pick(['store', 'queues', 'functions', 'all'] as const);
  const steps: Step[] = jobs.map((job, index) => {
    return { at: 2_000 + index * random.below(3_000), action: { kind: 'submit', job } };
  });
  steps.push({ at, action: { kind: 'outage', what, forMs } });
  const rates = { store: 0, write: 0, queue: 0, delivery: 0, index: 0, net: 0 };
  steps.sort((a, b) => a.at - b.at);
  return {
    seed,
    kind: 'outage',
    agents,
    jobs,
    steps,
    calmAt: at + forMs,
    rates,
    maxSkewMs: 50,
    maxLatencyMs: 15,
  };
}

function makeDrain(random: Random, agent: number): Action {
  const deadlineSecs = random.pick([0, 60, 300, 600]);
  const [percentage, settledSecs] = [random.pick([95, 95, 50, 0]), random.pick([0, 30])];
  return { kind: 'drain', agent, deadlineSecs, percentage, settledSecs };
}

function drainScenario(seed: number, random: Random): Scenario {
  const agents = makeRoomyAgents(random.between(2, 4), random);
  const jobs = Array.from({ length: random.between(1, 2) }, (_, index) => makeService(random, index));
  const calmAt = 12 * minuteMs;
  const steps = jobs.map((job): Step => ({ at: 2_000, action: { kind: 'submit', job } }));
  for (let count = random.between(1, 5); count > 0; count--) {
    const agent = random.below(agents.length);
    const action = random.chance(0.7) ? makeDrain(random, agent) : ({ kind: 'undrain', agent } as const);
    steps.push({ at: 30_000 + random.below(calmAt - 60_000), action });
  }
  steps.sort((a, b) => a.at - b.at);
  return {
    seed,
    kind: 'drain',
    agents,
    jobs,
    steps,
    calmAt,
    rates: makeRates(random, true),
    maxSkewMs: 50,
    maxLatencyMs: random.pick([15, 150]),
  };
}

function updateScenario(seed: number, random: Random): Scenario {
  const agents = makeRoomyAgents(random.between(2, 4), random);
  const job = makeService(random);
  const calmAt = random.pick([8, 15, 30]) * minuteMs;
  const updates = Array.from({ length: random.between(1, 4) }, (_, index): Step => {
    return { at: 20_000 + index * random.between(20_000, 400_000), action: makeUpdate(random, 0, job) };
  });
  const isCalm = random.chance(0.4);
  const others = Array.from({ length: random.pick([0, 2, 5, 9]) }, (): Step => {
    const isAbout = isCalm || random.chance(0.7);
    const action = isAbout ? makeUpdateCall(random, 0) : makeAction(random, agents.length, [job]);
    return { at: 30_000 + random.below(calmAt - 30_000), action };
  });
  const steps: Step[] = [{ at: 2_000, action: { kind: 'submit', job } }, ...updates, ...others];
  steps.sort((a, b) => a.at - b.at);
  const rates = makeRates(random, isCalm);
  return {
    seed,
    kind: 'update',
    agents,
    jobs: [job],
    steps,
    calmAt,
    rates,
    maxSkewMs: isCalm ? 50 : random.pick([50, 1_000]),
    maxLatencyMs: random.pick([15, 150]),
  };
}

function makeService(random: Random, index = 0): JobSubmission {
  const { configs, ...key } = makeJob(index, random);
  const { task } = configs[0] as JobSubmission['configs'][number];
  const { kill = '1000' } = task.metadata;
  const metadata = { start: '500', kill };
  const cpuMilli = random.pick([100, 300]);
  const resources = { ...task.resources, cpuMilli, ramMb: 64, gpus: 0, ports: [] };
  const service: TaskConfig = { ...task, service: true, constraints: [], metadata, resources };
  return { ...key, configs: [{ instances: [[0, random.pick([1, 2, 4, 7])]], task: service }] };
}

function makeUserAction(random: Random, _agents: number, jobs: readonly JobSubmission[]): Action {
  const job = random.below(jobs.length);
  const low = random.below(4);
  const instances = random.chance(0.5) ? { instances: [low, low + random.below(3)] as const } : {};
  switch (random.below(6)) {
    case 4:
      return makeUpdate(random, job, jobs[job] as JobSubmission);
    case 5:
      return makeUpdateCall(random, job);
    case 0:
      return { kind: 'kill', job, ...instances };
    case 1:
      return { kind: 'restart', job, ...instances };
    case 2:
      return { kind: 'add', job, count: random.between(1, 4) };
    default:
      return { kind: 'resubmit', job };
  }
}

function makeAction(random: Random, agents: number, jobs: readonly JobSubmission[]): Action {
  if (random.chance(0.45)) return makeUserAction(random, agents, jobs);
  const agent = random.below(agents);
  const forMs = random.pick([1, 20, 120, 400, 900]) * random.between(500, 1_500);
  switch (random.below(14)) {
    case 0:
      return { kind: 'agentCrash', agent, forMs };
    case 1:
      return { kind: 'powerOff', agent, forMs };
    case 2:
      return { kind: 'wipe', agent, forMs };
    case 3:
      return { kind: 'netsplit', agent, forMs };
    case 4:
    case 5:
      return {
        kind: 'outage',
        what: random.pick(['store', 'queues', 'functions', 'workflows', 'all'] as const),
        forMs,
      };
    case 6:
      return { kind: 'resize', agent, cpuMilli: random.pick([500, 1_000, 3_000, 6_000]) };
    case 7:
      return { kind: 'agentStop', agent, forMs };
    case 8:
      return agents > 1 ? { kind: 'gone', agent } : { kind: 'deploy' };
    case 9:
      return { kind: 'forge', agent };
    case 10:
      return makeDrain(random, agent);
    case 11:
      return { kind: 'undrain', agent };
    case 12:
      return { kind: 'twin', agent, forMs };
    default:
      return random.chance(0.5)
        ? { kind: 'deploy' }
        : { kind: 'clock', agent, skewMs: random.between(-7200_000, 7200_000) };
  }
}
