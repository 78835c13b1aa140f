// How many submissions a second the embedded stack holds, what happens at twice that, and whether it is as before afterwards
// without a hand on it. Each submission is a job of two instances; tasks end as soon as they are launched, and whoever is
// refused does not come again. It takes three to four minutes and shares the machine with the stack it measures.
//
//   node bench/overload.ts [seconds of a phase, 20] [backlog limit, 600]
//
// 1. Search: steps of a third of a phase, each 1.4 times as fast as the one before, until one is not held: something was
//    refused or failed, or the stack was not idle within 15% of the step (at least 1.5 s) after its end: a backlog grew.
// 2. Held: the fastest held rate for a whole phase, 15% less as long as that is not held.
// 3. Twice: twice that until a whole phase has passed since the first refusal (at most 40 s; if nothing was refused by then,
//    the rate was found too low on a machine that is busy otherwise, and twice as much is tried, three times). Refusals must be 429 BACKLOG_FULL with a hint when to come again; the backlog
//    must stop growing once refusals have begun; nothing taken may be lost.
// 4. After: the held rate once more.
//
// The limit is on what waits for an agent; the backlog counted here is longer by what is on its way to one.
// A line says: asked and taken per second; refused (with and without a hint) and failed otherwise; the longest backlog
// (instances taken whose task has not ended); the time of an answer; the time from the last submission until idle; and
// at the end how many of the instances taken have no finished task (lost; must be 0). Exit code 1 if a must is not met.
import { setTimeout as sleep } from 'node:timers/promises';
import { listAllAgents, readJob } from '../cli/client/read.ts';
import { createFleet } from '../cli/replay/fleet.ts';
import { startLocalStack } from '../local/stack.ts';
import { createApiClient } from '../shared/api/client.ts';
import { parseJobFile } from '../shared/config/parse-job-file.ts';
import { isBorealisError } from '../shared/lib/errors.ts';
import type { JobSubmission } from '../shared/model/job.ts';
import { parseTaskId } from '../shared/model/job-key.ts';

const phaseSecs = Number(process.argv[2] ?? 20);
const backlogLimit = Number(process.argv[3] ?? 600);
const agentCount = 20;
const instancesPerJob = 2;
const firstRate = 10;
const growth = 1.4;
const maxSteps = 12;
const longestOverloadSecs = 40;
const maxDoublings = 3;
/** Beyond this nothing is waited for any more. */
const drainLimitMs = 60_000;

const [template] = parseJobFile(
  `
role: bench
environment: test
name: load
instances: ${instancesPerJob}
task:
  resources: { cpu: 0.1, ramMb: 16, diskMb: 16 }
  processes: [{ name: main, cmdline: 'true' }]
`,
  { format: 'yaml', fileName: 'bench.yaml' },
).submissions as [JobSubmission];
const { role, environment } = template;

const stack = await startLocalStack({
  port: 0,
  context: { 'borealis:backlogLimit': String(backlogLimit) },
});
/** Refusals are what is measured here: nobody waits. */
const client = createApiClient({ baseUrl: stack.apiUrl, retries: 0, patienceMs: 0 });
const nodes = Array.from({ length: agentCount }, (_, index) => {
  return { name: `agent-${index}`, cpuMilli: 64_000, ramMb: 262_144, gpus: [] };
});
/** Jobs that the API says it took, and how many tasks of each job were launched and so have ended. */
const taken = new Set<string>();
const endedOf = new Map<string, number>();
let waiting = 0;
const fleet = createFleet({
  cluster: stack.cluster,
  sqsEndpoint: stack.sqsEndpoint,
  nodes,
  events: {
    onLaunch: (agentId, taskId) => {
      const at = Date.now();
      const name = parseTaskId(taskId)?.name ?? '';
      endedOf.set(name, (endedOf.get(name) ?? 0) + 1);
      // One that was not answered in time may have been taken all the same; it is nobody's.
      if (taken.has(name)) waiting--;
      fleet.report(
        agentId,
        (['STARTING', 'RUNNING', 'FINISHED'] as const).map((state) => ({ taskId, state, at })),
      );
    },
    onKill: () => undefined,
  },
});
interface Phase {
  readonly rate: number;
  readonly seconds: number;
  readonly answersMs: readonly number[];
  /** Refused for the backlog, with a time to come again. */
  readonly hinted: number;
  /** By code or error, whatever else was not taken. */
  readonly failed: ReadonlyMap<string, number>;
  readonly longestBacklog: number;
  /** The same in the first and second half of the time since the first refusal. */
  readonly longestOfHalves: readonly [number, number];
  readonly idleMs: number;
}

let phases = 0;

