import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { taskPaths } from '../../agent/runtime/layout.ts';
import type { AgentView } from '../../shared/api/views.ts';
import { type Answers, type FakeApi, fakeApi, jobDetail, ok, problem, taskView } from './support/fake-api.ts';
import { runCli } from './support/fake-io.ts';

const key = 'local/www/prod/hello';
const detail = jobDetail([taskView(0, 'RUNNING'), taskView(1, 'RUNNING')]);
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

function agentView(attributes: AgentView['attributes']): AgentView {
  return {
    agentId: 'agent-1',
    host: 'somewhere',
    pool: 'default',
    version: '0.1.0',
    mode: 'NONE',
    drain: null,
    attributes,
    capacity: { cpuMilli: 4000, ramMb: 8192, diskMb: 100, gpus: ['T4'], portRange: [31_000, 32_000] },
    registeredAt: '2026-11-22T10:00:00.000Z',
    presence: 'present',
    lastSeenAt: null,
    free: { cpuMilli: 2500, ramMb: 8192, diskMb: 100, gpuMilli: [400] },
    tasks: ['www~prod~hello~0~1~abcd1234'],
  };
}

async function serve(attributes: AgentView['attributes'], more: Answers = {}): Promise<FakeApi> {
  const api = await fakeApi({
    'GET /jobs/www/prod/hello': () => ok(detail),
    'GET /agents/agent-1': () => ok(agentView(attributes)),
    'GET /agents': () => ok({ agents: [agentView(attributes)], nextCursor: null }),
    ...more,
  });
  open.push(() => api.close());
  return api;
}

