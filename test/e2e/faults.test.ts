// Small faults of what runs on the machines: agents killed, processes that refuse to end.
import { afterEach, describe, expect, it } from 'vitest';
import { active, type Installation, processesWith, startInstallation, until } from './harness.ts';
import { jobFile, sleeper } from './jobs.ts';

let borealis: Installation | undefined;
afterEach(async () => {
  await borealis?.stop();
  borealis = undefined;
});

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
    const again = await installation.cli('job', 'restart', 'local/demo/devel/survivor/1', '--all-at-once');
    expect(again.code).toBe(0);
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
    const stubborn = sleeper('stubborn', 1).replace(
      'exec sleep 1000',
      `"trap '' TERM; (trap '' TERM; sleep 1000) & while true; do sleep 1; done"`,
    );
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
