// Small faults with everything real: agents killed, engines restarted, stacks stopped and started on the same data.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { active, type Installation, processesWith, startInstallation, until } from './harness.ts';

let borealis: Installation | undefined;
afterEach(async () => {
  await borealis?.stop();
  borealis = undefined;
});

function jobFile(dir: string, text: string): string {
  const file = join(dir, `job-${Math.random()}.yaml`);
  writeFileSync(file, text);
  return file;
}

const sleeper = (name: string, instances: number, cpu = 0.1) => `
role: demo
environment: devel
name: ${name}
instances: ${instances}
service: true
task:
  resources: { cpu: ${cpu}, ramMb: 16, diskMb: 16 }
  processes: [{ name: sleep, cmdline: exec sleep 1000 }]
`;

describe('an agent killed with SIGKILL and started again', () => {
  it('keeps its tasks: same task ids, same processes, one of each', async () => {
    borealis = await startInstallation([]);
    const installation = borealis;
    const first = await installation.startAgent('agent-a');
    const file = jobFile(installation.dir, sleeper('survivor', 3));
    expect((await installation.cli('job', 'create', file, '--wait-until', 'RUNNING')).code).toBe(0);
    const before = await installation.job('survivor');
    const pidsOf = (taskId: string | undefined) => processesWith(`BOREALIS_TASK_ID=${taskId}`);
    const pids = before.tasks.map((task) => pidsOf(task.taskId));
    first.kill('SIGKILL');
    await until('the agent to be gone', () => first.signalCode !== null);
    await installation.startAgent('agent-a');
    // The new agent has adopted them: it can end one and replace it.
    const victim = active(before, 1);
    expect((await installation.cli('job', 'restart', 'local/demo/devel/survivor/1')).code).toBe(0);
    await until('instance 1 to be replaced', async () => {
      const task = active(await installation.job('survivor'), 1);
      return task?.state === 'RUNNING' && task.taskId !== victim?.taskId;
    });
    expect(pidsOf(victim?.taskId)).toEqual([]);
    const after = await installation.job('survivor');
    for (const instance of [0, 2]) {
      expect(active(after, instance)?.taskId).toBe(active(before, instance)?.taskId);
      expect(pidsOf(active(after, instance)?.taskId)).toEqual(pids[instance]);
    }
  });
});

describe('a process that ignores SIGTERM', () => {
  it('is killed all the same, with its children', async () => {
    borealis = await startInstallation(['agent-a']);
    const installation = borealis;
    const stubborn = sleeper('stubborn', 1)
      .replace('exec sleep 1000', `"trap '' TERM; (trap '' TERM; sleep 1000) & while true; do sleep 1; done"`)
      .replace('task:', 'task:\n  finalizationWaitSecs: 2');
    const file = jobFile(installation.dir, stubborn);
    expect((await installation.cli('job', 'create', file, '--wait-until', 'RUNNING')).code).toBe(0);
    const taskId = active(await installation.job('stubborn'), 0)?.taskId;
    expect(processesWith(`BOREALIS_TASK_ID=${taskId}`).length).toBeGreaterThan(1);
    const killed = await installation.cli(
      'job',
      'killall',
      'local/demo/devel/stubborn',
      '--yes',
      '--wait',
      '--timeout',
      '120s',
    );
    expect(killed.code).toBe(0);
    expect(processesWith(`BOREALIS_TASK_ID=${taskId}`)).toEqual([]);
    expect((await installation.job('stubborn')).tasks.map((task) => task.state)).toEqual(['KILLED']);
  });
});

describe('an engine restarted under load', () => {
  it('loses nothing that was accepted', async () => {
    borealis = await startInstallation(['agent-a']);
    const installation = borealis;
    const names = Array.from({ length: 12 }, (_, index) => `load-${index}`);
    const submit = (name: string) =>
      installation.cli('job', 'create', jobFile(installation.dir, sleeper(name, 20, 50)));
    const submissions = names.map(async (name) => ({ name, result: await submit(name) }));
    await installation.stack.restartEngine('dynamo');
    await installation.stack.restartEngine('sqs');
    const results = await Promise.all(submissions);
    const accepted = results.filter(({ result }) => result.code === 0).map(({ name }) => name);
    expect(accepted.length).toBeGreaterThan(0);
    for (const name of accepted) {
      await until(`${name} to have all its instances`, async () => {
        const detail = await installation.job(name);
        return detail.job.reconciled && detail.counts.pending === 20;
      });
    }
    // The matcher has seen them all: each has a reason (nobody has 50 cores).
    await until('reasons', async () => {
      const why = await installation.api.call('whyPending', {
        params: { role: 'demo', environment: 'devel', name: accepted.at(-1) ?? '' },
        query: {},
      });
      return why.pending[0]?.reason?.verdict === 'neverFits';
    });
  });
});

describe('a stack stopped and started on the same data', () => {
  it('continues where it was', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'borealis-data-'));
    try {
      borealis = await startInstallation([], { dataDir });
      const waiting = jobFile(borealis.dir, sleeper('kept', 4));
      expect((await borealis.cli('job', 'create', waiting)).code).toBe(0);
      await until('its instances', async () => (await borealis?.job('kept'))?.counts.pending === 4);
      await borealis.stop();

      borealis = await startInstallation(['agent-a'], { dataDir });
      await until('the kept job to run', async () => {
        const detail = await borealis?.job('kept');
        return detail?.tasks.filter((task) => task.state === 'RUNNING').length === 4;
      });
      expect((await borealis.cli('job', 'killall', 'local/demo/devel/kept', '--yes', '--wait')).code).toBe(0);
    } finally {
      await borealis?.stop();
      borealis = undefined;
      rmSync(dataDir, { recursive: true, force: true });
    }
  });
});
