// How full a real cluster gets: plans the openb trace (Alibaba, cluster-trace-gpu-v2023) all at once in file order and
// prints the allocated share of the fleet. Usage: node bench/packing.ts NODES.csv PODS.csv
import { readFileSync } from 'node:fs';
import {
  type AgentSnapshot,
  auditLedger,
  type Holding,
  ledgerFromCapacity,
  type PendingTask,
  planPlacement,
} from '../shared/domain/placement/index.ts';

function rows(path: string): string[][] {
  const [, ...lines] = readFileSync(path, 'utf8').trim().split('\n');
  return lines.map((line) => line.trim().split(','));
}

function agentOf([sn = '', cpu, ram, gpus, model = '']: string[]): AgentSnapshot {
  const capacity = {
    cpuMilli: Number(cpu),
    ramMb: Number(ram),
    diskMb: 0,
    gpus: Array.from({ length: Number(gpus) }, () => model || 'unknown'),
    portRange: [1024, 65535] as [number, number],
  };
  const agent = { agentId: sn, host: sn, pool: 'default', mode: 'NONE' as const, attributes: {}, capacity };
  return { agent, ledger: ledgerFromCapacity(sn, capacity) };
}

function taskOf([name = '', cpu, ram, gpus, share, models = '']: string[], at: number): PendingTask {
  const resources = {
    cpuMilli: Number(cpu),
    ramMb: Number(ram),
    diskMb: 0,
    gpus: Number(gpus),
    gpuMilli: Number(gpus) === 0 ? 0 : Number(share),
    gpuModels: models === '' ? [] : models.split('|'),
    ports: [],
  };
  return {
    taskId: name,
    jobPath: `trace/prod/${name}`,
    role: 'trace',
    instance: 0,
    priority: 0,
    createdAt: at,
    resources,
    constraints: [],
  };
}

const [nodesPath, podsPath] = process.argv.slice(2);
if (!nodesPath || !podsPath) {
  console.error('usage: node bench/packing.ts NODES.csv PODS.csv   (the openb files)');
  process.exit(2);
}
const agents = rows(nodesPath).map(agentOf);
const pending = rows(podsPath).map(taskOf);
const started = performance.now();
const plan = planPlacement({ agents, pending, running: [] }, 0);
const elapsedMs = performance.now() - started;

const tasks = new Map(pending.map((task) => [task.taskId, task]));
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
let placed = 0;
let violations = 0;
const used = { cpu: 0, ram: 0, gpu: 0 };
for (const { agentId, tasks: given, after } of plan.assignments) {
  const holdings = given.map(({ taskId, grant }): Holding => {
    const { resources } = tasks.get(taskId) as PendingTask;
    used.cpu += resources.cpuMilli;
    used.ram += resources.ramMb;
    used.gpu += sum(grant.gpus.map(([, milli]) => milli));
    return { taskId, resources, grant };
  });
  placed += given.length;
  const snapshot = agents.find(({ agent }) => agent.agentId === agentId) as AgentSnapshot;
  violations += auditLedger(snapshot.agent.capacity, after, holdings).length;
}
const total = (pick: (agent: AgentSnapshot['agent']) => number): number =>
  sum(agents.map(({ agent }) => pick(agent)));
const percent = (part: number, whole: number): number => Math.round((10_000 * part) / whole) / 100;
console.log(
  JSON.stringify({
    agents: agents.length,
    tasks: pending.length,
    placed,
    waiting: plan.unplaced.filter(({ reason }) => reason.verdict === 'waiting').length,
    neverFit: plan.unplaced.filter(({ reason }) => reason.verdict === 'neverFits').length,
    allocatedPercent: {
      gpus: percent(
        used.gpu,
        total(({ capacity }) => capacity.gpus.length * 1000),
      ),
      cpu: percent(
        used.cpu,
        total(({ capacity }) => capacity.cpuMilli),
      ),
      ramMb: percent(
        used.ram,
        total(({ capacity }) => capacity.ramMb),
      ),
    },
    ledgerViolations: violations,
    planMs: Math.round(elapsedMs),
  }),
);
