// Speed of the placement core alone, one process, one core: 10,000 agents, 100,000 pending tasks in 1,000 jobs.
// Prints placements per second of whole plans (sorting, ledgers and reasons included); best and median of the runs.
// The cpu column counts all threads (collector and compiler too) and says the same on a busy machine.
// Usage: node bench/matcher-core.ts [mix ...] [--agents N] [--tasks N] [--runs N]
import { parseArgs } from 'node:util';
import {
  type AgentSnapshot,
  ledgerFromCapacity,
  type PendingTask,
  type PlacementSnapshot,
  planPlacement,
} from '../shared/domain/placement/index.ts';
import type { Constraint } from '../shared/model/task-config.ts';

type Random = () => number;

/** mulberry32: the same fleet and jobs in every run. */
function seeded(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
const pick = <T>(random: Random, values: readonly T[]): T =>
  values[Math.floor(random() * values.length)] as T;

const racks = 200;
const zones = ['a', 'b', 'c', 'd'];
const kinds = ['m5', 'm6', 'c6', 'r6'];

/** Machines of four sizes, one in five with 4 or 8 cards, one in fifty dedicated; some already partly filled. */
function fleet(count: number): AgentSnapshot[] {
  const random = seeded(1);
  return Array.from({ length: count }, (_, at): AgentSnapshot => {
    const agentId = `agent-${String(at).padStart(6, '0')}`;
    const cores = pick(random, [32, 64, 64, 96]);
    const rack = at % racks;
    const capacity = {
      cpuMilli: cores * 1000,
      ramMb: cores * pick(random, [4096, 4096, 8192]),
      diskMb: 1_000_000,
      gpus: Array.from({ length: random() < 0.2 ? pick(random, [4, 8]) : 0 }, () =>
        pick(random, ['T4', 'V100']),
      ),
      portRange: [31_000, 32_000] as [number, number],
    };
    const attributes: Record<string, string[]> = {
      host: [agentId],
      rack: [`r${rack}`],
      zone: [zones[rack % zones.length] as string],
      kind: [pick(random, kinds)],
    };
    if (random() < 0.02) attributes.dedicated = ['search/ranking'];
    const ledger = ledgerFromCapacity(agentId, capacity);
    const used = random() < 0.3 ? Math.floor(random() * cores * 0.5) : 0;
    ledger.freeCpuMilli -= used * 1000;
    ledger.freeRamMb -= used * 2048;
    return { agent: { agentId, host: agentId, pool: 'default', mode: 'NONE', attributes, capacity }, ledger };
  });
}

interface Mix {
  readonly sizes: number;
  readonly gpuJobs: number;
  readonly constrained: number;
  readonly limits: 'none' | 'host' | 'rack' | 'mixed';
  /** Tasks of all jobs in turn, instead of job after job. */
  readonly interleaved: boolean;
  /** Times the usual size of tasks; above 1 the fleet runs full. */
  readonly scale: number;
  readonly jobs?: number;
}
const plain: Mix = { sizes: 50, gpuJobs: 0, constrained: 0, limits: 'none', interleaved: false, scale: 1 };
const mixed: Mix = { ...plain, gpuJobs: 0.1, constrained: 0.6 };
const mixes: Record<string, Mix> = {
  plain,
  mixed,
  'mixed, host limit on every job': { ...mixed, limits: 'host' },
  'mixed, rack limit on every job': { ...mixed, limits: 'rack' },
  'mixed, limits of all kinds on every job': { ...mixed, limits: 'mixed' },
  'mixed, jobs interleaved': { ...mixed, interleaved: true },
  'mixed, limits of all kinds, interleaved': { ...mixed, limits: 'mixed', interleaved: true },
  'mixed, 10,000 jobs, limits of all kinds': { ...mixed, limits: 'mixed', jobs: 10_000 },
  'mixed, 1,000 sizes': { ...mixed, sizes: 1000 },
  'mixed, fleet too small': { ...mixed, scale: 4 },
};

function constraintsOf(random: Random, mix: Mix): Constraint[] {
  const constraints: Constraint[] = [];
  if (random() < mix.constrained) {
    const value = (attribute: string, negated: boolean, values: string[]): Constraint => ({
      kind: 'value',
      attribute,
      negated,
      values,
    });
    const zone = pick(random, zones);
    constraints.push(
      pick(random, [
        value('zone', false, [zone]),
        value('zone', true, [zone]),
        value('kind', false, ['m5', 'm6']),
        value('kind', true, ['r6']),
        value('rack', true, ['r1', 'r2']),
      ]),
    );
  }
  if (constraints.length === 0 && random() < 0.03) {
    constraints.push({ kind: 'value', attribute: 'dedicated', negated: false, values: ['search/ranking'] });
  }
  const kind = mix.limits === 'mixed' ? pick(random, ['host', 'rack', 'both'] as const) : mix.limits;
  if (kind === 'host' || kind === 'both') constraints.push({ kind: 'limit', attribute: 'host', limit: 2 });
  if (kind === 'rack' || kind === 'both') constraints.push({ kind: 'limit', attribute: 'rack', limit: 4 });
  return constraints;
}

/** Every task has its own objects, as rows read from a store have. */
function workload(mix: Mix, count: number): PendingTask[] {
  const random = seeded(2);
  const jobs = mix.jobs ?? 1000;
  const perJob = Math.max(1, Math.floor(count / jobs));
  const sizes = Array.from({ length: mix.sizes }, () => ({
    cpuMilli: Math.round((500 + 250 * Math.floor(random() * 30)) * mix.scale),
    ramMb: Math.round(512 * (1 + Math.floor(random() * 20)) * mix.scale),
    diskMb: 256 * (1 + Math.floor(random() * 4)),
  }));
  const tasks: PendingTask[] = [];
  for (let job = 0; job < jobs; job++) {
    const size = pick(random, sizes);
    const gpu = random() < mix.gpuJobs;
    const gpuMilli = gpu ? pick(random, [1000, 500, 250, 200]) : 0;
    const ports = random() < 0.5 ? ['http'] : [];
    const constraints = constraintsOf(random, mix);
    const name = `job-${String(job).padStart(5, '0')}`;
    for (let instance = 0; instance < perJob; instance++) {
      tasks.push({
        taskId: `bench~prod~${name}~${instance}~1~${(job * 1000 + instance).toString(36).padStart(8, '0')}`,
        jobPath: `bench/prod/${name}`,
        role: 'bench',
        instance,
        priority: mix.interleaved ? 1000 - instance : 0,
        createdAt: mix.interleaved ? 0 : job,
        resources: { ...size, gpus: gpu ? 1 : 0, gpuMilli, gpuModels: [], ports },
        constraints: structuredClone(constraints),
      });
    }
  }
  return tasks;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    agents: { type: 'string', default: '10000' },
    tasks: { type: 'string', default: '100000' },
    runs: { type: 'string', default: '3' },
  },
});
const agents = fleet(Number(values.agents));
console.log(
  `${agents.length} agents, ${values.tasks} tasks, ${values.runs} runs; placements/s best (median)`,
);
for (const [name, mix] of Object.entries(mixes)) {
  if (positionals.length > 0 && !positionals.some((wanted) => name.includes(wanted))) continue;
  const snapshot: PlacementSnapshot = { agents, pending: workload(mix, Number(values.tasks)), running: [] };
  const runs: { ms: number; cpuMs: number; placed: number; unplaced: number }[] = [];
  for (let run = 0; run < Number(values.runs); run++) {
    const started = performance.now();
    const startedCpu = process.cpuUsage();
    const plan = planPlacement(snapshot, 0);
    const ms = performance.now() - started;
    const { user, system } = process.cpuUsage(startedCpu);
    const cpuMs = (user + system) / 1000;
    const placed = plan.assignments.reduce((sum, { tasks }) => sum + tasks.length, 0);
    runs.push({ ms, cpuMs, placed, unplaced: plan.unplaced.length });
  }
  runs.sort((a, b) => a.ms - b.ms);
  const leastCpuMs = Math.min(...runs.map(({ cpuMs }) => cpuMs));
  const [best] = runs;
  const median = runs[Math.floor(runs.length / 2)];
  if (!best || !median) continue;
  const rate = (of: typeof best): string => Math.round((1000 * of.placed) / of.ms).toLocaleString('en');
  console.log(
    `${name.padEnd(42)} ${rate(best).padStart(9)} (${rate(median)})  ${Math.round(best.ms)} ms, ${Math.round(leastCpuMs)} ms of cpu, ${best.unplaced} unplaced`,
  );
}
