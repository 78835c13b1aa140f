import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ProcessProgress, RunOutcome, TaskPlan } from '../../../agent/executor/task-plan.ts';
import {
  afterRun,
  nextStarts,
  noProgress,
  planOf,
  planVerdict,
  totalRunLimit,
} from '../../../agent/executor/task-plan.ts';
import type { ProcessConfig } from '../../../shared/model/task-config.ts';
import { processSchema } from '../../../shared/model/task-config.ts';

const processOf = (name: string, more: Partial<ProcessConfig> = {}): ProcessConfig =>
  processSchema.parse({ name, cmdline: 'true', minDurationSecs: 0, ...more });

function planFor(
  processes: ProcessConfig[],
  more: { ordering?: string[][]; maxFailures?: number; maxConcurrency?: number } = {},
): TaskPlan {
  return planOf({ ordering: [], maxFailures: 1, maxConcurrency: 0, ...more, processes }, 'ordinary');
}

const idle: ProcessProgress = { status: 'idle', runs: 0, failures: 0 };
const withStatus = (status: ProcessProgress['status']): ProcessProgress => ({ ...idle, status });

describe('afterRun', () => {
  const cases: [string, Partial<ProcessConfig>, Partial<ProcessProgress>, RunOutcome, string, number][] = [
    ['a success finishes', {}, {}, 'success', 'finished', 0],
    ['a daemon runs again after a success', { daemon: true }, {}, 'success', 'idle', 0],
    ['the first failure is the last by default', {}, {}, 'failed', 'failed', 1],
    ['a failure below the limit runs again', { maxFailures: 3 }, { failures: 1 }, 'failed', 'idle', 2],
    [
      'the failure that reaches the limit is final',
      { maxFailures: 3 },
      { failures: 2 },
      'failed',
      'failed',
      3,
    ],
    ['max_failures 0 never gives up', { maxFailures: 0 }, { failures: 50 }, 'failed', 'idle', 51],
    ['an ephemeral process that failed counts as finished', { ephemeral: true }, {}, 'failed', 'finished', 1],
    ['a process ended by a signal has not failed', {}, {}, 'killed', 'idle', 0],
    ['a lost run has not failed', {}, {}, 'lost', 'idle', 0],
    ['run 100 is the last', { maxFailures: 0 }, { runs: totalRunLimit - 1 }, 'killed', 'failed', 0],
    [
      'run 100 is the last for daemons too',
      { daemon: true },
      { runs: totalRunLimit - 1 },
      'success',
      'failed',
      0,
    ],
    ['a success in run 100 is a success', {}, { runs: totalRunLimit - 1 }, 'success', 'finished', 0],
  ];
  it.each(cases)('%s', (_name, config, before, outcome, status, failures) => {
    const after = afterRun(processOf('a', config), { ...idle, ...before }, outcome, 7);
    expect(after).toMatchObject({ status, failures, runs: (before.runs ?? 0) + 1, lastEndedAt: 7 });
  });
});

describe('nextStarts', () => {
  it('starts everything without prerequisites at once, in the order of the config', () => {
    const plan = planFor([processOf('b'), processOf('a')]);
    expect(nextStarts(plan, noProgress(plan), 0)).toEqual({ start: ['b', 'a'] });
  });

  it('waits until every prerequisite has finished, not merely ended', () => {
    const plan = planFor([processOf('a'), processOf('b'), processOf('c')], {
      ordering: [
        ['a', 'c'],
        ['b', 'c'],
      ],
      maxFailures: 0,
    });
    const progress = noProgress(plan).set('a', withStatus('finished')).set('b', withStatus('failed'));
    expect(nextStarts(plan, progress, 0).start).toEqual([]);
    expect(nextStarts(plan, progress.set('b', withStatus('finished')), 0).start).toEqual(['c']);
  });

  it('keeps within max_concurrency', () => {
    const plan = planFor([processOf('a'), processOf('b'), processOf('c')], { maxConcurrency: 2 });
    expect(nextStarts(plan, noProgress(plan), 0).start).toEqual(['a', 'b']);
    const progress = noProgress(plan).set('a', withStatus('running'));
    expect(nextStarts(plan, progress, 0).start).toEqual(['b']);
  });

  it('leaves min_duration between the end of a run and the next, and says when to ask again', () => {
    const plan = planFor([processOf('a', { minDurationSecs: 5, maxFailures: 0 })]);
    const progress = new Map([['a', { status: 'idle', runs: 1, failures: 1, lastEndedAt: 1000 } as const]]);
    expect(nextStarts(plan, progress, 5999)).toEqual({ start: [], wakeAt: 6000 });
    expect(nextStarts(plan, progress, 6000)).toEqual({ start: ['a'] });
  });

  it('keeps final processes for the final stage', () => {
    const config = {
      processes: [processOf('a'), processOf('f', { final: true })],
      ordering: [],
      maxFailures: 1,
      maxConcurrency: 0,
    };
    const [ordinary, final] = [planOf(config, 'ordinary'), planOf(config, 'final')];
    expect(nextStarts(ordinary, noProgress(ordinary), 0).start).toEqual(['a']);
    expect(nextStarts(final, noProgress(final), 0).start).toEqual(['f']);
  });
});

