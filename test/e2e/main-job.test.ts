// The main job with everything real: the embedded stack, two agents, the command line, processes that die.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { active, type Installation, processesWith, startInstallation, until } from './harness.ts';
import { jobFile } from './jobs.ts';

let borealis: Installation;
beforeAll(async () => {
  borealis = await startInstallation(['agent-a', 'agent-b']);
});
afterAll(async () => {
  await borealis.stop();
});

const key = 'local/demo/devel/hello-service';

/** The example with room for a slow machine: how fast a killed process comes back must not decide what is tested. */
function patientExample(): string {
  const text = readFileSync('examples/hello-service/job.yaml', 'utf8');
  const patient = text.replace('maxConsecutiveFailures: 2', 'maxConsecutiveFailures: 50');
  expect(patient).not.toBe(text);
  return patient;
}

describe('a service', () => {
  it('reaches RUNNING on all instances from its job file', async () => {
    const created = await borealis.cli(
      'job',
      'create',
      jobFile(borealis.dir, patientExample()),
      '--wait-until',
      'RUNNING',
    );
    expect(created.stderr + created.stdout).toContain('RUNNING');
    expect(created.code).toBe(0);

    const status = await borealis.cli('job', 'status', key, '--json');
    const shown = JSON.parse(status.stdout) as { job: object; tasks: Record<string, unknown>[] };
    expect(shown.tasks.map((task) => [task.instance, task.state])).toEqual([
      [0, 'RUNNING'],
      [1, 'RUNNING'],
      [2, 'RUNNING'],
    ]);
    expect(shown.tasks[0]).toMatchObject({
      taskId: expect.any(String),
      agentId: expect.stringMatching(/^agent-[ab]$/),
    });
    const events = shown.tasks[0]?.events as { state: string; at: string; message: string }[];
    expect(events.map((event) => event.state)).toEqual(['PENDING', 'ASSIGNED', 'STARTING', 'RUNNING']);
    for (const event of events) expect(new Date(event.at).toISOString()).toBe(event.at);
  });

  it('answers on the port each instance was given', async () => {
    const { tasks } = await borealis.job('hello-service');
    const ports = tasks.map((task) => task.grant?.ports.health);
    expect(new Set(ports).size).toBe(3);
    for (const task of tasks) {
      const answer = await fetch(`http://127.0.0.1:${task.grant?.ports.health}/`);
      expect(await answer.text()).toContain(`instance ${task.instance}`);
    }
  });

  it('is refused a second time while it is active', async () => {
    const again = await borealis.cli('job', 'create', 'examples/hello-service/job.yaml');
    expect(again.code).toBe(4);
    expect(again.stderr).toContain('JOB_EXISTS');
  });

  it('runs a killed process again inside its task', async () => {
    const task = active(await borealis.job('hello-service'), 2);
    const pids = processesWith(`BOREALIS_TASK_ID=${task?.taskId}`);
    expect(pids.length).toBeGreaterThan(0);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await until('it to answer again', async () => {
      const answer = await fetch(`http://127.0.0.1:${task?.grant?.ports.health}/health`);
      return (
        answer.ok && !processesWith(`BOREALIS_TASK_ID=${task?.taskId}`).some((pid) => pids.includes(pid))
      );
    });
    const after = active(await borealis.job('hello-service'), 2);
    expect([after?.taskId, after?.state]).toEqual([task?.taskId, 'RUNNING']);
  });

  it('replaces an instance that ends by itself, once', async () => {
    const before = active(await borealis.job('hello-service'), 0);
    await fetch(`http://127.0.0.1:${before?.grant?.ports.health}/quitquitquit`, { method: 'POST' });
    const after = await until('instance 0 to run again', async () => {
      const task = active(await borealis.job('hello-service'), 0);
      return task?.state === 'RUNNING' && task.taskId !== before?.taskId ? task : undefined;
    });
    expect(after).toMatchObject({ generation: 2, ancestorId: before?.taskId });
    const { tasks } = await borealis.job('hello-service');
    expect(tasks.find((task) => task.taskId === before?.taskId)?.state).toBe('FINISHED');
    expect(tasks.filter((task) => task.instance === 0)).toHaveLength(2);
  });

  it('restarts one instance on request and leaves the others', async () => {
    const before = await borealis.job('hello-service');
    const restarted = await borealis.cli('job', 'restart', `${key}/1`, '--all-at-once');
    expect(restarted.code).toBe(0);
    const after = await until('instance 1 to be replaced', async () => {
      const detail = await borealis.job('hello-service');
      const task = active(detail, 1);
      return task?.state === 'RUNNING' && task.taskId !== active(before, 1)?.taskId ? detail : undefined;
    });
    expect(active(after, 2)?.taskId).toBe(active(before, 2)?.taskId);
    const ended = after.tasks.find((task) => task.taskId === active(before, 1)?.taskId);
    expect(ended?.events.map((event) => event.state)).toContain('RESTARTING');
  });

  it('grows by job add and shrinks by job kill', async () => {
    expect((await borealis.cli('job', 'add', key, '2')).code).toBe(0);
    await until('five running instances', async () => {
      const { tasks } = await borealis.job('hello-service');
      return tasks.filter((task) => task.state === 'RUNNING').length === 5;
    });
    const killed = await borealis.cli('job', 'kill', `${key}/3-4`, '--wait');
    expect(killed.code).toBe(0);
    const detail = await borealis.job('hello-service');
    expect([0, 1, 2, 3, 4].map((instance) => active(detail, instance)?.state)).toEqual([
      'RUNNING',
      'RUNNING',
      'RUNNING',
      undefined,
      undefined,
    ]);
    expect(detail.job.instances).toBe(3);
  });

  it('shows its log', async () => {
    const logs = await borealis.cli('task', 'logs', `${key}/2`);
    expect(logs.stdout).toContain('listening on port');
    expect(logs.code).toBe(0);
  });

  it('ends with killall and leaves no process and no resources behind', async () => {
    const { tasks } = await borealis.job('hello-service');
    const ended = await borealis.cli('job', 'killall', key, '--wait', '--yes');
    expect(ended.code).toBe(0);
    for (const task of tasks) expect(processesWith(`BOREALIS_TASK_ID=${task.taskId}`)).toEqual([]);
    await until('agents to be free again', async () => {
      const { agents } = await borealis.api.call('listAgents', { query: {} });
      return agents.every(
        (agent) => agent.tasks.length === 0 && agent.free.cpuMilli === agent.capacity.cpuMilli,
      );
    });
  });

  it('can be created again after it has ended', async () => {
    const again = await borealis.cli(
      'job',
      'create',
      'examples/hello-service/job.yaml',
      '--wait-until',
      'RUNNING',
    );
    expect(again.code).toBe(0);
    expect((await borealis.cli('job', 'killall', key, '--wait', '--yes')).code).toBe(0);
  });
});