/** An agent's log server: the text of each task's log grows by one piece per request. */
async function observer(pieces: readonly string[], ended = true): Promise<string> {
  const asked = new Map<string, number>();
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://observer');
    const times = (asked.get(url.pathname) ?? 0) + 1;
    asked.set(url.pathname, times);
    const bytes = Buffer.from(pieces.slice(0, times).join(''));
    const offset = Number(url.searchParams.get('offset'));
    const from = offset < 0 ? Math.max(0, bytes.length + offset) : offset;
    response.writeHead(200, {
      'borealis-log-run': '0',
      'borealis-log-next-offset': String(bytes.length),
      'borealis-task-ended': String(ended && times >= pieces.length),
    });
    response.end(bytes.subarray(from));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('task logs', () => {
  it('prints the log of one instance as it is', async () => {
    const api = await serve({ observer: [await observer(['one\ntwo\n'])] });
    const { code, out } = await runCli(['task', 'logs', `${key}/0`], { api: api.url });
    expect([code, out]).toEqual([0, 'one\ntwo\n']);
  });

  it('labels lines when there are several sources', async () => {
    const api = await serve({ observer: [await observer(['one\ntwo'])] });
    const { out } = await runCli(['task', 'logs', key], { api: api.url });
    expect(out.split('\n').toSorted()).toEqual([
      '',
      '0/server: one',
      '0/server: two',
      '1/server: one',
      '1/server: two',
    ]);
  });

  it('follows until the task has ended, and does not break characters', async () => {
    const text = 'größe\n';
    const bytes = Buffer.from(text);
    const halves = [bytes.subarray(0, 3), bytes.subarray(3)];
    const server = createServer((request, response) => {
      const offset = Number(new URL(request.url ?? '/', 'http://x').searchParams.get('offset'));
      const piece = halves.find((_half, index) => offset === (index === 0 ? 0 : 3)) ?? Buffer.alloc(0);
      response.writeHead(200, {
        'borealis-log-run': '0',
        'borealis-log-next-offset': String(offset + piece.length),
        'borealis-task-ended': String(offset >= bytes.length),
      });
      response.end(piece);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push(() => server.close());
    const observerUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const api = await serve({ observer: [observerUrl] });
    const { code, out } = await runCli(['task', 'logs', `${key}/0`, '-f'], { api: api.url });
    expect([code, out]).toEqual([0, text]);
  });

  it('begins some bytes before the end with --tail', async () => {
    const api = await serve({ observer: [await observer(['0123456789'])] });
    const { out } = await runCli(['task', 'logs', `${key}/0`, '--tail', '3'], { api: api.url });
    expect(out).toBe('789');
  });

  it.each([
    [['--process', 'nobody'], 6, 'there are server'],
    [['--tail', 'x'], 6, '--tail "x"'],
  ])('with %j ends with %d', async (flags, exitCode, words) => {
    const api = await serve({ observer: [await observer([''])] });
    const { code, err } = await runCli(['task', 'logs', `${key}/0`, ...flags], { api: api.url });
    expect(code).toBe(exitCode);
    expect(err).toContain(words);
  });

  it('of a task that is nowhere yet says so', async () => {
    const api = await serve(
      {},
      { 'GET /jobs/www/prod/hello': () => ok(jobDetail([taskView(0, 'PENDING')])) },
    );
    const { code, err } = await runCli(['task', 'logs', key], { api: api.url });
    expect(code).toBe(6);
    expect(err).toContain('has been on an agent yet');
  });

  it('ends with 30 and the reason when the agent refuses to show this task to this user', async () => {
    const server = createServer((_request, response) => {
      response.writeHead(403, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ code: 'FORBIDDEN', detail: 'user 7 reads its own only' }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push(() => server.close());
    const observerUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const api = await serve({ observer: [observerUrl] });
    const { code, err } = await runCli(['task', 'logs', `${key}/0`], { api: api.url });
    expect(code).toBe(30);
    expect(err).toContain('user 7 reads its own only');
  });

  it('ends with 7 when the agent is not reachable from here', async () => {
    const api = await serve({ observer: ['http://127.0.0.1:1'] });
    const { code, err } = await runCli(['task', 'logs', `${key}/0`], { api: api.url });
    expect(code).toBe(7);
    expect(err).toContain('--observer-host');
  });
});

describe('task run', () => {
  function sandboxes(): string {
    const workDir = mkdtempSync(join(tmpdir(), 'borealis-test-'));
    open.push(() => rmSync(workDir, { recursive: true, force: true }));
    for (const { taskId, instance } of detail.tasks) {
      const { sandbox } = taskPaths(workDir, taskId);
      mkdirSync(sandbox, { recursive: true });
      writeFileSync(join(sandbox, 'who.txt'), `i am ${instance}\n`);
    }
    return workDir;
  }

  it('runs in the sandbox of each live task, lines marked with instance and host', async () => {
    const api = await serve({ 'work-dir': [sandboxes()] });
    const line = 'cat who.txt; echo port {{borealis.ports[health]}} {{borealis.instance}}';
    const { code, out } = await runCli(['task', 'run', key, line], { api: api.url });
    expect(code).toBe(0);
    expect(out.trimEnd().split('\n')).toEqual([
      '0 somewhere: i am 0',
      '0 somewhere: port 31000 0',
      '1 somewhere: i am 1',
      '1 somewhere: port 31001 1',
    ]);
  });

  it('ends with 4 when the command fails somewhere, after running everywhere', async () => {
    const api = await serve({ 'work-dir': [sandboxes()] });
    const { code, out, err } = await runCli(
      ['task', 'run', key, 'cat who.txt; test {{borealis.instance}} = 1', '-t', '2'],
      {
        api: api.url,
      },
    );
    expect(code).toBe(4);
    expect(out).toContain('1 somewhere: i am 1');
    expect(err).toContain('failed in 1 of 2 tasks');
  });

  it('goes over ssh when the sandbox is on another machine', async () => {
    const workDir = sandboxes();
    const bin = mkdtempSync(join(tmpdir(), 'borealis-ssh-'));
    open.push(() => rmSync(bin, { recursive: true, force: true }));
    writeFileSync(join(bin, 'ssh'), '#!/bin/sh\nfor word; do echo "[$word]"; done\n', { mode: 0o755 });
    const api = await serve({ 'work-dir': [join(dirname(workDir), 'elsewhere')] });
    const before = process.env.PATH;
    process.env.PATH = `${bin}:${before ?? ''}`;
    open.push(() => {
      process.env.PATH = before;
    });
    const argv = ['task', 'run', `${key}/0`, 'ls', '-l', 'deploy', '--ssh-option', 'BatchMode=yes'];
    const { code, out } = await runCli(argv, { api: api.url });
    expect(code).toBe(0);
    expect(out).toContain('[BatchMode=yes]');
    expect(out).toContain('[-l]\n0 somewhere: [deploy]\n0 somewhere: [--]\n0 somewhere: [somewhere]');
    expect(out).toMatch(/\[cd '.*elsewhere\/tasks\/www~prod~hello~0~1~abcd1234\/sandbox' && ls\]/);
  });
});

describe('agent list and status', () => {
  it('show what is free of what there is', async () => {
    const api = await serve({ rack: ['r1'] });
    const list = await runCli(['agent', 'list'], { api: api.url });
    expect(list.out).toMatch(
      /agent-1 +somewhere +default +in use +1 +2.5 of 4 +8 GiB of 8 GiB +100 MiB of 100 MiB +0.4 of 1 +never/,
    );
    const status = await runCli(['agent', 'status', 'agent-1'], { api: api.url });
    expect(status.out).toContain('rack        r1');
    expect(status.out).toContain('www~prod~hello~0~1~abcd1234');
  });

  it('print JSON', async () => {
    const api = await serve({});
    const list = JSON.parse((await runCli(['agent', 'list', '--json'], { api: api.url })).out) as {
      agents: unknown[];
    };
    expect(list.agents).toHaveLength(1);
    const one = JSON.parse(
      (await runCli(['agent', 'status', 'agent-1', '--json'], { api: api.url })).out,
    ) as object;
    expect(one).toMatchObject({ agentId: 'agent-1' });
  });

  it('of an unknown agent ends with 6', async () => {
    const api = await serve({}, { 'GET /agents/agent-9': () => problem(404, 'NOT_FOUND', 'no such agent') });
    expect((await runCli(['agent', 'status', 'agent-9'], { api: api.url })).code).toBe(6);
  });

  it('agent run refuses a time to kill that it can not read', async () => {
    const api = await serve({});
    const { code, err } = await runCli(['agent', 'run', '--kill-wait=soon'], { api: api.url });
    expect(code).toBe(6);
    expect(err).toContain('"soon" is not a time span');
    expect(api.asked).toEqual([]);
  });

  it.each([
    ['--cpu', '0'],
    ['--cpu', 'many'],
    ['--ram', '-1'],
    ['--ports', '9-1'],
    ['--ports', '1-70000'],
    ['--attr', 'rack'],
    ['--id', 'a b'],
    ['--kill-wait', '5m'],
  ])('agent run refuses %s %s before it starts', async (flag, value) => {
    const api = await serve({});
    const { code, err } = await runCli(['agent', 'run', `${flag}=${value}`], { api: api.url });
    expect(code).toBe(6);
    expect(err).toContain('the agent was not started');
    expect(api.asked).toEqual([]);
  });
});

describe('version and completion', () => {
  it('says which API is used and who said so', async () => {
    const api = await serve({});
    const fromEnv = await runCli(['version', '--json'], { api: api.url });
    expect(JSON.parse(fromEnv.out)).toMatchObject({
      api: api.url,
      source: 'BOREALIS_API',
      server: { cluster: 'local' },
    });
    const fromFlag = await runCli(['--api', api.url, 'version'], { api: 'http://127.0.0.1:1' });
    expect(fromFlag.out).toContain(`${api.url} (from --api)`);
  });

  it('of an API that is not there ends with 7 and still says where it looked', async () => {
    const { code, out } = await runCli(['version', '--json'], { api: 'http://127.0.0.1:1' });
    expect(code).toBe(7);
    expect(JSON.parse(out)).toMatchObject({ api: 'http://127.0.0.1:1', server: null });
  });

  it('refuses an address that is none', async () => {
    const { code, err } = await runCli(['job', 'list'], { api: 'ftp://x' });
    expect(code).toBe(6);
    expect(err).toContain('BOREALIS_API');
  });
});
