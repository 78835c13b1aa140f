// How tasks are ended: escalation, whole process trees, HTTP lifecycle (spec/executor.md section 8).
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { processesOf, readIfThere, startAgent, waitFor } from './fakes/agent-fixture.ts';
import { freePort } from './fakes/free-port.ts';
import { launchOf } from './fakes/launches.ts';
import { serverCommand } from './fakes/task-server.ts';

describe('ending a task', () => {
  it('lets processes clean up on SIGTERM', async () => {
    const { launch, kill, reported, sandbox } = await startAgent();
    const task = launchOf({
      processes: [
        { name: 'a', cmdline: 'trap "echo cleaned > result; exit 0" TERM; touch up; sleep 1000 & wait' },
      ],
    });
    launch(task);
    await reported(task, 'RUNNING');
    await waitFor(() => expect(processesOf(task).length).toBeGreaterThan(1));
    kill(task);
    await reported(task, 'KILLED');
    expect(readIfThere(join(sandbox(task), 'result'))).toBe('cleaned\n');
  });

  it('kills a process that ignores SIGTERM once the budget is used up', async () => {
    const { launch, kill, reported } = await startAgent({ timings: { killBudgetMs: 700 } });
    const task = launchOf({
      processes: [{ name: 'stubborn', cmdline: 'trap "" TERM; echo ready; while true; do sleep 0.1; done' }],
    });
    launch(task);
    await reported(task, 'RUNNING');
    kill(task);
    expect((await reported(task, 'KILLED')).message).toBe('Instructed to kill task.');
    expect(processesOf(task)).toEqual([]);
  });

  it('kills grandchildren too: in the background, in a session of their own, and without a parent', async () => {
    const { launch, kill, reported } = await startAgent({ timings: { killBudgetMs: 700 } });
    const task = launchOf({
      processes: [
        {
          name: 'tree',
          cmdline: [
            'trap "" TERM',
            'sleep 1001 &',
            '(setsid bash -c \'trap "" TERM; sleep 1002; sleep 1003\' &)',
            '(bash -c \'trap "" TERM; sleep 1004; sleep 1005\' &)',
            'wait; sleep 1006',
          ].join('\n'),
        },
      ],
    });
    launch(task);
    await waitFor(() => expect(processesOf(task).length).toBeGreaterThanOrEqual(5));
    kill(task);
    await reported(task, 'KILLED');
    expect(processesOf(task)).toEqual([]);
  });

  it('ends what a finished process left behind', async () => {
    const { launch, reported } = await startAgent();
    const task = launchOf({ processes: [{ name: 'a', cmdline: 'sleep 1000 & exit 0' }] });
    launch(task);
    await reported(task, 'FINISHED');
    expect(processesOf(task)).toEqual([]);
  });

  it('runs final processes within the budget of the kill', async () => {
    const { launch, kill, reported, sandbox } = await startAgent();
    const task = launchOf({
      processes: [
        { name: 'main', cmdline: 'sleep 1000' },
        { name: 'report', final: true, cmdline: 'echo done > report' },
      ],
    });
    launch(task);
    await reported(task, 'RUNNING');
    kill(task);
    await reported(task, 'KILLED');
    expect(readIfThere(join(sandbox(task), 'report'))).toBe('done\n');
  });

  it('asks over HTTP first and sends no signal to a task that ends then', async () => {
    const { launch, kill, reported, sandbox, log } = await startAgent();
    const port = await freePort();
    const task = launchOf({
      ports: { health: port },
      processes: [{ name: 'server', cmdline: serverCommand(port) }],
      httpLifecycle: {
        port: 'health',
        gracefulShutdownEndpoint: '/quitquitquit',
        shutdownEndpoint: '/abortabortabort',
        gracefulShutdownWaitSecs: 20,
        shutdownWaitSecs: 20,
      },
    });
    launch(task);
    await waitFor(() => expect(log(task, 'server')).toContain('listening'));
    kill(task);
    await reported(task, 'KILLED');
    expect(readIfThere(join(sandbox(task), 'requests'))).toBe('POST /quitquitquit\n');
    expect(readIfThere(join(sandbox(task), 'signals'))).toBe('');
  });

  it('goes on with signals when the HTTP steps move nothing', async () => {
    const { launch, kill, reported, sandbox, log } = await startAgent();
    const port = await freePort();
    const task = launchOf({
      ports: { health: port },
      processes: [{ name: 'server', cmdline: serverCommand(port) }],
      httpLifecycle: {
        port: 'health',
        gracefulShutdownEndpoint: '/nothing',
        shutdownEndpoint: '/nothing-either',
        gracefulShutdownWaitSecs: 0.2,
        shutdownWaitSecs: 0.2,
      },
    });
    launch(task);
    await waitFor(() => expect(log(task, 'server')).toContain('listening'));
    kill(task);
    await reported(task, 'KILLED');
    expect(readIfThere(join(sandbox(task), 'requests'))).toBe('POST /nothing\nPOST /nothing-either\n');
    expect(readIfThere(join(sandbox(task), 'signals'))).toBe('SIGTERM\n');
  });

  it('ends a task that is killed right after its launch exactly once', async () => {
    const { transport, reported } = await startAgent();
    const task = launchOf({ processes: [{ name: 'a', cmdline: 'sleep 1000' }] });
    transport.command({ v: 1, kind: 'launch', tasks: [task] });
    transport.command({ v: 1, kind: 'kill', taskIds: [task.taskId] });
    await reported(task, 'KILLED');
    expect(processesOf(task)).toEqual([]);
    expect(transport.statusesOf(task.taskId).filter((status) => status.state === 'KILLED')).toHaveLength(1);
  });

  it('never runs a task whose kill came before its launch', async () => {
    const { launch, kill, reported, transport, workDir } = await startAgent();
    const task = launchOf({ processes: [{ name: 'a', cmdline: 'sleep 1000' }] });
    kill(task);
    await reported(task, 'KILLED');
    launch(task);
    await waitFor(() => expect(transport.acknowledged).toHaveLength(2));
    expect(readIfThere(join(workDir, 'tasks', task.taskId, 'task.json'))).toBe('');
    expect(processesOf(task)).toEqual([]);
  });
});
