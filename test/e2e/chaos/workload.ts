// What users do during a chaos run: services that are changed, restarted, updated and shrunk, batch work that sometimes
// fails, a job that crowds the fleet out. One job is one user's: it asks for the next thing when the last is answered.
import { isBorealisError } from '../../../shared/lib/errors.ts';
import { jobPath } from '../../../shared/model/job-key.ts';
import type { TaskConfig } from '../../../shared/model/task-config.ts';
import { isTerminalUpdate, updateSettingsInputSchema } from '../../../shared/model/update.ts';
import { makeConfig } from '../../contract/fixtures.ts';
import type { Wanted } from '../../history/history.ts';
import type { Installation } from '../harness.ts';
import type { Choices } from './random.ts';
import { type Recorder, witness } from './recorder.ts';

export interface WorkloadOptions {
  readonly installation: Installation;
  readonly recorder: Recorder;
  readonly choices: Choices;
  readonly jobs: { readonly role: string; readonly environment: string };
  readonly runsFile: string;
  /** No more is asked for after this, epoch ms. */
  readonly until: number;
  /** Services that live through it all. */
  readonly services: number;
  readonly agentIds: readonly [string, ...string[]];
}

/** Longest wait for an update to end before the user leaves it alone. */
const updatePatienceMs = 45_000;
/** Batch jobs and jobs that crowd follow each other at this distance. */
const newJobEveryMs = 6000;

/** Resolves when every user has asked for the last time. */
export async function runWorkload(options: WorkloadOptions): Promise<void> {
  const services = Array.from({ length: options.services }, (_, index) =>
    serviceUser(`service-${index}`, { ...options, choices: options.choices.fork() }),
  );
  const batch = batchUser({ ...options, choices: options.choices.fork() });
  const crowd = crowdUser({ ...options, choices: options.choices.fork() });
  const operator = operate({ ...options, choices: options.choices.fork() });
  await Promise.all([...services, batch, crowd, operator]);
}

/** Empties one agent after the other and takes each back into use. */
async function operate({ installation, choices, until, agentIds }: WorkloadOptions): Promise<void> {
  const { api } = installation;
  while (Date.now() < until) {
    await pause(choices.between(3000, 12_000));
    const params = { agentId: choices.pick(agentIds) };
    const body = { deadlineSecs: choices.between(0, 8), percentage: 50, settledSecs: 1 };
    await api.call('drainAgent', { params, body }).catch(() => undefined);
    await pause(choices.between(1000, 8000));
    await untilDone(() => api.call('undrainAgent', { params, body: {} }));
  }
}

/** Again while the control plane fails; an answer that refuses is one. */
async function untilDone(work: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (!isBorealisError(error)) throw error;
      if (Number(error.details.status ?? 500) < 500) return;
      await pause(500);
    }
  }
}

/** A service is made once; then it is added to, killed, restarted and updated in turn. */
async function serviceUser(name: string, options: WorkloadOptions): Promise<void> {
  const { choices, until } = options;
  const user = userOf(name, options);
  let instances = choices.between(2, 4);
  let version = 1;
  const config = () => service(options, `v${version}`, choices.below(2) === 0);
  if (!(await user.create(config(), instances))) return;
  while (Date.now() < until) {
    await pause(choices.between(500, 3000));
    const one = choices.below(instances);
    switch (choices.pick(['add', 'kill', 'restart', 'restart', 'update', 'update'])) {
      case 'add':
        if (instances < 6 && (await user.add(1))) instances++;
        break;
      case 'kill':
        // Always the highest, so that the numbers have no holes and an update names them all.
        if (instances > 1 && (await user.kill(instances - 1))) instances--;
        break;
      case 'restart':
        await user.restart(one);
        break;
      case 'update':
        version++;
        await user.update(config(), instances);
    }
  }
}

/** Batch jobs, one after the other: some run for a while, some fail at times and are tried again. */
async function batchUser(options: WorkloadOptions): Promise<void> {
  const { choices, until } = options;
  for (let number = 0; Date.now() < until; number++) {
    const user = userOf(`batch-${number}`, options);
    const secs = choices.between(1, 6);
    await user.create(batch(options, secs, choices.below(3) === 0), choices.between(1, 5));
    await pause(newJobEveryMs);
  }
}

/** Jobs that want more than there is, with their end before all of them ran. */
async function crowdUser(options: WorkloadOptions): Promise<void> {
  const { choices, until } = options;
  for (let number = 0; Date.now() < until; number++) {
    const user = userOf(`crowd-${number}`, options);
    await user.create(service(options, 'v1', false, 900), choices.between(4, 10));
    await pause(choices.between(1000, newJobEveryMs));
    // Also if nobody knows whether it was created.
    await user.kill();
    await pause(choices.between(1000, newJobEveryMs));
  }
}

