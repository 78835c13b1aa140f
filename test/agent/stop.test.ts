// Stopping an agent, and the one runner a task ever has.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { taskPaths } from '../../agent/runtime/layout.ts';
import { processesOf, startAgent, startsOf, waitFor } from './fakes/agent-fixture.ts';
import { launchOf } from './fakes/launches.ts';

const stubborn = {
  processes: [{ name: 'a', cmdline: 'trap "" TERM; touch up; while true; do sleep 0.1; done' }],
};
const runnerMain = fileURLToPath(new URL('../../agent/runner/main.ts', import.meta.url));

describe('stopping an agent with its tasks', () => {
  it('ends even stubborn tasks within its own budget, also those that are being killed slowly', async () => {
    const { agent, launch, kill, reported, transport } = await startAgent({
      timings: { killBudgetMs: 600_000, stopBudgetMs: 500 },
    });
    const [task, dying] = [launchOf(stubborn), launchOf(stubborn)];
    launch(task);
    launch(dying);
    await reported(task, 'RUNNING');
    await reported(dying, 'RUNNING');
    kill(dying);
    await waitFor(() => expect(transport.acknowledged).toHaveLength(3));
    await agent.stop({ killTasks: true });
    expect([...processesOf(task), ...processesOf(dying)]).toEqual([]);
    expect((await reported(task, 'KILLED')).message).toBe('Told to shut down executor.');
    expect((await reported(dying, 'KILLED')).message).toBe('Instructed to kill task.');
  });

  it('may be asked twice, and gives the work directory back', async () => {
    const { agent, workDir } = await startAgent();
    await agent.stop();
    await agent.stop();
    const next = await startAgent({ workDir });
    expect(next.agent.sessionId).not.toBe(agent.sessionId);
  });
});

describe('a second runner for a task', () => {
  it('leaves at once and touches nothing', async () => {
    const { launch, reported, workDir } = await startAgent();
    const task = launchOf({ processes: [{ name: 'a', cmdline: 'sleep 1000' }] });
    launch(task);
    await reported(task, 'RUNNING');
    const second = spawn(process.execPath, [runnerMain, taskPaths(workDir, task.taskId).dir]);
    const [code] = (await once(second, 'exit')) as [number];
    expect(code).toBe(105);
    expect(startsOf(workDir, task)).toEqual(['a']);
  });
});
