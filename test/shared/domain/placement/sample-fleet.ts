// Builders for placement tests: an agent, a task, and random small pools that run out of everything now and then.
import fc from 'fast-check';
import {
  type AgentSnapshot,
  ledgerFromCapacity,
  type PendingTask,
  type PlacementSnapshot,
} from '../../../../shared/domain/placement/index.ts';
import type { Agent } from '../../../../shared/model/agent.ts';
import type { Resources } from '../../../../shared/model/resources.ts';
import type { Constraint } from '../../../../shared/model/task-config.ts';

export function sampleResources(changes: Partial<Resources> = {}): Resources {
  return {
    cpuMilli: 1000,
    ramMb: 1024,
    diskMb: 0,
    gpus: 0,
    gpuMilli: 0,
    gpuModels: [],
    ports: [],
    ...changes,
  };
}

export function sampleAgent(
  agentId: string,
  changes: {
    mode?: Agent['mode'];
    attributes?: Agent['attributes'];
    capacity?: Partial<Agent['capacity']>;
  } = {},
): AgentSnapshot {
  const capacity: Agent['capacity'] = {
    cpuMilli: 8000,
    ramMb: 16_384,
    diskMb: 10_000,
    gpus: [],
    portRange: [31_000, 31_099],
    ...changes.capacity,
  };
  const { mode = 'NONE', attributes = {} } = changes;
  const agent = { agentId, host: agentId, pool: 'default', mode, attributes, capacity };
  return { agent, ledger: ledgerFromCapacity(agentId, capacity) };
}

export function sampleTask(
  name: string,
  changes: Partial<Omit<PendingTask, 'resources'>> & { resources?: Partial<Resources> } = {},
): PendingTask {
  const { resources, ...rest } = changes;
  return {
    taskId: name,
    jobPath: 'web/prod/site',
    role: 'web',
    instance: 0,
    priority: 0,
    createdAt: 0,
    constraints: [],
    resources: sampleResources(resources),
    ...rest,
  };
}

export function value(attribute: string, ...values: string[]): Constraint {
  return { kind: 'value', attribute, negated: false, values };
}
export function not(attribute: string, ...values: string[]): Constraint {
  return { kind: 'value', attribute, negated: true, values };
}
export function limit(attribute: string, most: number): Constraint {
  return { kind: 'limit', attribute, limit: most };
}

const jobPaths = ['a/prod/one', 'a/prod/two', 'b/prod/one', 'b/test/x'];

const resources: fc.Arbitrary<Resources> = fc
  .record({
    cpuMilli: fc.constantFrom(500, 1000, 1500, 4000),
    ramMb: fc.constantFrom(256, 1024, 3000),
    diskMb: fc.constantFrom(0, 0, 100),
    gpu: fc.constantFrom<[number, number]>([0, 0], [0, 0], [1, 1000], [1, 0], [1, 300], [1, 500], [2, 1000]),
    gpuModels: fc.constantFrom<string[]>([], [], ['A'], ['B', 'A']),
    ports: fc.constantFrom<string[]>([], [], ['http'], ['http', 'admin'], ['p', 'p']),
  })
  .map(({ gpu: [gpus, gpuMilli], ...rest }) => ({ ...rest, gpus, gpuMilli }));

const constraint: fc.Arbitrary<Constraint> = fc.oneof(
  fc.constantFrom(value('zone', 'x'), value('zone', 'x', 'y'), not('zone', 'x'), not('rack', 'r1', 'r2')),
  fc.constantFrom(
    value('dedicated', 'a/gold'),
    not('dedicated', 'a/gold'),
    value('host', 'agent-1', 'agent-3'),
  ),
  fc.constantFrom(limit('zone', 2), limit('rack', 1), limit('rack', 3), limit('host', 1), limit('host', 2)),
);

const configs = fc.array(fc.tuple(resources, fc.array(constraint, { maxLength: 2 })), {
  minLength: 1,
  maxLength: 4,
});

