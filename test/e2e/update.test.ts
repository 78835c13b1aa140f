// Updates with everything real: agents, processes whose new version is bad in every way, and the workflow in between.
import { DescribeExecutionCommand, SFNClient, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { UpdateDetail } from '../../shared/api/updates.ts';
import type { InstanceRange } from '../../shared/model/job-key.ts';
import { updateExecutionName, updateWorkflowName } from '../../shared/model/names.ts';
import { isActive } from '../../shared/model/task.ts';
import type { TaskConfig } from '../../shared/model/task-config.ts';
import { type UpdateSettingsInput, updateSettingsInputSchema } from '../../shared/model/update.ts';
import { makeConfig } from '../contract/fixtures.ts';
import { type Installation, startInstallation, until } from './harness.ts';

let borealis: Installation;
/** It waits for sweeps, which come once a minute: it goes on beside the others, and the last test looks what has come of it. */
let stopped: Promise<Stopped>;
beforeAll(async () => {
  borealis = await startInstallation(['agent-a', 'agent-b']);
  stopped = stopAndFollow();
  // Its own test says if it fails.
  stopped.catch(() => undefined);
});
afterAll(async () => {
  await borealis.stop();
});

type Proposal = readonly (readonly [TaskConfig, readonly InstanceRange[]])[];

/** A service of one process; `version` makes its config another one. */
function service(version: number, cmdline = 'exec sleep 1000', more: Partial<TaskConfig> = {}): TaskConfig {
  const { resources, processes } = makeConfig();
  return makeConfig({
    metadata: { version: String(version) },
    resources: { ...resources, cpuMilli: 50, ramMb: 16, diskMb: 16, ports: [] },
    processes: processes.map((process) => ({ ...process, cmdline })),
    ...more,
  });
}

function checked(command: string, initialIntervalSecs: number): Partial<TaskConfig> {
  const healthCheck = {
    shell: { command },
    initialIntervalSecs,
    intervalSecs: 0.5,
    maxConsecutiveFailures: 0,
    minConsecutiveSuccesses: 1,
    timeoutSecs: 2,
  };
  return { healthCheck };
}

const params = (name: string) => ({ role: 'demo', environment: 'devel', name });
const body = (proposal: Proposal) =>
  proposal.map(([task, instances]) => ({
    instances: instances.map(([low, high]): InstanceRange => [low, high]),
    task,
  }));

/** A job whose instances all run. */
async function running(name: string, proposal: Proposal): Promise<void> {
  await borealis.api.call('createJob', {
    params: params(name),
    body: { ...params(name), configs: body(proposal) },
  });
  await settled(name, proposal);
}

async function settled(name: string, proposal: Proposal): Promise<void> {
  const count = proposal
    .flatMap(([, ranges]) => ranges)
    .reduce((sum, [low, high]) => sum + high - low + 1, 0);
  await until(`${count} instances of ${name} to run`, async () => {
    const { tasks, job } = await borealis.job(name);
    const active = tasks.filter(({ state }) => isActive(state));
    return (
      active.length === count && active.every(({ state }) => state === 'RUNNING') && job.instances === count
    );
  });
}

const quick: UpdateSettingsInput = {
  strategy: { kind: 'batch', groupSize: 2 },
  minWaitInInstanceRunningMs: 1000,
};

async function start(
  name: string,
  proposal: Proposal,
  settings: UpdateSettingsInput = quick,
): Promise<string> {
  const change = { kind: 'replace' as const, configs: body(proposal) };
  const asked = { change, settings: updateSettingsInputSchema.parse(settings) };
  const begin = () => borealis.api.call('startUpdate', { params: params(name), body: asked });
  // What was asked of the job last may still be carried out.
  const { update } = await until('the update to begin', begin);
  if (!update) throw new Error('nothing to do');
  return update.updateId;
}

const show = (name: string, updateId: string): Promise<UpdateDetail> =>
  borealis.api.call('getUpdate', { params: { ...params(name), updateId } });

async function ended(name: string, updateId: string, forMs = 120_000): Promise<UpdateDetail> {
  return until(
    `update ${updateId} of ${name} to end`,
    async () => {
      const update = await show(name, updateId);
      return update.active ? undefined : update;
    },
    forMs,
  );
}

/** Instance -> version of what runs. */
async function versions(name: string): Promise<Record<number, string>> {
  const { tasks, configs } = (await borealis.job(name)) as Awaited<ReturnType<Installation['job']>> & {
    readonly configs: Readonly<Record<string, TaskConfig>>;
  };
  const active = tasks.filter(({ state }) => isActive(state));
  expect(active.map(({ state }) => state)).toEqual(active.map(() => 'RUNNING'));
  return Object.fromEntries(
    active.map(({ instance, configId }) => [instance, configs[configId]?.metadata.version ?? '?']),
  );
}

async function turns(name: string, updateId: string, action: string): Promise<number[]> {
  const { events } = await borealis.api.call('listUpdateEvents', {
    params: { ...params(name), updateId },
    query: {},
  });
  return events.filter((event) => event.action === action).map(({ instance }) => instance);
}

describe('an update to a good version', () => {
  it('takes every instance there, batch by batch', async () => {
    await running('good', [[service(1), [[0, 4]]]]);
    const wanted = service(2, 'touch ready; exec sleep 1000', checked('test -f ready', 5));
    const updateId = await start('good', [[wanted, [[0, 5]]]]);
    const update = await ended('good', updateId);
    expect([update.status, update.progress.done]).toEqual(['ROLLED_FORWARD', 6]);
    await settled('good', [[wanted, [[0, 5]]]]);
    expect(await versions('good')).toEqual({ 0: '2', 1: '2', 2: '2', 3: '2', 4: '2', 5: '2' });
    expect(await turns('good', updateId, 'INSTANCE_UPDATING')).toEqual([5, 0, 1, 2, 3, 4]);
    // The job is free again.
    await borealis.api.call('killJob', { params: params('good'), body: {} });
  });
});

describe('an update to a bad version', () => {
  it.each<[string, TaskConfig]>([
    ['fails its health check', service(2, 'exec sleep 1000', checked('false', 0.5))],
    ['crashes after start', service(2, 'sleep 0.5; exit 1')],
    ['exits at once', service(2, 'exit 0')],
  ])('that %s puts everything back', async (what, bad) => {
    const name = `bad-${what.split(' ')[0]}`;
    await running(name, [[service(1), [[0, 3]]]]);
    const updateId = await start(name, [[bad, [[0, 3]]]], { ...quick, minWaitInInstanceRunningMs: 3000 });
    const update = await ended(name, updateId);
    expect(update.status).toBe('ROLLED_BACK');
    expect(update.events.map(({ status }) => status)).toEqual([
      'ROLLING_FORWARD',
      'ROLLING_BACK',
      'ROLLED_BACK',
    ]);
    expect(await turns(name, updateId, 'INSTANCE_UPDATE_FAILED')).not.toEqual([]);
    // The second batch was never touched.
    const before = await borealis.job(name);
    expect(before.tasks.filter(({ instance }) => instance > 1).map(({ generation }) => generation)).toEqual([
      1, 1,
    ]);
    await settled(name, [[service(1), [[0, 3]]]]);
    expect(await versions(name)).toEqual({ 0: '1', 1: '1', 2: '1', 3: '1' });
  });

  it('goes back in exact reverse, each instance to its own original', async () => {
    const original: Proposal = [
      [
        service(1),
        [
          [0, 1],
          [3, 5],
        ],
      ],
      [service(7), [[2, 2]]],
    ];
    await running('reverse', original);
    // Bad on the last instance only.
    const bad = service(2, '[ {{borealis.instance}} = 5 ] && exit 1; exec sleep 1000');
    const updateId = await start('reverse', [[bad, [[0, 5]]]]);
    const update = await ended('reverse', updateId);
    expect(update.status).toBe('ROLLED_BACK');
    expect(await turns('reverse', updateId, 'INSTANCE_UPDATING')).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await turns('reverse', updateId, 'INSTANCE_ROLLING_BACK')).toEqual([5, 4, 3, 2, 1, 0]);
    await settled('reverse', original);
    expect(await versions('reverse')).toEqual({ 0: '1', 1: '1', 2: '7', 3: '1', 4: '1', 5: '1' });
  });

  it('that never becomes healthy is waited for, and goes back on request', async () => {
    await running('never', [[service(1), [[0, 2]]]]);
    const slow = service(2, 'exec sleep 1000', checked('false', 1000));
    const updateId = await start('never', [[slow, [[0, 2]]]]);
    await until('both to start', async () => {
      const { working } = await show('never', updateId);
      return working.length === 2 && working.every(({ waitsFor }) => waitsFor === 'STARTING');
    });
    const refused = await borealis.cli('job', 'kill', 'local/demo/devel/never/2');
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain(updateId);
    await borealis.api.call('rollbackUpdate', { params: { ...params('never'), updateId }, body: {} });
    expect((await ended('never', updateId)).status).toBe('ROLLED_BACK');
    expect(await versions('never')).toEqual({ 0: '1', 1: '1', 2: '1' });
  });

  it('that no agent has room for waits with the reason, and goes back when its time is over', async () => {
    await running('huge', [[service(1), [[0, 2]]]]);
    const { resources } = service(2);
    const huge = service(2, 'exec sleep 1000', { resources: { ...resources, cpuMilli: 900_000 } });
    const deadline = { placementDeadlineMs: 6000, onPlacementDeadline: 'rollback' as const };
    const updateId = await start('huge', [[huge, [[0, 2]]]], { ...quick, ...deadline });
    const { working } = await until('a reason', async () => {
      const shown = await show('huge', updateId);
      return shown.working.some(({ waitsFor, reason }) => waitsFor === 'PLACEMENT' && reason !== null)
        ? shown
        : undefined;
    });
    expect(JSON.stringify(working)).toContain('CPU');
    const update = await ended('huge', updateId, 240_000);
    expect([update.status, update.progress.failed]).toEqual(['ROLLED_BACK', 0]);
    expect(update.events.find(({ status }) => status === 'ROLLING_BACK')?.message).toContain(
      'no agent had room',
    );
    await settled('huge', [[service(1), [[0, 2]]]]);
  }, 300_000);
});