/** What one user may ask of one job; each answers whether it was accepted. */
function userOf(name: string, { installation, recorder, jobs }: WorkloadOptions) {
  const { api } = installation;
  const params = { ...jobs, name };
  const path = jobPath(params);
  const call = async (...args: Parameters<Recorder['call']> extends [string, ...infer R] ? R : never) =>
    (await recorder.call(path, ...args)).outcome === 'accepted';
  const configs = (task: TaskConfig, instances: number) => [
    { instances: [[0, instances - 1] as [number, number]], task },
  ];
  const wanted = (task: TaskConfig, instances: number): Wanted[] => [
    { instances: [[0, instances - 1]], mark: task.metadata.mark ?? '' },
  ];
  const named = (instance: number | undefined) =>
    instance === undefined ? {} : { instances: [[instance, instance] as [number, number]] };
  return {
    create: (task: TaskConfig, instances: number) =>
      call({ kind: 'create', wanted: wanted(task, instances) }, async (idempotencyKey) => {
        const body = { ...params, configs: configs(task, instances) };
        const { job } = await api.call('createJob', { params, body, idempotencyKey });
        return { specVersion: job.specVersion };
      }),
    add: (count: number) =>
      call({ kind: 'add', count }, async (idempotencyKey) => {
        const { job } = await api.call('addInstances', { params, body: { count }, idempotencyKey });
        return { specVersion: job.specVersion };
      }),
    kill: (instance?: number) =>
      call({ kind: 'kill', ...named(instance) }, async (idempotencyKey) => {
        const { job } = await api.call('killJob', { params, body: named(instance), idempotencyKey });
        return { specVersion: job.specVersion };
      }),
    restart: (instance: number) =>
      call({ kind: 'restart', ...named(instance) }, async (idempotencyKey) => {
        const { job } = await api.call('restartJob', { params, body: named(instance), idempotencyKey });
        return { specVersion: job.specVersion };
      }),
    /** Waits for its end, too. */
    async update(task: TaskConfig, instances: number) {
      const settings = updateSettingsInputSchema.parse({
        strategy: { kind: 'batch', groupSize: 2 },
        minWaitInInstanceRunningMs: 500,
        maxPerInstanceFailures: 3,
      });
      const made = await recorder.call(
        path,
        { kind: 'update', wanted: wanted(task, instances) },
        async (idempotencyKey) => {
          const change = { kind: 'replace' as const, configs: configs(task, instances) };
          const { update } = await api.call('startUpdate', {
            params,
            body: { change, settings },
            idempotencyKey,
          });
          return update ? { updateId: update.updateId } : {};
        },
      );
      const { updateId } = made;
      const end = Date.now() + updatePatienceMs;
      while (updateId !== undefined && Date.now() < end) {
        const found = await api.call('getUpdate', { params: { ...params, updateId } }).catch(() => undefined);
        if (found && isTerminalUpdate(found.status)) return;
        await pause(500);
      }
    },
  };
}

/** Writes down that it began, and stays. `waits`: an agent that falls silent has some seconds to return. */
function service(options: WorkloadOptions, mark: string, waits: boolean, cpuMilli = 100): TaskConfig {
  const task = base(mark, `${witness('start', options.runsFile)}; exec sleep 100000`, cpuMilli);
  return { ...task, service: true, ...(waits && { partitionPolicy: { reschedule: true, delaySecs: 5 } }) };
}

/** Writes down its beginning and its end; with `fails` it sometimes comes to none. */
function batch(options: WorkloadOptions, secs: number, fails: boolean): TaskConfig {
  const failure = fails ? '[ $((RANDOM % 4)) = 0 ] && exit 3; ' : '';
  const { runsFile } = options;
  const cmdline = `${witness('start', runsFile)}; sleep ${secs}; ${failure}${witness('end', runsFile)}`;
  return { ...base('v1', cmdline, 100), service: false, maxTaskFailures: -1 };
}

function base(mark: string, cmdline: string, cpuMilli: number): TaskConfig {
  const { resources, processes } = makeConfig();
  return makeConfig({
    metadata: { mark },
    finalizationWaitSecs: 2,
    resources: { ...resources, cpuMilli, ramMb: 16, diskMb: 16, ports: ['http'] },
    processes: processes.map((process) => ({ ...process, cmdline, minDurationSecs: 1 })),
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
