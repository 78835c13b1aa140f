import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AgentFixture } from '../fakes/agent-fixture.ts';
import { startAgent, waitFor } from '../fakes/agent-fixture.ts';
import { launchOf } from '../fakes/launches.ts';

const urlOf = ({ agent }: AgentFixture, path: string) => `${agent.observerUrl}${path}`;

async function finishedTask(fixture: AgentFixture) {
  const task = launchOf({
    processes: [
      { name: 'my proc', maxFailures: 2, cmdline: 'echo 0123456789; test -e x || { touch x; exit 1; }' },
    ],
  });
  fixture.launch(task);
  await fixture.reported(task, 'FINISHED');
  return { task, logs: `/tasks/${encodeURIComponent(task.taskId)}/logs/my%20proc` };
}

describe('the observer', () => {
  it('is announced as an attribute and lists tasks', async () => {
    const fixture = await startAgent();
    expect(fixture.agent.offer.attributes.observer).toEqual([fixture.agent.observerUrl]);
    const { task } = await finishedTask(fixture);
    const list = (await (await fetch(urlOf(fixture, '/tasks'))).json()) as { tasks: { taskId: string }[] };
    expect(list.tasks.map((each) => each.taskId)).toEqual([task.taskId]);
    const detail = await (await fetch(urlOf(fixture, `/tasks/${task.taskId}`))).json();
    expect(detail).toMatchObject({ final: { state: 'FINISHED' } });
  });

  it('serves pieces of a log: the last run or a given one, from an offset or from the end', async () => {
    const fixture = await startAgent();
    const { logs } = await finishedTask(fixture);
    const read = async (query: string) => {
      const response = await fetch(urlOf(fixture, `${logs}/stdout${query}`));
      const header = (name: string) => response.headers.get(`borealis-${name}`);
      return [await response.text(), header('log-run'), header('log-next-offset'), header('task-ended')];
    };
    expect(await read('')).toEqual(['0123456789\n', '1', '11', 'true']);
    expect(await read('?offset=3&length=4&run=0')).toEqual(['3456', '0', '7', 'true']);
    expect(await read('?offset=-3')).toEqual(['89\n', '1', '11', 'true']);
    expect(await read('?offset=999')).toEqual(['', '1', '11', 'true']);
  });

  it('follows a log while it grows', async () => {
    const fixture = await startAgent();
    const go = join(fixture.workDir, 'go');
    const task = launchOf({
      processes: [{ name: 'a', cmdline: `echo one; until test -e ${go}; do sleep 0.05; done; echo two` }],
    });
    fixture.launch(task);
    const read = async (offset: number) => {
      const response = await fetch(urlOf(fixture, `/tasks/${task.taskId}/logs/a/stdout?offset=${offset}`));
      return [await response.text(), response.headers.get('borealis-task-ended')];
    };
    await waitFor(async () => expect(await read(0)).toEqual(['one\n', 'false']));
    writeFileSync(go, '');
    await waitFor(async () => expect(await read(4)).toEqual(['two\n', 'true']));
  });

  it.each([
    ['/tasks/none', 404],
    ['/nothing', 404],
    ['LOGS/../../../etc/stdout', 404],
    ['LOGS/other', 404],
    ['PROCESS/..%2f..%2f..%2fetc/stdout', 404],
    ['PROCESS/%2e%2e/stdout', 404],
    ['PROCESS/no-such/stdout', 404],
    ['PROCESS/link/stdout', 404],
    ['LOGS/stdout?run=-1', 400],
    ['LOGS/stdout?run=1%2f..%2f0', 400],
    ['LOGS/stdout?offset=x', 400],
    ['LOGS/%E0%A4%A/stdout', 400],
  ])('answers GET %s with %i', async (path, status) => {
    const fixture = await startAgent();
    const { logs, task } = await finishedTask(fixture);
    const outside = join(fixture.workDir, 'outside', '0');
    mkdirSync(outside, { recursive: true });
    writeFileSync(join(outside, 'stdout'), 'secret');
    symlinkSync(join(fixture.workDir, 'outside'), join(fixture.sandbox(task), '.logs', 'link'));
    const processes = logs.replace('/my%20proc', '');
    const answer = await raw(fixture, path.replace('LOGS', logs).replace('PROCESS', processes));
    expect(answer.status).toBe(status);
    expect(answer.body).not.toContain('secret');
  });

  it('refuses what is not a read, and names that are not this machine', async () => {
    const fixture = await startAgent();
    expect((await fetch(urlOf(fixture, '/tasks'), { method: 'POST' })).status).toBe(405);
    expect((await raw(fixture, '/tasks', 'evil.example')).status).toBe(403);
  });
});

/** A GET whose path and Host are sent as they are, unlike fetch. */
function raw(
  fixture: AgentFixture,
  path: string,
  host = '127.0.0.1',
): Promise<{ status: number; body: string }> {
  const { hostname, port } = new URL(fixture.agent.observerUrl as string);
  return new Promise((resolve, reject) => {
    const call = request({ hostname, port, path, headers: { host } }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    call.on('error', reject);
    call.end();
  });
}