describe('planVerdict', () => {
  const [a, b] = [processOf('a'), processOf('b')];
  const helper = processOf('helper', { ephemeral: true });
  const daemon = processOf('daemon', { daemon: true });
  const cases: [
    string,
    ProcessConfig[],
    { ordering?: string[][]; maxFailures?: number },
    Record<string, ProcessProgress['status']>,
    string,
  ][] = [
    ['untouched', [a, b], {}, {}, 'active'],
    ['all finished', [a, b], {}, { a: 'finished', b: 'finished' }, 'complete'],
    ['one failed for good', [a, b], {}, { a: 'failed', b: 'running' }, 'unhealthy'],
    ['one of two tolerated failures', [a, b], { maxFailures: 2 }, { a: 'failed', b: 'running' }, 'active'],
    ['ended within the tolerance', [a, b], { maxFailures: 2 }, { a: 'failed', b: 'finished' }, 'complete'],
    ['failures never fail the task', [a, b], { maxFailures: 0 }, { a: 'failed', b: 'failed' }, 'complete'],
    ['only helpers are left', [a, helper], {}, { a: 'finished', helper: 'running' }, 'complete'],
    ['a daemon between two runs', [daemon], {}, {}, 'active'],
    [
      'blocked by a failed prerequisite',
      [a, b],
      { maxFailures: 0, ordering: [['a', 'b']] },
      { a: 'failed' },
      'deadlocked',
    ],
    [
      'blocked, but something else still runs',
      [a, b, daemon],
      { maxFailures: 0, ordering: [['a', 'b']] },
      { a: 'failed', daemon: 'running' },
      'active',
    ],
  ];
  it.each(cases)('%s', (_name, processes, config, statuses, verdict) => {
    const plan = planFor(processes, config);
    const progress = noProgress(plan);
    for (const [name, status] of Object.entries(statuses)) progress.set(name, withStatus(status));
    expect(planVerdict(plan, progress)).toBe(verdict);
  });
});

describe('a whole plan', () => {
  const arbitraryProcess = fc.record({
    daemon: fc.constant(false),
    ephemeral: fc.boolean(),
    maxFailures: fc.integer({ min: 0, max: 3 }),
  });
  const arbitraryOutcome = fc.constantFrom<RunOutcome>('success', 'failed', 'killed', 'lost');

  it('always ends, never starts a process before its prerequisites, never exceeds its concurrency', () => {
    fc.assert(
      fc.property(
        fc.array(arbitraryProcess, { minLength: 1, maxLength: 6 }),
        fc.array(fc.tuple(fc.nat(5), fc.nat(5)), { maxLength: 6 }),
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: 0, max: 2 }),
        fc.infiniteStream(arbitraryOutcome),
        (configs, pairs, maxConcurrency, maxFailures, outcomes) => {
          const processes = configs.map((config, i) => processOf(`p${i}`, config));
          // Only from lower to higher numbers, so there is no cycle.
          const ordering = pairs
            .filter(([x, y]) => x < y && y < processes.length)
            .map(([x, y]) => [`p${x}`, `p${y}`]);
          const plan = planFor(processes, { ordering, maxConcurrency, maxFailures });
          const progress = noProgress(plan);
          for (let step = 0; planVerdict(plan, progress) === 'active'; step++) {
            expect(step).toBeLessThan(processes.length * totalRunLimit * 2);
            for (const name of nextStarts(plan, progress, step).start) {
              for (const before of plan.prerequisites.get(name) ?? []) {
                expect(progress.get(before)?.status).toBe('finished');
              }
              progress.set(name, { ...(progress.get(name) as ProcessProgress), status: 'running' });
            }
            const running = [...progress].filter(([, each]) => each.status === 'running');
            if (maxConcurrency > 0) expect(running.length).toBeLessThanOrEqual(maxConcurrency);
            const [name, before] = running[0] as [string, ProcessProgress];
            const outcome = outcomes.next().value as RunOutcome;
            progress.set(name, afterRun(plan.processes.get(name) as ProcessConfig, before, outcome, step));
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