function agentAt(at: number): fc.Arbitrary<AgentSnapshot> {
  const agentId = `agent-${at}`;
  return fc
    .record({
      cpuMilli: fc.constantFrom(500, 2000, 4000, 8000),
      ramMb: fc.constantFrom(1024, 4096, 8192),
      diskMb: fc.constantFrom(0, 100, 1000),
      gpus: fc.array(fc.constantFrom('A', 'B'), { maxLength: 3 }),
      ports: fc.constantFrom(0, 1, 3, 20),
      used: fc.constantFrom(0, 0, 0.3, 0.6),
      cardsUsed: fc.array(fc.constantFrom(0, 0, 300, 700, 1000), { minLength: 3, maxLength: 3 }),
      portsUsed: fc.constantFrom(0, 0, 1),
      version: fc.integer({ min: 1, max: 99 }),
      mode: fc.constantFrom<Agent['mode']>(
        'NONE',
        'NONE',
        'NONE',
        'NONE',
        'SCHEDULED',
        'DRAINING',
        'DRAINED',
      ),
      zone: fc.constantFrom<string[]>([], ['x'], ['y'], ['x', 'y']),
      rack: fc.constantFrom<string[]>([], ['r0'], ['r1'], ['r2']),
      dedicated: fc.constantFrom<string[]>([], [], [], [], ['a/gold'], ['b/tin']),
    })
    .map((made) => {
      const { mode, zone, rack, dedicated } = made;
      const attributes: Agent['attributes'] = { host: [agentId] };
      for (const [name, values] of Object.entries({ zone, rack, dedicated })) {
        if (values.length > 0) attributes[name] = values;
      }
      const portRange: [number, number] = [31_000, 30_999 + made.ports];
      const { cpuMilli, ramMb, diskMb, gpus } = made;
      const { agent, ledger } = sampleAgent(agentId, {
        mode,
        attributes,
        capacity: { cpuMilli, ramMb, diskMb, gpus, portRange },
      });
      const free = (amount: number): number => amount - Math.floor(amount * made.used);
      const used = {
        ...ledger,
        version: made.version,
        freeCpuMilli: free(cpuMilli),
        freeRamMb: free(ramMb),
        gpus: ledger.gpus.map((card, at) => ({ ...card, freeMilli: 1000 - (made.cardsUsed[at] ?? 0) })),
        usedPorts: made.ports > 0 && made.portsUsed > 0 ? [31_000] : [],
      };
      return { agent, ledger: used };
    });
}

/** Pools of up to eight agents, partly in use, and up to thirty tasks of four jobs with up to four configs. */
export const anyPool: fc.Arbitrary<PlacementSnapshot> = fc
  .tuple(fc.integer({ min: 0, max: 8 }), configs)
  .chain(([agents, shapes]) =>
    fc.record({
      agents: fc.tuple(...Array.from({ length: agents }, (_, at) => agentAt(at))),
      pending: fc
        .array(
          fc.record({
            shape: fc.constantFrom(...shapes),
            jobPath: fc.constantFrom(...jobPaths),
            priority: fc.constantFrom(0, 0, 0, 5),
            createdAt: fc.constantFrom(0, 0, 1, 2),
          }),
          { maxLength: 30 },
        )
        .map((made) =>
          made.map(({ shape, jobPath, ...rest }, at): PendingTask => {
            const [ask, constraints] = structuredClone(shape);
            const role = jobPath.slice(0, 1);
            return { taskId: `t${at}`, jobPath, role, instance: at, ...rest, resources: ask, constraints };
          }),
        ),
      running: fc.array(
        fc.record({
          jobPath: fc.constantFrom(...jobPaths),
          agentId: fc.constantFrom('agent-0', 'agent-1', 'agent-2', 'agent-5', 'gone'),
        }),
        { maxLength: 6 },
      ),
    }),
  );