describe('a batch job', () => {
  it('runs its processes in order and finishes', async () => {
    const done = await borealis.cli(
      'job',
      'create',
      'examples/hello-batch/job.yaml',
      '--wait-until',
      'FINISHED',
    );
    expect(done.code).toBe(0);
    const { tasks } = await borealis.job('hello-batch');
    expect(tasks.map((task) => task.state)).toEqual(['FINISHED']);
    const log = await borealis.cli('task', 'logs', 'local/demo/devel/hello-batch/0', '--process', 'report');
    expect(log.stdout).toContain('is 338350');
  });
});

describe('work that does not fit', () => {
  const ask = (cpu: number, constraints = '') => `
role: demo
environment: devel
name: big-${cpu}
${constraints}
task:
  resources: { cpu: ${cpu}, ramMb: 64, diskMb: 64 }
  processes: [{ name: p, cmdline: sleep 600 }]
`;

  it.each([
    [500, 'never'],
    [3.5, 'room'],
  ])('is explained: %s cores', async (cpu, word) => {
    const filler = join(borealis.dir, 'filler.yaml');
    writeFileSync(filler, ask(3).replace('big-3', 'filler').replace('task:', 'instances: 2\ntask:'));
    await borealis.cli('job', 'create', filler, '--wait-until', 'RUNNING');
    const file = join(borealis.dir, `big-${cpu}.yaml`);
    writeFileSync(file, ask(cpu));
    expect((await borealis.cli('job', 'create', file)).code).toBe(0);
    const why = await until('a reason', async () => {
      const shown = await borealis.cli('job', 'why', `local/demo/devel/big-${cpu}`);
      return shown.stdout.includes(word) ? shown : undefined;
    });
    expect(why.stdout).toContain('CPU');
    await borealis.cli('job', 'killall', `local/demo/devel/big-${cpu}`, '--yes', '--wait');
    await borealis.cli('job', 'killall', 'local/demo/devel/filler', '--yes', '--wait');
  });

  it('is placed as soon as room appears', async () => {
    const filler = join(borealis.dir, 'filler.yaml');
    writeFileSync(filler, ask(3).replace('big-3', 'filler').replace('task:', 'instances: 2\ntask:'));
    await borealis.cli('job', 'create', filler, '--wait-until', 'RUNNING');
    const file = join(borealis.dir, 'waits.yaml');
    writeFileSync(file, ask(3.5));
    await borealis.cli('job', 'create', file);
    await until('it to wait', async () => (await borealis.job('big-3.5')).counts.pending === 1);
    await borealis.cli('job', 'kill', 'local/demo/devel/filler/0', '--wait');
    await until('it to run', async () => active(await borealis.job('big-3.5'), 0)?.state === 'RUNNING');
    await borealis.cli('job', 'killall', 'local/demo/devel/filler', '--yes', '--wait');
    await borealis.cli('job', 'killall', 'local/demo/devel/big-3.5', '--yes', '--wait');
  });
});

describe('bad input', () => {
  it('is refused with file, line and column, and nothing is stored', async () => {
    const file = join(borealis.dir, 'bad.yaml');
    writeFileSync(
      file,
      readFileSync('examples/hello-batch/job.yaml', 'utf8')
        .replace('maxFailures', 'max_failures')
        .replace('name: hello-batch', 'name: bad'),
    );
    const refused = await borealis.cli('job', 'create', file);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toMatch(/bad\.yaml:\d+:\d+/);
    expect(refused.stderr).toContain('maxFailures');
    await expect(borealis.job('bad')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it.each([
    ['broken JSON', 'POST', '/jobs/demo/devel/x', '{"role":', 400, 'MALFORMED_BODY'],
    [
      'a body of 2 MiB',
      'POST',
      '/jobs/demo/devel/x',
      `"${'x'.repeat(2 * 1024 * 1024)}"`,
      413,
      'BODY_TOO_LARGE',
    ],
    ['an unknown route', 'GET', '/nothing/here/at/all/of/it', undefined, 404, 'ROUTE_NOT_FOUND'],
    ['a bad job key', 'GET', '/jobs/de%20mo/devel/x', undefined, 400, 'INVALID_REQUEST'],
    ['an empty object', 'POST', '/jobs/demo/devel/x', '{}', 400, 'INVALID_REQUEST'],
  ])('over HTTP answers a problem document: %s', async (_what, method, path, body, status, code) => {
    const answer = await fetch(borealis.apiUrl + path, {
      method,
      ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } }),
    });
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({
      code,
      status,
      requestId: expect.any(String),
      detail: expect.any(String),
    });
  });
});
