// Health checks hold RUNNING back and end what is unhealthy (spec/executor.md section 7).
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { HealthCheckConfig } from '../../shared/model/task-config.ts';
import { healthCheckSchema } from '../../shared/model/task-config.ts';
import { processesOf, startAgent, waitFor } from './fakes/agent-fixture.ts';
import { freePort } from './fakes/free-port.ts';
import { launchOf } from './fakes/launches.ts';
import { serverCommand } from './fakes/task-server.ts';

const quick = { initialIntervalSecs: 20, intervalSecs: 0.1, timeoutSecs: 5 };
const healthOf = (more: Parameters<typeof healthCheckSchema.parse>[0]): HealthCheckConfig =>
  healthCheckSchema.parse({ ...quick, ...(more as object) });

describe('health', () => {
  it('assumes a task without a check healthy', async () => {
    const { launch, reported } = await startAgent();
    const task = launchOf({ processes: [{ name: 'a', cmdline: 'sleep 1000' }] });
    launch(task);
    expect((await reported(task, 'RUNNING')).message).toBe(
      'No health-check defined, task is assumed healthy.',
    );
  });

  it('assumes a task healthy whose http check names a port it does not have', async () => {
    const { launch, reported } = await startAgent();
    const task = launchOf({
      processes: [{ name: 'a', cmdline: 'sleep 1000' }],
      healthCheck: healthOf({ http: {} }),
    });
    launch(task);
    expect((await reported(task, 'RUNNING')).message).toContain('assumed healthy');
  });

  it('reports RUNNING only once the http check succeeds', async () => {
    const { launch, reported, transport, log, sandbox } = await startAgent();
    const port = await freePort();
    const task = launchOf({
      ports: { health: port },
      processes: [{ name: 'server', cmdline: `echo not yet > health; ${serverCommand(port)}` }],
      healthCheck: healthOf({ http: {} }),
    });
    launch(task);
    await waitFor(() => expect(log(task, 'server')).toContain('listening'));
    expect(transport.statusesOf(task.taskId).map((status) => status.state)).toEqual(['STARTING']);
    writeFileSync(join(sandbox(task), 'health'), ' OK ');
    expect((await reported(task, 'RUNNING')).message).toBe('Task is healthy.');
  });

  it('reports a task that is up after a moment long before the first interval is over', async () => {
    const { launch, reported } = await startAgent();
    const task = launchOf({
      processes: [{ name: 'a', cmdline: 'sleep 0.3; touch up; sleep 1000' }],
      // With whole intervals only, RUNNING would come after the patience of this test.
      healthCheck: healthOf({
        shell: { command: 'test -e up' },
        initialIntervalSecs: 900,
        intervalSecs: 600,
      }),
    });
    launch(task);
    await reported(task, 'RUNNING');
  });

  it('fails a task that stops answering well, with the reason', async () => {
    const { launch, reported, sandbox } = await startAgent();
    const port = await freePort();
    const task = launchOf({
      ports: { health: port },
      processes: [{ name: 'server', cmdline: serverCommand(port) }],
      healthCheck: healthOf({ http: {}, initialIntervalSecs: 1, maxConsecutiveFailures: 1 }),
    });
    launch(task);
    await reported(task, 'RUNNING');
    writeFileSync(join(sandbox(task), 'health'), 'broken');
    expect((await reported(task, 'FAILED')).message).toMatch(/^Failed health check! Response differs .*500/);
    expect(processesOf(task)).toEqual([]);
  });

  it('fails a task that is never healthy, and never calls it RUNNING', async () => {
    const { launch, reported, transport } = await startAgent();
    const task = launchOf({
      processes: [{ name: 'a', cmdline: 'sleep 1000' }],
      healthCheck: healthOf({ shell: { command: 'exit 7' }, initialIntervalSecs: 0.3 }),
    });
    launch(task);
    expect((await reported(task, 'FAILED')).message).toBe(
      'Failed health check! Health check command ended with exit code 7',
    );
    expect(transport.statusesOf(task.taskId).map((status) => status.state)).toEqual(['STARTING', 'FAILED']);
  });

  it('runs shell checks in the sandbox with templates filled in', async () => {
    const { launch, reported } = await startAgent();
    const task = launchOf({
      instance: 4,
      processes: [{ name: 'a', cmdline: 'touch up; sleep 1000' }],
      healthCheck: healthOf({
        shell: { command: 'test -e up && test {{borealis.instance}} = 4 -a "$HOME" = "$PWD"' },
      }),
    });
    launch(task);
    await reported(task, 'RUNNING');
  });

  it('counts a check that takes too long as failed and ends it', async () => {
    const { launch, reported } = await startAgent();
    const task = launchOf({
      processes: [{ name: 'a', cmdline: 'sleep 1000' }],
      healthCheck: healthOf({ shell: { command: 'sleep 999' }, initialIntervalSecs: 0, timeoutSecs: 0.2 }),
    });
    launch(task);
    expect((await reported(task, 'FAILED')).message).toContain('timed out after 0.2 s');
    expect(processesOf(task)).toEqual([]);
  });

  it('takes the snooze file for a success', async () => {
    const { launch, reported } = await startAgent();
    const task = launchOf({
      processes: [{ name: 'a', cmdline: 'touch .healthchecksnooze; sleep 1000' }],
      healthCheck: healthOf({ shell: { command: 'false' } }),
    });
    launch(task);
    await reported(task, 'RUNNING');
  });
});
