// What users do during a chaos run: services that are changed, restarted, updated (well, badly, half) and shrunk, one that
// is spread over the hosts, batch work that sometimes fails, some of it for good or for one host only, a job that crowds
// the fleet out.

import type { Installation } from '../harness.ts';
import { jobUser, pause, untilAnswered } from './job-user.ts';
import type { Choices } from './random.ts';
import type { Recorder } from './recorder.ts';
import { batch, brokenService, pinned, service, spread } from './tasks.ts';

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

/** Batch jobs and jobs that crowd follow each other at this distance. */
const newJobEveryMs = 6000;

/** Resolves when every user has asked for the last time. */
export async function runWorkload(options: WorkloadOptions): Promise<void> {
  const own = (): WorkloadOptions => ({ ...options, choices: options.choices.fork() });
  const services = Array.from({ length: options.services }, (_, index) =>
    serviceUser(`service-${index}`, own()),
  );
  const others = [batchUser, crowdUser, spreadUser, operate].map((user) => user(own()));
  await Promise.all([...services, ...others]);
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
    await untilAnswered(() => api.call('undrainAgent', { params, body: {} }));
  }
}

/** A service is made once; then it is added to, killed, restarted and updated in turn. */
async function serviceUser(name: string, options: WorkloadOptions): Promise<void> {
  const { choices, until, runsFile } = options;
  const user = jobUser(name, options);
  let instances = choices.between(2, 4);
  let version = 1;
  const config = () => service(runsFile, `v${version}`, { waits: choices.below(2) === 0 });
  if (!(await user.create(config(), instances))) return;
  while (Date.now() < until) {
    await pause(choices.between(500, 3000));
    const one = choices.below(instances);
    switch (
      choices.pick(['add', 'kill', 'restart', 'restart', 'update', 'update', 'change of mind', 'mistake'])
    ) {
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
        await user.update(config(), instances, choices.below(3) === 0 ? { pausedMs: 1500 } : {});
        break;
      case 'change of mind':
        version++;
        await user.update(config(), instances, { abort: choices.pick(['hold', 'rollback']) });
        break;
      case 'mistake':
        version++;
        // Rolls back at the first failure.
        await user.update(brokenService(runsFile, `v${version}`), instances, {
          settings: { maxPerInstanceFailures: 0 },
        });
    }
  }
}

/** Batch jobs, one after the other: some run for a while, some fail at times and are tried again, or not; some are pinned. */
async function batchUser(options: WorkloadOptions): Promise<void> {
  const { choices, until, runsFile, agentIds } = options;
  for (let number = 0; Date.now() < until; number++) {
    const user = jobUser(`batch-${number}`, options);
    const secs = choices.between(1, 6);
    const tries = choices.pick([-1, 1, 2]);
    const task = batch(
      runsFile,
      secs,
      choices.below(2) === 0 ? { failsOneIn: tries < 0 ? 4 : 2, tries } : {},
    );
    const host = choices.pick(agentIds);
    await user.create(choices.below(3) === 0 ? pinned(task, [host]) : task, choices.between(1, 5));
    await pause(newJobEveryMs);
  }
}

/** Jobs that want more than there is, with their end before all of them ran. */
async function crowdUser(options: WorkloadOptions): Promise<void> {
  const { choices, until, runsFile } = options;
  for (let number = 0; Date.now() < until; number++) {
    const user = jobUser(`crowd-${number}`, options);
    await user.create(service(runsFile, 'v1', { cpuMilli: 900 }), choices.between(4, 10));
    await pause(choices.between(1000, newJobEveryMs));
    // Also if nobody knows whether it was created.
    await user.kill();
    await pause(choices.between(1000, newJobEveryMs));
  }
}

/** A service with one instance per host, restarted at times: when its host is away an instance has to wait. */
async function spreadUser(options: WorkloadOptions): Promise<void> {
  const { choices, until, runsFile, agentIds } = options;
  const user = jobUser('spread', options);
  if (!(await user.create(spread(service(runsFile, 'v1'), 1), agentIds.length))) return;
  while (Date.now() < until) {
    await pause(choices.between(4000, 10_000));
    await user.restart(choices.below(agentIds.length));
  }
}
