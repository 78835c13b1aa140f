// An API server that answers what a test tells it to and remembers what it was asked.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JobDetail, JobView, TaskView } from '../../../shared/api/views.ts';
import type { TaskState } from '../../../shared/model/task.ts';
import type { TaskConfig } from '../../../shared/model/task-config.ts';

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: unknown;
}

/** A body (status 200), a status with a body, or 'hang up' to break the connection. */
export type Answer = { readonly status: number; readonly body: unknown } | 'hang up';
/** By `METHOD /path`; called for every request. */
export type Answers = Readonly<Record<string, (asked: Asked, times: number) => Answer>>;

export interface FakeApi {
  readonly url: string;
  readonly asked: Asked[];
  close(): Promise<void>;
}

export function ok(body: unknown): Answer {
  return { status: 200, body };
}

export function problem(status: number, code: string, detail: string): Answer {
  return { status, body: { type: `about:${code}`, title: code, status, code, detail, requestId: 'req-42' } };
}

const version: Answers = { 'GET /version': () => ok({ cluster: 'local', version: '0.1.0' }) };

export async function fakeApi(answers: Answers): Promise<FakeApi> {
  const asked: Asked[] = [];
  const all: Answers = { ...version, ...answers };
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://fake');
      const text = Buffer.concat(chunks).toString('utf8');
      const one: Asked = {
        method: request.method ?? '',
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: request.headers,
        body: text === '' ? undefined : JSON.parse(text),
      };
      asked.push(one);
      const name = `${one.method} ${one.path}`;
      const times = asked.filter(({ method, path }) => `${method} ${path}` === name).length;
      const answer = all[name]?.(one, times) ?? problem(404, 'ROUTE_NOT_FOUND', `no answer for ${name}`);
      if (answer === 'hang up') return request.socket.destroy();
      response.writeHead(answer.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const at = '2026-11-22T10:00:00.000Z';

export function jobView(changes: Partial<JobView> = {}): JobView {
  return {
    role: 'www',
    environment: 'prod',
    name: 'hello',
    key: 'local/www/prod/hello',
    cluster: 'local',
    service: true,
    tier: 'preferred',
    priority: 0,
    instances: 2,
    desired: [{ instances: [0, 1], configId: 'c1' }],
    specVersion: 1,
    reconciled: true,
    contact: null,
    metadata: {},
    createdBy: 'somebody',
    createdAt: at,
    updatedAt: at,
    ...changes,
  };
}

export function taskView(instance: number, state: TaskState, changes: Partial<TaskView> = {}): TaskView {
  const generation = changes.generation ?? 1;
  return {
    role: 'www',
    environment: 'prod',
    name: 'hello',
    instance,
    taskId: `www~prod~hello~${instance}~${generation}~abcd1234`,
    generation,
    state,
    agentId: state === 'PENDING' ? null : 'agent-1',
    configId: 'c1',
    failureCount: 0,
    ancestorId: null,
    resources: {
      cpuMilli: 500,
      ramMb: 128,
      diskMb: 64,
      gpus: 0,
      gpuMilli: 0,
      gpuModels: [],
      ports: ['health'],
    },
    grant: state === 'PENDING' ? null : { gpus: [], ports: { health: 31_000 + instance } },
    createdAt: at,
    deadlineAt: null,
    events: [
      { state: 'PENDING', at, message: '' },
      { state, at, message: `is ${state}` },
    ],
    ...changes,
  };
}

const config: TaskConfig = {
  service: true,
  tier: 'preferred',
  priority: 0,
  maxTaskFailures: 1,
  constraints: [],
  pool: 'default',
  metadata: {},
  resources: {
    cpuMilli: 500,
    ramMb: 128,
    diskMb: 64,
    gpus: 0,
    gpuMilli: 0,
    gpuModels: [],
    ports: ['health'],
  },
  maxFailures: 1,
  maxConcurrency: 0,
  finalizationWaitSecs: 30,
  processes: [
    {
      name: 'server',
      cmdline: 'exec ./server',
      maxFailures: 1,
      daemon: false,
      ephemeral: false,
      final: false,
      minDurationSecs: 5,
    },
  ],
  ordering: [],
};

export function jobDetail(tasks: readonly TaskView[], changes: Partial<JobView> = {}): JobDetail {
  const count = (...states: TaskState[]): number =>
    tasks.filter(({ state }) => states.includes(state)).length;
  return {
    job: jobView(changes),
    counts: {
      pending: count('PENDING', 'THROTTLED'),
      active: count('ASSIGNED', 'STARTING', 'RUNNING', 'KILLING'),
      finished: count('FINISHED', 'KILLED'),
      failed: count('FAILED', 'LOST'),
    },
    tasks: [...tasks],
    configs: { c1: config },
    nextCursor: null,
  };
}
