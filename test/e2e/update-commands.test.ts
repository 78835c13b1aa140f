// Updates with real processes, started and watched from the command line: forward, a version that fails, a person who
// changes their mind, restarts, growing and shrinking. Every update has ended when its test has.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { UpdateDetail, UpdatePlan } from '../../shared/api/updates.ts';
import type { JobDetail } from '../../shared/api/views.ts';
import { isActive } from '../../shared/model/task.ts';
import { type Installation, startInstallation, until } from './harness.ts';
import { jobFile } from './jobs.ts';

let borealis: Installation;
beforeAll(async () => {
  borealis = await startInstallation(['agent-a', 'agent-b']);
});
afterAll(() => borealis?.stop());

const patience = ['--wait', '--timeout', '2m'] as const;

/** A service of one sleeping process; what it says of itself is its version. */
function version(
  name: string,
  instances: number,
  label: string,
  command = 'exec sleep 1000',
  cpu = 0.1,
): string {
  return jobFile(
    borealis.dir,
    `
role: demo
environment: devel
name: ${name}
instances: ${instances}
service: true
metadata: { version: ${label} }
task:
  resources: { cpu: ${cpu}, ramMb: 16, diskMb: 16 }
  processes: [{ name: main, cmdline: "${command}", maxFailures: 1, minDurationSecs: 0 }]
`,
  );
}
const keyOf = (name: string) => `local/demo/devel/${name}`;

async function created(name: string, instances: number): Promise<string> {
  const ran = await borealis.cli('job', 'create', version(name, instances, 'one'), '--wait');
  expect(ran.code, ran.stderr).toBe(0);
  return keyOf(name);
}

/** The version that each instance runs, by its newest active task. */
function versionsOf({ tasks, configs }: JobDetail): Record<number, string | undefined> {
  const active = tasks.filter(({ state }) => isActive(state) && state !== 'KILLING');
  return Object.fromEntries(
    active.map(({ instance, configId }) => [instance, configs[configId]?.metadata.version]),
  );
}

async function info(key: string, ...words: string[]): Promise<UpdateDetail> {
  const { stdout } = await borealis.cli('update', 'info', key, ...words, '--json');
  return JSON.parse(stdout) as UpdateDetail;
}

