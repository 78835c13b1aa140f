// What scenarios of every kind are made of: rates of faults, machines, jobs.
import type { Offer } from '../../shared/model/agent.ts';
import type { JobSubmission } from '../../shared/model/job.ts';
import type { TaskConfig } from '../../shared/model/task-config.ts';
import type { Scenario } from './scenario.ts';
import { simpleProcess } from './simple-process.ts';
import type { FaultClass } from './world/faults.ts';
import type { Random } from './world/random.ts';

/** Most seeds mix some classes of faults; some are calm, so that a plain bug shows without any. */
export function makeRates(random: Random, none: boolean): Record<FaultClass, number> {
  // Only the writes, and those often: so steps that belong together come apart.
  if (!none && random.chance(0.15)) return { store: 0, write: 0.25, queue: 0, delivery: 0, index: 0, net: 0 };
  const severity = none ? 0 : random.pick([0, 0.003, 0.01, 0.03, 0.08]);
  const rate = () => (random.chance(0.65) ? severity * (0.3 + random.next()) : 0);
  const store = rate();
  return {
    store,
    write: Math.min(0.25, store * 5),
    queue: rate(),
    delivery: rate() * 3,
    index: rate() * 6,
    net: rate() * 3,
  };
}

export function makeOffer(agentId: string, random: Random): Offer {
  return {
    agentId,
    host: `${agentId}.example.org`,
    pool: 'default',
    capacity: {
      cpuMilli: random.pick([1_000, 2_000, 4_000]),
      ramMb: 8_192,
      diskMb: 10_000,
      gpus: random.chance(0.2) ? ['T4', 'T4'] : [],
      portRange: [31_000, 31_003],
    },
    attributes: { host: [`${agentId}.example.org`], rack: [random.pick(['r1', 'r2'])] },
    version: '0.0.0',
  };
}

/** Agents with processors enough for all that runs at once. */
export function makeRoomyAgents(count: number, random: Random): Scenario['agents'] {
  return Array.from({ length: count }, (_, index) => {
    const offer = makeOffer(`a${index}`, random);
    return { offer: { ...offer, capacity: { ...offer.capacity, cpuMilli: 4_000 } }, skewMs: 0 };
  });
}

export function makeJob(index: number, random: Random): JobSubmission {
  const span = random.pick([1, 1, 2, 3, 5, 8, 30]);
  return {
    role: 'web',
    environment: 'prod',
    name: `job${index}`,
    configs: [{ instances: [[0, span - 1]], task: makeConfig(random) }],
  };
}

function makeConfig(random: Random): TaskConfig {
  const service = random.chance(0.6);
  const runMs = service
    ? random.chance(0.15)
      ? random.between(5_000, 400_000)
      : undefined
    : random.between(1_000, random.chance(0.5) ? 5_000 : 300_000);
  return {
    service,
    tier: 'preferred',
    priority: random.pick([0, 0, 5]),
    maxTaskFailures: random.pick([1, 1, 2, -1]),
    constraints: random.chance(0.2)
      ? [{ kind: 'limit', attribute: 'host', limit: random.between(1, 3) }]
      : [],
    pool: 'default',
    ...(random.chance(0.3) && {
      partitionPolicy: { reschedule: random.chance(0.7), delaySecs: random.pick([0, 60, 300]) },
    }),
    metadata: {
      start: String(random.pick([0, 500, 5_000, 60_000])),
      ...(runMs !== undefined && { run: String(runMs) }),
      end: random.chance(0.7) ? 'FINISHED' : 'FAILED',
      kill: String(random.pick([0, 1_000, 20_000, 60_000])),
    },
    resources: {
      cpuMilli: random.pick([100, 300, 700, 1_000]),
      ramMb: random.pick([64, 512, 2_000]),
      diskMb: 16,
      gpus: random.chance(0.1) ? 1 : 0,
      gpuMilli: 0,
      gpuModels: [],
      ports: random.chance(0.2) ? ['http'] : [],
    },
    ...simpleProcess,
  };
}
