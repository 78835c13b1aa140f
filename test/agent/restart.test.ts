// Tasks outlive their agent; a task never outlives its runner (spec/executor.md section 10; issue point 12).
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { taskPaths } from '../../agent/runtime/layout.ts';
import { sendSignal } from '../../agent/runtime/procfs.ts';
import type { TaskLaunch } from '../../shared/model/protocol.ts';
import {
  processesOf,
  readIfThere,
  startAgent,
  startsOf,
  temporaryDir,
  waitFor,
} from './fakes/agent-fixture.ts';
import { fileControl } from './fakes/file-transport.ts';
import { launchOf } from './fakes/launches.ts';

const script = fileURLToPath(new URL('./fakes/agent-process.ts', import.meta.url));

/** A machine whose agent can be killed and started again; at the end nothing is left on it. */
function machine() {
  const [workDir, controlDir] = [temporaryDir(), temporaryDir()];
  const control = fileControl(controlDir);
  const tasks: TaskLaunch[] = [];
  let child: ChildProcess | undefined;
  const end = (signal: NodeJS.Signals) =>
    new Promise<void>((resolve) => {
      if (!child || child.exitCode !== null || child.signalCode !== null) return resolve();
      child.once('exit', () => resolve());
      child.kill(signal);
    });
  const start = async () => {
    const started = spawn(process.execPath, [script, workDir, controlDir], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    child = started;
    await new Promise<void>((resolve, reject) => {
      started.stdout.once('data', () => resolve());
      started.once('exit', () => reject(new Error('the agent did not start')));
    });
  };
  onTestFinished(async () => {
    await end('SIGKILL');
    for (const task of tasks) {
      const runner = runnerPid(workDir, task);
      if (runner !== undefined) sendSignal(runner, 'SIGKILL');
      for (const pid of processesOf(task)) sendSignal(pid, 'SIGKILL');
    }
  });
  const launch = (input: Parameters<typeof launchOf>[0]): TaskLaunch => {
    const task = launchOf(input);
    tasks.push(task);
    control.command({ v: 1, kind: 'launch', tasks: [task] });
    return task;
  };
  const reported = (task: TaskLaunch, state: string) =>
    waitFor(() => {
      const status = control.statusesOf(task.taskId).find((each) => each.state === state);
      expect(status, JSON.stringify(control.statusesOf(task.taskId))).toBeDefined();
      return status;
    });
  return { workDir, controlDir, control, start, end, launch, reported };
}

function runnerPid(workDir: string, task: TaskLaunch): number | undefined {
  const text = readIfThere(taskPaths(workDir, task.taskId).runner);
  return text === '' ? undefined : (JSON.parse(text) as { pid: number }).pid;
}

describe('an agent that is killed and started again', () => {
  it('adopts its running task: the same process, no second start, the end is reported', async () => {
    const { workDir, controlDir, control, start, end, launch, reported } = machine();
    await start();
    const go = join(controlDir, 'go');
    const task = launch({
      processes: [{ name: 'a', cmdline: `echo start; until test -e ${go}; do sleep 0.1; done; echo end` }],
    });
    await reported(task, 'RUNNING');
    const before = processesOf(task);
    expect(before.length).toBeGreaterThan(0);
    await end('SIGKILL');
    expect(processesOf(task)).toContain(before[0]);
    await start();
    control.setLevel({ agentId: 'agent-1', asOf: 1, tasks: [{ state: 'RUNNING', run: true, launch: task }] });
    control.command({ v: 1, kind: 'launch', tasks: [task] });
    expect(processesOf(task)).toContain(before[0]);
    writeFileSync(go, '');
    await reported(task, 'FINISHED');
    expect(startsOf(workDir, task)).toEqual(['a']);
    const log = join(taskPaths(workDir, task.taskId).sandbox, '.logs', 'a', '0', 'stdout');
    expect(readFileSync(log, 'utf8')).toBe('start\nend\n');
  });

  it('reports what happened while it was away', async () => {
    const { workDir, controlDir, start, end, launch, reported, control } = machine();
    await start();
    const go = join(controlDir, 'go');
    const task = launch({
      processes: [{ name: 'a', cmdline: `until test -e ${go}; do sleep 0.05; done` }],
    });
    await reported(task, 'RUNNING');
    await end('SIGKILL');
    writeFileSync(go, '');
    await waitFor(() =>
      expect(readIfThere(taskPaths(workDir, task.taskId).checkpoint)).toContain('FINISHED'),
    );
    expect(control.statusesOf(task.taskId).map((status) => status.state)).not.toContain('FINISHED');
    await start();
    await reported(task, 'FINISHED');
  });

  it('never runs an ended task again, even if it is launched again and its files are gone', async () => {
    const { workDir, start, end, launch, reported, control } = machine();
    await start();
    const task = launch({ processes: [{ name: 'a', cmdline: `echo x >> ${workDir}/runs` }] });
    await reported(task, 'FINISHED');
    await end('SIGKILL');
    rmSync(taskPaths(workDir, task.taskId).dir, { recursive: true });
    await start();
    control.setLevel({ agentId: 'agent-1', asOf: 1, tasks: [{ state: 'RUNNING', run: true, launch: task }] });
    control.command({ v: 1, kind: 'launch', tasks: [task] });
    await waitFor(() => {
      const finals = control.statusesOf(task.taskId).filter((status) => status.state === 'FINISHED');
      expect(finals.length).toBeGreaterThan(1);
    });
    expect(readFileSync(join(workDir, 'runs'), 'utf8')).toBe('x\n');
  });

  it('does not lose the end of a task that came during an outage and before a crash', async () => {
    const { controlDir, start, end, launch, reported, control, workDir } = machine();
    await start();
    const go = join(controlDir, 'go');
    const task = launch({
      processes: [{ name: 'a', cmdline: `until test -e ${go}; do sleep 0.05; done; exit 1` }],
    });
    await reported(task, 'RUNNING');
    writeFileSync(join(controlDir, 'down'), '');
    writeFileSync(go, '');
    await waitFor(() => expect(readIfThere(taskPaths(workDir, task.taskId).checkpoint)).toContain('FAILED'));
    await end('SIGKILL');
    expect(control.statusesOf(task.taskId).map((status) => status.state)).not.toContain('FAILED');
    await start();
    rmSync(join(controlDir, 'down'));
    await reported(task, 'FAILED');
  });

  it('reports a task LOST whose runner died meanwhile, and kills what is left of it', async () => {
    const { workDir, start, end, launch, reported } = machine();
    await start();
    const task = launch({ processes: [{ name: 'a', cmdline: '(setsid sleep 1000 &); sleep 1000' }] });
    await reported(task, 'RUNNING');
    await waitFor(() => expect(processesOf(task).length).toBeGreaterThan(1));
    await end('SIGKILL');
    sendSignal(runnerPid(workDir, task) as number, 'SIGKILL');
    expect(processesOf(task).length).toBeGreaterThan(1);
    await start();
    expect(await reported(task, 'LOST')).toMatchObject({ message: 'Runner died while task was active.' });
    expect(processesOf(task)).toEqual([]);
  });

  it('leaves tasks running when it is stopped in order', async () => {
    const { start, end, launch, reported, control } = machine();
    await start();
    const task = launch({ processes: [{ name: 'a', cmdline: 'sleep 1000' }] });
    await reported(task, 'RUNNING');
    await end('SIGTERM');
    expect(processesOf(task).length).toBeGreaterThan(0);
    await start();
    control.command({ v: 1, kind: 'kill', taskIds: [task.taskId] });
    await reported(task, 'KILLED');
    expect(processesOf(task)).toEqual([]);
  });
});

describe('a runner that is killed under a live agent', () => {
  it('loses its task, and nothing of it stays', async () => {
    const { launch, reported, workDir } = await startAgent();
    const task = launchOf({
      processes: [{ name: 'a', cmdline: 'trap "" TERM; sleep 1000 & sleep 1001; sleep 1' }],
    });
    launch(task);
    await reported(task, 'RUNNING');
    sendSignal(runnerPid(workDir, task) as number, 'SIGKILL');
    expect((await reported(task, 'LOST')).message).toBe('Runner died while task was active.');
    expect(processesOf(task)).toEqual([]);
  });
});

describe('a work directory', () => {
  it('has one agent at a time', async () => {
    const { workDir } = await startAgent();
    await expect(startAgent({ workDir })).rejects.toThrow(/already uses the work directory/);
  });
});
