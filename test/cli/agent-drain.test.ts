// The commands that empty agents, take them back and forget them, against a server that answers what a test tells it to.
import { afterEach, describe, expect, it } from 'vitest';
import type { AgentView, DrainStatus } from '../../shared/api/views.ts';
import { type Answers, type FakeApi, fakeApi, ok, problem } from './support/fake-api.ts';
import { runCli } from './support/fake-io.ts';

let api: FakeApi | undefined;
afterEach(async () => {
  await api?.close();
});

const taskId = 'www~prod~hello~0~1~abcd1234';
const drain = {
  requestedAt: '2026-11-22T10:00:00.000Z',
  deadlineAt: '2036-11-22T11:00:00.000Z',
  percentage: 95,
  settledSecs: 30,
  reason: 'new kernel',
  requestedBy: 'someone',
};

function agent(over: Partial<AgentView> = {}): AgentView {
  return {
    agentId: 'agent-1',
    host: 'somewhere',
    pool: 'default',
    version: '0.1.0',
    mode: 'DRAINING',
    drain,
    attributes: {},
    capacity: { cpuMilli: 4000, ramMb: 8192, diskMb: 100, gpus: [], portRange: [31_000, 32_000] },
    registeredAt: '2026-11-22T10:00:00.000Z',
    presence: 'present',
    lastSeenAt: null,
    free: { cpuMilli: 2500, ramMb: 8192, diskMb: 100, gpuMilli: [] },
    tasks: [taskId],
    ...over,
  };
}

const held: DrainStatus = {
  agentId: 'agent-1',
  mode: 'DRAINING',
  drain,
  tasks: [{ taskId, state: 'RUNNING', hold: { kind: 'AVAILABILITY', total: 3, up: 2, allowedDown: 1 } }],
};
const empty: DrainStatus = { ...held, mode: 'DRAINED', tasks: [] };

async function serve(answers: Answers): Promise<string> {
  api = await fakeApi(answers);
  return api.url;
}

describe('agent drain', () => {
  it('sends what it was told, for each agent', async () => {
    const url = await serve({
      'POST /agents/agent-1/drain': () => ({ status: 202, body: agent() }),
      'POST /agents/agent-2/drain': () => ({ status: 202, body: agent({ agentId: 'agent-2' }) }),
    });
    const options = ['--deadline', '30m', '--percentage', '50', '--settled', '2m', '-m', 'new kernel'];
    const { code, err } = await runCli(['agent', 'drain', 'agent-1', 'agent-2', ...options], { api: url });
    expect([code, err]).toEqual([0, expect.stringContaining('agent agent-2 is being emptied: 1 tasks')]);
    const body = { deadlineSecs: 1800, percentage: 50, settledSecs: 120, reason: 'new kernel' };
    expect(api?.asked.map((one) => one.body)).toEqual([body, body]);
  });

  it('waits until the agent is empty and says what it waits for', async () => {
    const url = await serve({
      'POST /agents/agent-1/drain': () => ({ status: 202, body: agent() }),
      'GET /agents/agent-1/drain': (_asked, times) => ok(times < 2 ? held : empty),
    });
    const { code, err } = await runCli(['agent', 'drain', 'agent-1', '--wait'], { api: url });
    expect(code).toBe(0);
    expect(err).toContain('agent-1: 1 task left, 1 wait for the availability of their jobs');
    expect(err).toContain('agent-1: empty');
  });

  it('ends with 9 when it takes too long, and with 4 when somebody took the agent back', async () => {
    const url = await serve({
      'POST /agents/agent-1/drain': () => ({ status: 202, body: agent() }),
      'GET /agents/agent-1/drain': () => ok(held),
      'POST /agents/agent-2/drain': () => ({ status: 202, body: agent() }),
      'GET /agents/agent-2/drain': () => problem(404, 'NOT_FOUND', 'not being emptied'),
    });
    const late = await runCli(['agent', 'drain', 'agent-1', '--wait', '--timeout', '0s'], { api: url });
    expect([late.code, late.err]).toEqual([9, expect.stringContaining('the drain goes on')]);
    const gone = await runCli(['agent', 'drain', 'agent-2', '--wait'], { api: url });
    expect([gone.code, gone.err]).toEqual([4, expect.stringContaining('no longer being emptied')]);
  });

  it.each([
    ['--percentage', '101'],
    ['--percentage', 'most'],
    ['--deadline', 'noon'],
    ['--settled', '-1'],
  ])('refuses %s %s before it asks for anything', async (flag, value) => {
    const url = await serve({});
    expect((await runCli(['agent', 'drain', 'agent-1', `${flag}=${value}`], { api: url })).code).toBe(6);
    expect(api?.asked).toEqual([]);
  });
});

describe('agent status', () => {
  it('says why an agent is being emptied and what each task waits for', async () => {
    const url = await serve({
      'GET /agents/agent-1': () => ok(agent()),
      'GET /agents/agent-1/drain': () => ok(held),
    });
    const { out } = await runCli(['agent', 'status', 'agent-1'], { api: url });
    expect(out).toMatch(/drain +asked for .* ago by someone, new kernel, by force in /);
    expect(out).toContain(`${taskId}  waits: 2 of 3 instances of its job are up, 1 may be down`);
  });
});

describe('agent undrain', () => {
  it('takes agents back', async () => {
    const url = await serve({
      'POST /agents/agent-1/undrain': () => ok(agent({ mode: 'NONE', drain: null, tasks: [] })),
    });
    const { code, err } = await runCli(['agent', 'undrain', 'agent-1'], { api: url });
    expect([code, err]).toEqual([0, expect.stringContaining('agent agent-1 is in use')]);
  });
});

describe('agent forget', () => {
  it('forgets one after the other, and stops at one that is heard', async () => {
    const url = await serve({
      'POST /agents/agent-1/forget': () => ok(agent({ mode: 'NONE', drain: null, tasks: [] })),
      'POST /agents/agent-2/forget': () => problem(409, 'CONFLICT', 'agent agent-2 is not lost'),
    });
    const { code, err } = await runCli(['agent', 'forget', 'agent-1', 'agent-2'], { api: url });
    expect(code).not.toBe(0);
    expect(err).toContain('agent agent-1 is forgotten');
    expect(err).toContain('agent agent-2 is not lost');
  });
});