/** `overload`: the seconds count from the first refusal on. */
async function phase(rate: number, seconds: number, { overload = false } = {}): Promise<Phase> {
  const number = phases++;
  let countsFrom = overload ? Number.POSITIVE_INFINITY : performance.now();
  const answersMs: number[] = [];
  const failed = new Map<string, number>();
  let hinted = 0;
  const submit = async (name: string) => {
    const startedAt = performance.now();
    try {
      await client.call('createJob', { params: { role, environment, name }, body: { ...template, name } });
      answersMs.push(performance.now() - startedAt);
      taken.add(name);
      waiting += instancesPerJob - (endedOf.get(name) ?? 0);
    } catch (error) {
      const isHinted =
        isBorealisError(error, 'BACKLOG_FULL') && error.status === 429 && (error.retryAfterSecs ?? 0) > 0;
      const code = isBorealisError(error) ? error.code : String(error);
      countsFrom = Math.min(countsFrom, performance.now());
      if (isHinted) hinted++;
      else failed.set(code, (failed.get(code) ?? 0) + 1);
    }
  };
  let longestBacklog = 0;
  const longestOfHalves: [number, number] = [0, 0];
  const look = setInterval(() => {
    longestBacklog = Math.max(longestBacklog, waiting);
    const half = performance.now() < countsFrom + seconds * 500 ? 0 : 1;
    longestOfHalves[half] = Math.max(longestOfHalves[half], waiting);
  }, 50);
  const running: Promise<void>[] = [];
  const startedAt = performance.now();
  for (let index = 0; ; index++) {
    const dueAt = startedAt + (index * 1000) / rate;
    const isOver = dueAt >= countsFrom + seconds * 1000;
    if (isOver || dueAt >= startedAt + longestOverloadSecs * 1000) break;
    const waitMs = dueAt - performance.now();
    if (waitMs > 1) await sleep(waitMs);
    running.push(submit(`load-${number}-${index}`));
  }
  const lastedSecs = (performance.now() - startedAt) / 1000;
  await Promise.all(running);
  const submittedAt = performance.now();
  while (waiting > 0 && performance.now() - submittedAt < drainLimitMs) await sleep(20);
  clearInterval(look);
  const idleMs = performance.now() - submittedAt;
  return { rate, seconds: lastedSecs, answersMs, hinted, failed, longestBacklog, longestOfHalves, idleMs };
}

/** Nothing was refused, and what had piled up was gone soon. */
function isHeld({ hinted, failed, idleMs, seconds }: Phase): boolean {
  return hinted === 0 && failed.size === 0 && idleMs < Math.max(1500, seconds * 150);
}

function say(what: string, done: Phase): Phase {
  const { rate, seconds, answersMs, hinted, failed, longestBacklog, idleMs } = done;
  const sorted = answersMs.toSorted((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0);
  const others = [...failed].map(([code, count]) => `${code} ${count}`).join(', ') || '0';
  console.log(
    [
      `${what.padEnd(8)} ${rate}/s for ${Math.round(seconds)} s`,
      `taken ${answersMs.length} (${(answersMs.length / seconds).toFixed(1)}/s)`,
      `refused with a hint ${hinted}`,
      `failed otherwise ${others}`,
      `longest backlog ${longestBacklog}`,
      `answer p50 ${at(0.5)} ms p99 ${at(0.99)} ms`,
      `idle ${(idleMs / 1000).toFixed(1)} s later`,
      ...(what.endsWith('times') ? [] : [isHeld(done) ? 'held' : 'not held']),
    ].join('; '),
  );
  return done;
}

/** The fastest rate of the search that was held, and the slowest that was not. */
async function search(): Promise<number> {
  let held = firstRate;
  for (let step = 0, rate = firstRate; step < maxSteps; step++, rate = Math.round(rate * growth)) {
    if (!isHeld(say('search', await phase(rate, phaseSecs / 3)))) return held;
    held = rate;
  }
  return held;
}

async function hold(rate: number): Promise<Phase> {
  for (let tried = rate; ; tried = Math.max(1, Math.floor(tried * 0.85))) {
    const done = say('held?', await phase(tried, phaseSecs));
    if (isHeld(done) || tried === 1) return done;
  }
}

/** Instances that were taken and have no finished task, by what the API says of each job. */
async function countLost(): Promise<number> {
  const left = [...taken];
  let lost = 0;
  const until = performance.now() + drainLimitMs;
  const worker = async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      for (;;) {
        const { tasks } = await readJob(client, { role, environment, name }, { history: true });
        const missing = instancesPerJob - tasks.filter(({ state }) => state === 'FINISHED').length;
        // The last reports may still be on their way.
        if (missing > 0 && performance.now() < until) await sleep(100);
        else {
          lost += missing;
          break;
        }
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return lost;
}

/** Doubles the rate until something is refused. */
async function overload(heldRate: number): Promise<Phase> {
  for (let doubling = 1; ; doubling++) {
    const rate = heldRate * 2 ** doubling;
    const done = say(`${2 ** doubling} times`, await phase(rate, phaseSecs, { overload: true }));
    if (done.hinted > 0 || done.failed.size > 0 || doubling === maxDoublings) return done;
  }
}

function verdict(twice: Phase, after: Phase, lost: number): string[] {
  const [early, late] = twice.longestOfHalves;
  return [
    ...(twice.failed.size > 0 ? [`not answered as it must be: ${[...twice.failed.keys()].join(', ')}`] : []),
    ...(twice.hinted === 0 ? ['nothing was refused, however much was asked for'] : []),
    ...(late > 1.3 * early ? [`the backlog went on growing while refusing, from ${early} to ${late}`] : []),
    ...(isHeld(after) ? [] : ['the rate is not held any more']),
    ...(lost > 0 ? [`${lost} instances were lost`] : []),
  ];
}

try {
  await fleet.register();
  while ((await listAllAgents(client, {})).length < agentCount) await sleep(200);
  await fleet.findQueues();
  fleet.startPolling();
  await phase(firstRate, 2);
  const held = await hold(await search());
  const twice = await overload(held.rate);
  const after = say('after', await phase(held.rate, phaseSecs / 2));
  const lost = await countLost();
  console.log(
    `lost ${lost} of ${taken.size * instancesPerJob} instances taken; backlog limit ${backlogLimit}`,
  );
  const wrong = verdict(twice, after, lost);
  console.log(
    wrong.length === 0
      ? `held: ${held.rate} submissions/s (${held.rate * instancesPerJob} tasks/s); at ${twice.rate}/s it takes ${(twice.answersMs.length / twice.seconds).toFixed(1)}/s and refuses the rest`
      : `NOT AS IT MUST BE: ${wrong.join('; ')}`,
  );
  process.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  await fleet.stop();
  await stack.stop();
}
