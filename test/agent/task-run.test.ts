import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { processesOf, startAgent, startsOf, waitFor } from './fakes/agent-fixture.ts';
import { launchOf } from './fakes/launches.ts';

describe('a task on an agent', () => {
  it('registers with its offer, runs a task to its end and reports each state once', async () => {
    const { launch, reported, transport, log, sandbox } = await startAgent();
    await waitFor(() => expect(transport.reports.map((report) => report.kind)).toContain('register'));
    const task = launchOf({
      processes: [{ name: 'hello', cmdline: 'echo "hello"; echo oops > /dev/stderr' }],
    });
    launch(task);
    expect((await reported(task, 'FINISHED')).message).toBe('Task finished.');
    expect(transport.statusesOf(task.taskId).map((status) => status.state)).toEqual([
      'STARTING',
      'RUNNING',
      'FINISHED',
    ]);
    expect(log(task, 'hello')).toBe('hello\n');
    expect(log(task, 'hello', 0, 'stderr')).toBe('oops\n');
    expect(statSync(sandbox(task)).mode & 0o777).toBe(0o700);
  });

  it('fills in templates and gives its processes the documented environment and nothing else', async () => {
    const { launch, reported, log, sandbox } = await startAgent({ taskPath: '/usr/bin:/bin' });
    const task = launchOf({
      instance: 3,
      ports: { http: 31_234 },
      processes: [
        { name: 'env', cmdline: 'env | grep -v -e ^SHLVL= -e ^_= -e ^PWD= | sort' },
        {
          name: 'tpl',
          cmdline: 'echo {{borealis.instance}} {{borealis.hostname}} {{borealis.ports[http]}}; pwd',
        },
      ],
    });
    launch(task);
    await reported(task, 'FINISHED');
    expect(log(task, 'tpl')).toBe(`3 host-1 31234\n${sandbox(task)}\n`);
    const variables = Object.fromEntries(
      log(task, 'env')
        .trim()
        .split('\n')
        .map((line) => line.split('=') as [string, string]),
    );
    expect(Object.keys(variables).sort()).toEqual(
      [
        'BOREALIS_INSTANCE',
        'BOREALIS_PORT_HTTP',
        'BOREALIS_TASK_ID',
        'HOME',
        'LOGNAME',
        'PATH',
        'USER',
      ].sort(),
    );
    expect(variables.HOME).toBe(sandbox(task));
    expect(variables.BOREALIS_PORT_HTTP).toBe('31234');
  });

  it('fails a task whose command refers to a port it was not given, without running it', async () => {
    const { launch, reported } = await startAgent();
    const task = launchOf({ processes: [{ name: 'a', cmdline: 'echo {{borealis.ports[nope]}}' }] });
    launch(task);
    expect((await reported(task, 'FAILED')).message).toContain('no port named nope');
  });

  it('runs ordered processes one after another and independent ones side by side', async () => {
    const { launch, reported, workDir, sandbox } = await startAgent();
    const task = launchOf({
      processes: [
        { name: 'last', cmdline: 'cat order > seen; echo last >> order' },
        { name: 'first', cmdline: 'sleep 0.2; echo first >> order' },
        { name: 'middle', cmdline: 'echo middle >> order' },
      ],
      ordering: [['first', 'middle', 'last']],
    });
    launch(task);
    await reported(task, 'FINISHED');
    expect(startsOf(workDir, task)).toEqual(['first', 'middle', 'last']);
    expect(readFileSync(join(sandbox(task), 'seen'), 'utf8')).toBe('first\nmiddle\n');
  });

  it('kills on request and leaves no process', async () => {
    const { launch, kill, reported } = await startAgent();
    const task = launchOf({ processes: [{ name: 'a', cmdline: 'sleep 1000' }] });
    launch(task);
    await reported(task, 'RUNNING');
    kill(task);
    expect((await reported(task, 'KILLED')).message).toBe('Instructed to kill task.');
    expect(processesOf(task)).toEqual([]);
  });
});