interface Stopped {
  readonly update: UpdateDetail;
  /** Status of the first and of the second execution. */
  readonly executions: readonly (string | undefined)[];
}

/** An update whose execution is stopped by hand while it watches, to its end. */
async function stopAndFollow(): Promise<Stopped> {
  await running('stopped', [[service(1), [[0, 2]]]]);
  const settings = { strategy: { kind: 'batch' as const, groupSize: 1 }, minWaitInInstanceRunningMs: 5000 };
  const updateId = await start('stopped', [[service(2), [[0, 2]]]], settings);
  await until('the first instance to be watched', async () => {
    const { working } = await show('stopped', updateId);
    return working.some(({ waitsFor }) => waitsFor === 'WATCH');
  });
  const client = await stepFunctions();
  const arn = (sequence: number) =>
    `arn:aws:states:us-east-1:000000000000:execution:${updateWorkflowName('local')}:${updateExecutionName(updateId, sequence)}`;
  await client.send(new StopExecutionCommand({ executionArn: arn(1) }));
  const update = await ended('stopped', updateId, 270_000);
  const described = await Promise.all(
    [1, 2].map((sequence) => client.send(new DescribeExecutionCommand({ executionArn: arn(sequence) }))),
  );
  client.destroy();
  return { update, executions: described.map(({ status }) => status) };
}

describe('an execution of the workflow that is stopped by hand', () => {
  it('is replaced, and the update goes on where it was', async () => {
    const { update, executions } = await stopped;
    expect(update.status).toBe('ROLLED_FORWARD');
    expect(executions).toEqual(['ABORTED', expect.stringMatching(/RUNNING|SUCCEEDED/)]);
  }, 300_000);
});

/** Of the installation under test. */
async function stepFunctions(): Promise<SFNClient> {
  const deployed = process.env.BOREALIS_DEPLOY_ENDPOINT;
  const stats = deployed ? undefined : await (await fetch(`${borealis.apiUrl}/_local/stats`)).json();
  const endpoint = deployed ?? (stats as { readonly awsEndpoint: string }).awsEndpoint;
  return new SFNClient({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
}
