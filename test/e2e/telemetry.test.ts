// What the functions say while a job lives: every line can be found by its request, and the way of one job and its tasks
// can be followed through all functions; the numbers are records CloudWatch turns into metrics.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { metricNamespace, metricTable } from '../../shared/model/metrics.ts';
import { active, type EmbeddedInstallation, startEmbedded, until } from './harness.ts';
import { jobFile, sleeper } from './jobs.ts';

type Line = Readonly<Record<string, unknown>>;

const job = 'demo/devel/observed';
const lines: Line[] = [];
const metrics: Line[] = [];
let installation: EmbeddedInstallation;
let taskId = '';
let refused: Line = {};

beforeAll(async () => {
  vi.stubEnv('POWERTOOLS_LOG_LEVEL', 'INFO');
  vi.stubEnv('POWERTOOLS_METRICS_DISABLED', 'false');
  installation = await startEmbedded(['agent-a'], { log: keep });
  const file = jobFile(installation.dir, sleeper('observed', 2));
  await installation.cli('job', 'create', `local/${job}`, file, '--wait');
  taskId = active(await installation.job('observed'), 0)?.taskId ?? '';
  refused = (await (await fetch(`${installation.apiUrl}/tasks/${taskId}x`)).json()) as Line;
  await installation.cli('job', 'killall', `local/${job}`, '--yes', '--wait');
  // Lines reach this process a little later than the answers.
  await until('the last line', () => lines.some(({ state }) => state === 'KILLED'));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await installation?.stop();
});

function keep(text: string): void {
  try {
    const line = JSON.parse(text) as Line;
    (line._aws === undefined ? lines : metrics).push(line);
  } catch {
    // Of the engines or the host, not of a function.
  }
}

function linesOf(service: string): Line[] {
  return lines.filter((line) => line.service === `borealis-${service}`);
}

const functions = ['api', 'fanout', 'job-worker', 'matcher', 'agent-events', 'sweeper'];

describe('every line', () => {
  it.each(functions)(
    'of %s is structured and carries the request, the cluster and the function',
    (service) => {
      expect(linesOf(service).length).toBeGreaterThan(0);
      for (const line of linesOf(service)) {
        expect(line).toMatchObject({
          level: expect.stringMatching(/^(INFO|WARN|ERROR)$/),
          cluster: 'local',
          requestId: expect.stringMatching(/^[\w=-]{8,}$/),
          message: expect.stringMatching(/\w/),
          timestamp: expect.stringMatching(/^\d{4}-/),
        });
      }
    },
  );

  it('of one invocation has the same request id, and those of another have another', () => {
    const ids = new Set(linesOf('sweeper').map(({ requestId }) => requestId));
    const swept = linesOf('sweeper').filter(({ message }) => message === 'swept');
    expect(ids.size).toBe(swept.length);
  });
});

describe('the way of a job', () => {
  it.each(['api', 'fanout', 'job-worker'])('can be followed by its key in %s', (service) => {
    const about = linesOf(service).filter(
      (line) => line.job === job || (line.jobs as string[] | undefined)?.includes(job),
    );
    expect(about.length).toBeGreaterThan(0);
  });

  it('starts with who asked for it, by which route', () => {
    const accepted = linesOf('api').find(({ message }) => message === 'job accepted');
    expect(accepted).toMatchObject({ job, route: 'POST /jobs/{role}/{environment}/{name}' });
  });
});

describe('the way of a task', () => {
  it.each([
    ['job-worker', 'tasks created and ended', 'created'],
    ['matcher', 'tasks assigned', 'taskIds'],
    ['fanout', 'effects carried out', 'launches'],
    ['agent-events', 'task statuses applied', 'taskIds'],
    ['fanout', 'effects carried out', 'kills'],
  ])('can be followed by its id in %s: %s', (service, message, field) => {
    const found = linesOf(service).filter((line) => line.message === message);
    expect(found.flatMap((line) => line[field] as string[])).toContain(taskId);
  });

  it('tells each state it took', () => {
    const states = linesOf('agent-events')
      .filter(({ taskIds }) => (taskIds as string[] | undefined)?.includes(taskId))
      .map(({ state }) => state);
    expect(states).toContain('RUNNING');
    expect(states.at(-1)).toBe('KILLED');
  });
});

describe('a refused request', () => {
  it('quotes an id a person can look for', () => {
    expect(refused).toMatchObject({
      code: expect.any(String),
      requestId: expect.stringMatching(/^[\w=-]{8,}$/),
    });
  });
});

describe('the numbers', () => {
  const valuesOf = (name: string): number[] =>
    metrics.flatMap((record) => (record[name] === undefined ? [] : [record[name]].flat())) as number[];

  it('are records in the words of the table, with function and cluster', () => {
    expect(metrics.length).toBeGreaterThan(0);
    for (const record of metrics) {
      const { CloudWatchMetrics } = record._aws as {
        CloudWatchMetrics: { Namespace: string; Dimensions: string[][]; Metrics: { Name: string }[] }[];
      };
      for (const { Namespace, Dimensions, Metrics } of CloudWatchMetrics) {
        expect(Namespace).toBe(metricNamespace);
        expect(new Set(Dimensions.flat())).toEqual(new Set(['service', 'cluster']));
        for (const { Name } of Metrics) {
          expect(metricTable[Name as keyof typeof metricTable]?.service).toBe(record.service);
        }
      }
    }
  });

  it('say how many tasks were placed and how long each waited', () => {
    expect(valuesOf('Placements').reduce((sum, count) => sum + count, 0)).toBe(2);
    expect(valuesOf('MatchLatency')).toHaveLength(2);
    for (const latencyMs of valuesOf('MatchLatency')) expect(latencyMs).toBeGreaterThanOrEqual(0);
    expect(valuesOf('PendingAge').length).toBeGreaterThan(0);
  });

  it('are not written about nothing, since every hour with a metric costs', () => {
    const counts = Object.entries(metricTable).filter(([, { unit }]) => unit === 'Count');
    expect(counts.flatMap(([name]) => valuesOf(name)).filter((value) => value === 0)).toEqual([]);
    expect(metrics.filter(({ service }) => service === 'sweeper')).toEqual([]);
  });
});