describe('an update', () => {
  it('is planned, refused when the plan is stale, and takes every instance forward in batches', async () => {
    const key = await created('forward', 4);
    const two = version('forward', 5, 'two');
    const planned = await borealis.cli(
      'update',
      'plan',
      two,
      '--batch-size',
      '2',
      '--wait-for-batch',
      '--json',
    );
    expect(planned.code).toBe(1);
    const plan = JSON.parse(planned.stdout) as UpdatePlan;
    expect(plan).toMatchObject({ changed: true, batches: 3, diff: { add: [[4, 4]], update: [[0, 3]] } });
    expect(plan.steps.every(({ create }) => create?.agentId != null)).toBe(true);
    const stale = await borealis.cli('update', 'start', two, '--expect-version', String(plan.version + 1));
    expect(stale.code).toBe(4);
    expect(stale.stderr).toContain('the plan is stale');
    const words = ['--batch-size', '2', '--wait-for-batch', '--watch', '0', '-m', 'version two', ...patience];
    const asSeen = ['--expect-version', String(plan.version)];
    const ran = await borealis.cli('update', 'start', two, ...words, ...asSeen);
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stderr.trimEnd().split('\n').at(-1)).toContain('ROLLED_FORWARD: 5 instances updated');
    expect(versionsOf(await borealis.job('forward'))).toEqual({
      0: 'two',
      1: 'two',
      2: 'two',
      3: 'two',
      4: 'two',
    });
    expect(await info(key)).toMatchObject({ status: 'ROLLED_FORWARD', progress: { done: 5 }, batches: 3 });
    const again = await borealis.cli('update', 'plan', two, '-q');
    expect([again.code, again.stdout]).toEqual([0, '']);
  });

  it('of a version that exits at once is rolled back, each instance to its own original', async () => {
    const key = await created('backward', 3);
    const canary = version('backward', 3, 'canary');
    const first = await borealis.cli('update', 'start', `${key}/1`, canary, '--watch', '0', ...patience);
    expect(first.code, first.stderr).toBe(0);
    const broken = version('backward', 3, 'broken', 'exit 3');
    const ran = await borealis.cli('update', 'start', broken, '--watch', '3s', ...patience);
    expect(ran.code, ran.stderr).toBe(4);
    expect(ran.stderr).toMatch(/rolling back \(Latest failure: instance \d exited\.\)/);
    expect(ran.stderr.trimEnd().split('\n').at(-1)).toContain('ROLLED_BACK');
    const versions = versionsOf(await borealis.job('backward'));
    expect(versions).toEqual({ 0: 'one', 1: 'canary', 2: 'one' });
    const listed = await borealis.cli('update', 'list', key, '--status', 'failed', '--json');
    const { updates } = JSON.parse(listed.stdout) as { updates: UpdateDetail[] };
    expect(updates.map(({ status }) => status)).toEqual(['ROLLED_BACK']);
  });

  it('that finds no room is no failure: it waits, says why, and goes back when asked', async () => {
    const key = await created('roomless', 2);
    const huge = version('roomless', 2, 'huge', 'exec sleep 1000', 1000);
    const plan = await borealis.cli('update', 'plan', huge);
    expect(plan.stdout).toContain('can never be placed');
    const started = await borealis.cli('update', 'start', huge, '--watch', '0');
    expect(started.code, started.stderr).toBe(0);
    const waiting = await until('an instance to wait for room', async () => {
      const update = await info(key);
      return update.working.find(({ waitsFor, reason }) => waitsFor === 'PLACEMENT' && reason !== null);
    });
    expect(waiting.reason).toMatchObject({ verdict: 'neverFits', nearest: { reasons: [{ code: 'CPU' }] } });
    const other = await borealis.cli('job', 'killall', key, '--yes');
    expect(other.code).toBe(4);
    expect(other.stderr).toContain(started.stdout.trim());
    const back = await borealis.cli('update', 'abort', key, '--rollback', '-m', 'no room', ...patience);
    expect(back.code, back.stderr).toBe(4);
    await until('both instances to run again', async () => {
      const { tasks } = await borealis.job('roomless');
      return tasks.filter(({ state }) => state === 'RUNNING').length === 2;
    });
    expect(versionsOf(await borealis.job('roomless'))).toEqual({ 0: 'one', 1: 'one' });
  });

  it('pauses by itself between batches, is paused and resumed by hand, and aborted as it is', async () => {
    const key = await created('paused', 3);
    const two = version('paused', 3, 'two');
    const words = ['--batches', '1,1,1', '--auto-pause', '--watch', '0'];
    expect((await borealis.cli('update', 'start', two, ...words)).code).toBe(0);
    const pausedAt = async (number: number) =>
      until(`a pause before batch ${number}`, async () => {
        const update = await info(key);
        return update.status === 'ROLL_FORWARD_PAUSED' && update.batch?.number === number
          ? update
          : undefined;
      });
    await pausedAt(2);
    expect((await borealis.cli('update', 'resume', key)).code).toBe(0);
    await pausedAt(3);
    const aborted = await borealis.cli('update', 'abort', key, '--hold', '-m', 'enough', ...patience);
    expect(aborted.code, aborted.stderr).toBe(20);
    expect(aborted.stderr).toContain('ABORTED');
    expect(versionsOf(await borealis.job('paused'))).toEqual({ 0: 'two', 1: 'two', 2: 'one' });
    expect((await borealis.cli('update', 'pause', key)).code).toBe(6);
  });

  it('that needs pulses begins with the first one', async () => {
    const key = await created('pulsed', 1);
    const two = version('pulsed', 1, 'two');
    expect((await borealis.cli('update', 'start', two, '--pulse', '10m', '--watch', '0')).code).toBe(0);
    expect(await info(key)).toMatchObject({
      status: 'ROLL_FORWARD_AWAITING_PULSE',
      progress: { working: 0 },
    });
    expect((await borealis.cli('update', 'pulse', key)).stdout).toBe('OK\n');
    expect((await borealis.cli('update', 'wait', key, '--timeout', '2m')).code).toBe(0);
    const { updateId } = await info(key);
    expect((await borealis.cli('update', 'pulse', key, updateId)).stdout).toBe('FINISHED\n');
  });
});

describe('other changes in batches', () => {
  it('restarts every instance, and the file still says what runs', async () => {
    const key = await created('restarted', 3);
    const before = await borealis.job('restarted');
    const ran = await borealis.cli('job', 'restart', key, '--batch-size', '2', '--watch', '0', ...patience);
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stderr).toContain('3 instances restarted');
    const after = await borealis.job('restarted');
    const ids = (detail: JobDetail) =>
      detail.tasks.filter(({ state }) => state === 'RUNNING').map(({ taskId }) => taskId);
    expect(ids(after)).toHaveLength(3);
    expect(ids(after).filter((id) => ids(before).includes(id))).toEqual([]);
    expect((await borealis.cli('update', 'plan', version('restarted', 3, 'one'), '-q')).code).toBe(0);
    const diff = await borealis.cli('job', 'diff', version('restarted', 3, 'one'), '--exit-code');
    expect(diff.code, diff.stdout).toBe(0);
    expect((await borealis.cli('job', 'restart', `${key}/0`, '--watch', '0', ...patience)).code).toBe(0);
  });

  it('grows and shrinks a service', async () => {
    const key = await created('sized', 2);
    const words = ['--batch-size', '2', '--watch', '0', ...patience];
    const grown = await borealis.cli('job', 'add', key, '2', ...words);
    expect(grown.code, grown.stderr).toBe(0);
    expect(versionsOf(await borealis.job('sized'))).toEqual({ 0: 'one', 1: 'one', 2: 'one', 3: 'one' });
    const shrunk = await borealis.cli('job', 'shrink', key, '3', ...words);
    expect(shrunk.code, shrunk.stderr).toBe(0);
    expect(versionsOf(await borealis.job('sized'))).toEqual({ 0: 'one' });
  });
});
