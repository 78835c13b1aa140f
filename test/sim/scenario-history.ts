// Hours of jobs that leave history: one that fails again and again, one of which a user restarts instances, one that ends
// and is submitted again when it may be gone. Limits are so short that rows go while the run lasts.
import type { JobSubmission } from '../../shared/model/job.ts';
import type { TaskConfig } from '../../shared/model/task-config.ts';
import type { Action, Scenario, Step } from './scenario.ts';
import { makeJob, makeRates, makeRoomyAgents } from './scenario-parts.ts';
import type { Random } from './world/random.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

export function historyScenario(seed: number, random: Random): Scenario {
  const agents = makeRoomyAgents(random.between(1, 3), random);
  const calmAt = random.pick([3, 4, 5]) * hourMs;
  const history = {
    keptMs: random.pick([1, 1, 1, 2, 48]) * hourMs,
    maxPerJob: random.pick([2, 5, 10]),
    maxLateMs: random.pick([1, 30, 90]) * minuteMs,
  };
  const jobs = [crashing(random), restarted(random), returning(random)];
  const steps: Step[] = jobs.map((job, index) => ({
    at: 2_000 + index * 500,
    action: { kind: 'submit', job },
  }));
  for (let at = 5 * minuteMs; at < calmAt - 10 * minuteMs; at += random.between(1, 6) * minuteMs) {
    steps.push({ at, action: { kind: 'restart', job: 1, instances: [0, random.below(2)] } });
  }
  // Soon after its end, or when its rows are about to go, some of them gone.
  const gap = () =>
    random.chance(0.3)
      ? random.between(1, 20) * minuteMs
      : history.keptMs + random.below(history.maxLateMs + 5 * minuteMs);
  for (let at = gap(); at < calmAt - 10 * minuteMs; at += gap()) {
    steps.push({ at, action: { kind: 'resubmit', job: 2 } });
  }
  for (let count = random.below(5); count > 0; count--) {
    steps.push({
      at: 10 * minuteMs + random.below(calmAt - 20 * minuteMs),
      action: disturbance(random, agents.length),
    });
  }
  steps.sort((a, b) => a.at - b.at);
  return {
    seed,
    kind: 'history',
    agents,
    jobs,
    steps,
    calmAt,
    rates: makeRates(random, random.chance(0.3)),
    maxSkewMs: random.pick([0, 50, 5_000]),
    maxLatencyMs: random.pick([15, 150]),
    history,
  };
}

function crashing(random: Random): JobSubmission {
  const service = random.chance(0.5);
  const runMs = random.pick([20_000, 310_000, 310_000]);
  const metadata = {
    start: '500',
    run: String(runMs),
    end: random.pick(['FAILED', 'FINISHED']),
    kill: '1000',
  };
  return withTask(makeJob(0, random), random.between(1, 4), {
    service,
    maxTaskFailures: -1,
    metadata: service ? metadata : { ...metadata, end: 'FAILED' },
  });
}

function restarted(random: Random): JobSubmission {
  return withTask(makeJob(1, random), 2, { service: true, metadata: { start: '500', kill: '1000' } });
}

/** Batch work that is over soon, so that its rows may go; but one instance may take long. */
function returning(random: Random): JobSubmission {
  const run = String(random.pick([3_000, 60_000, 60_000, 40 * minuteMs]));
  const end = random.chance(0.7) ? 'FINISHED' : 'FAILED';
  return withTask(makeJob(2, random), random.between(1, 5), {
    service: false,
    maxTaskFailures: random.pick([1, 2]),
    metadata: { start: '500', run, end, kill: '1000' },
  });
}

function withTask(job: JobSubmission, span: number, more: Partial<TaskConfig>): JobSubmission {
  const { task } = job.configs[0] as JobSubmission['configs'][number];
  const resources = { ...task.resources, cpuMilli: 100, ramMb: 64, gpus: 0, ports: [] };
  return {
    ...job,
    configs: [{ instances: [[0, span - 1]], task: { ...task, constraints: [], resources, ...more } }],
  };
}

function disturbance(random: Random, agents: number): Action {
  const agent = random.below(agents);
  const forMs = random.pick([20, 120, 900]) * random.between(500, 1_500);
  return random.pick<Action>([
    { kind: 'agentCrash', agent, forMs },
    { kind: 'powerOff', agent, forMs },
    { kind: 'netsplit', agent, forMs },
    { kind: 'outage', what: 'functions', forMs },
    { kind: 'deploy' },
    { kind: 'kill', job: 2 },
    { kind: 'kill', job: 0, instances: [0, 0] },
    { kind: 'add', job: 2, count: 1 },
  ]);
}
