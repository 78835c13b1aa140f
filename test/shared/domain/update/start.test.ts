// What an update has to do, its settings and its record (spec/updates.md sections 3 and 4).
import { describe, expect, it } from 'vitest';
import { diffJob } from '../../../../shared/domain/update/diff.ts';
import { groupByConfig, orderOf } from '../../../../shared/domain/update/order.ts';
import { currentConfigs } from '../../../../shared/domain/update/progress.ts';
import { resolveSettings, type SettingsFacts } from '../../../../shared/domain/update/settings.ts';
import { planUpdate } from '../../../../shared/domain/update/start.ts';
import { groupAt, nextGroup, nextGroupBack } from '../../../../shared/domain/update/strategy.ts';
import type { UpdateSettingsInput } from '../../../../shared/model/update.ts';
import { all, request, running, started, task } from './sample-update.ts';

describe('the diff', () => {
  const current = [all('a', [0, 4]), all('b', [5, 6])];
  const proposed = [all('b', [0, 1]), all('a', [2, 3]), all('b', [6, 8])];

  it('adds what is only proposed, removes what only runs, replaces where the config differs, leaves the rest', () => {
    expect(diffJob(current, proposed)).toEqual({
      add: [[7, 8]],
      remove: [[4, 5]],
      update: [[0, 1]],
      unchanged: [
        [2, 3],
        [6, 6],
      ],
    });
  });

  it('is narrowed to the instances asked for', () => {
    expect(
      diffJob(current, proposed, [
        [1, 2],
        [4, 4],
        [8, 8],
      ]),
    ).toEqual({
      add: [[8, 8]],
      remove: [[4, 4]],
      update: [[1, 1]],
      unchanged: [
        [2, 3],
        [6, 6],
      ],
    });
  });

  it('refuses instances that are in none of the sets', () => {
    expect(() =>
      diffJob(current, proposed, [
        [3, 3],
        [9, 11],
      ]),
    ).toThrow(/instances 9-11 are neither/);
  });

  it('with nothing to do starts nothing', () => {
    expect(planUpdate(request([all('a', [0, 3])], [all('a', [0, 3])])).update).toBeUndefined();
    expect(planUpdate(request(current, proposed, {}, { only: [[2, 3]] })).update).toBeUndefined();
  });

  it('compares with what is active: an ended instance is added', () => {
    const views = [
      running(0, 'a'),
      { instance: 1, tasks: [task('a', 1, ['PENDING', 0], ['KILLED', 10])] },
      { instance: 2, tasks: [task('a', 1, ['RUNNING', 0], ['FAILED', 1]), task('b', 2, ['PENDING', 1])] },
    ];
    expect(currentConfigs(views)).toEqual([all('a', [0, 0]), all('b', [2, 2])]);
  });
});

describe('the order of instances', () => {
  it('is creations, replacements, removals, each ascending', () => {
    const update = started(
      [all('a', [0, 6])],
      [all('b', [7, 8]), all('c', [1, 1]), all('b', [0, 0]), all('b', [2, 3])],
    );
    const order = orderOf(update);
    expect(order.slice(0, 99)).toEqual([7, 8, 0, 1, 2, 3, 4, 5, 6]);
    expect([7, 8, 0, 6, 9].map(order.positionOf)).toEqual([0, 1, 2, 8, undefined]);
    expect(order.slice(1, 4)).toEqual([8, 0, 1]);
  });

  it('the record holds the configs before and after, each of the instances that change', () => {
    const update = started([all('a', [0, 2]), all('b', [3, 5])], [all('b', [0, 4]), all('c', [6, 6])]);
    expect(update.initial).toEqual([all('a', [0, 2]), all('b', [5, 5])]);
    expect(update.desired).toEqual([all('b', [0, 2]), all('c', [6, 6])]);
    expect(
      groupByConfig([
        { instance: 3, configId: 'x' },
        { instance: 2, configId: 'x' },
      ]),
    ).toEqual([all('x', [2, 3])]);
  });
});

describe('groups', () => {
  const batch = { kind: 'batch' as const, groupSize: 3, autoPause: false };
  const steps = { kind: 'varBatch' as const, groupSizes: [1, 2, 4], autoPause: false };
  const queue = { kind: 'queue' as const, groupSize: 3 };

  it.each([
    [queue, 0, 0, 3],
    [queue, 3, 1, 5],
    [queue, 3, 3, 3],
    [queue, 9, 1, 10],
    [batch, 0, 0, 3],
    [batch, 3, 1, 3],
    [batch, 3, 0, 6],
    [batch, 9, 0, 10],
    [steps, 0, 0, 1],
    [steps, 1, 0, 3],
    [steps, 3, 0, 7],
    [steps, 7, 0, 10],
    [steps, 7, 2, 7],
  ])('forward: %j with %i of 10 visited and %i at work goes up to %i', (strategy, visited, working, end) => {
    expect(nextGroup(strategy, { visited, working, total: 10 })).toEqual({ start: visited, end });
  });

  it.each([
    [queue, 10, 0, 7],
    [queue, 7, 1, 5],
    [queue, 7, 3, 7],
    [queue, 1, 0, 0],
    [batch, 10, 0, 9],
    [batch, 9, 0, 6],
    [batch, 6, 1, 6],
    [batch, 0, 0, 0],
    [steps, 13, 0, 11],
    [steps, 11, 0, 7],
    [steps, 7, 0, 3],
    [steps, 3, 0, 1],
    [steps, 1, 0, 0],
  ])('back: %j with %i left and %i at work goes down to %i', (strategy, left, working, start) => {
    expect(nextGroupBack(strategy, { left, working })).toEqual({ start, end: left });
  });

  it('are the same from either end', () => {
    for (const strategy of [batch, steps]) {
      for (let position = 0; position < 40; position++) {
        const { start, end } = groupAt(strategy, position);
        expect(nextGroup(strategy, { visited: start, working: 0, total: 100 })).toEqual({ start, end });
        expect(nextGroupBack(strategy, { left: end, working: 0 })).toEqual({ start, end });
      }
    }
  });
});

describe('settings', () => {
  const facts: SettingsFacts = { instanceCount: 100, dedicated: false, hasSlaPolicy: false };

  it('have the defaults of the specification', () => {
    expect(resolveSettings({}, facts)).toEqual({
      strategy: { kind: 'queue', groupSize: 1 },
      maxPerInstanceFailures: 0,
      maxFailedInstances: 0,
      minWaitInInstanceRunningMs: 45_000,
      rollbackOnFailure: true,
      blockIfNoPulsesAfterMs: 0,
      slaAware: false,
      onPlacementDeadline: 'pause',
    });
  });

  it.each<[UpdateSettingsInput, object]>([
    [{ updateGroupSize: 4 }, { kind: 'queue', groupSize: 4 }],
    [
      { updateGroupSize: 4, waitForBatchCompletion: true },
      { kind: 'batch', groupSize: 4, autoPause: false },
    ],
    [{ waitForBatchCompletion: true }, { kind: 'batch', groupSize: 1, autoPause: false }],
    [
      { updateGroupSize: 1, strategy: { kind: 'queue', groupSize: 5 } },
      { kind: 'queue', groupSize: 5 },
    ],
    [
      { strategy: { kind: 'varBatch', groupSizes: [1, 5] } },
      { kind: 'varBatch', groupSizes: [1, 5], autoPause: false },
    ],
  ])('read the strategy of %j', (input, strategy) => {
    expect(resolveSettings(input, facts).strategy).toEqual(strategy);
  });

  const queue5 = { kind: 'queue', groupSize: 5 } as const;
  it.each<[string, UpdateSettingsInput, RegExp]>([
    ['a group of none', { strategy: { kind: 'queue', groupSize: 0 } }, /at least 1 instance/],
    ['a step of none', { strategy: { kind: 'varBatch', groupSizes: [1, 0] } }, /at least 1 instance/],
    ['no steps', { strategy: { kind: 'varBatch', groupSizes: [] } }, /at least one group size/],
    ['a negative old group size', { updateGroupSize: -1 }, /updateGroupSize/],
    ['two sizes', { strategy: queue5, updateGroupSize: 2 }, /updateGroupSize: say the group size/],
    ['two strategies', { strategy: queue5, waitForBatchCompletion: true }, /waitForBatchCompletion/],
    ['negative failures', { maxPerInstanceFailures: -1 }, /maxPerInstanceFailures/],
    ['endless failures', { maxPerInstanceFailures: 201 }, /at most 200/],
    ['negative failed instances', { maxFailedInstances: -1 }, /maxFailedInstances/],
    ['a negative watch', { minWaitInInstanceRunningMs: -1 }, /minWaitInInstanceRunningMs/],
    ['a negative pulse interval', { blockIfNoPulsesAfterMs: -1 }, /blockIfNoPulsesAfterMs/],
    ['SLA without a policy', { slaAware: true }, /slaAware/],
    ['a deadline of nothing', { placementDeadlineMs: 0 }, /placementDeadlineMs/],
    ['an unknown field', { pulse: 1 } as UpdateSettingsInput, /pulse/],
  ])('refuse %s', (_name, input, problem) => {
    expect(() => resolveSettings(input, facts)).toThrow(problem);
  });

  it('bear 200 failures of each of 100 instances, and an SLA policy that exists', () => {
    expect(resolveSettings({ maxPerInstanceFailures: 200 }, facts).maxPerInstanceFailures).toBe(200);
    expect(resolveSettings({ slaAware: true }, { ...facts, hasSlaPolicy: true }).slaAware).toBe(true);
  });

  it('of a job with agents of its own must bear 2% failed instances', () => {
    const dedicated = { ...facts, dedicated: true };
    expect(() => resolveSettings({ maxFailedInstances: 1 }, dedicated)).toThrow(/at least 2/);
    expect(resolveSettings({ maxFailedInstances: 2 }, dedicated).maxFailedInstances).toBe(2);
    expect(resolveSettings({}, { ...dedicated, instanceCount: 49 }).maxFailedInstances).toBe(0);
  });

  it.each([
    [100, 1, true],
    [100, 99, true],
    [100, 100, false],
    [3, 3, false],
    [3, 2, true],
    [1, 0, true],
    [1, 1, false],
  ])('of %i instances may bear %i failed ones: %s', (instanceCount, maxFailedInstances, fits) => {
    const ask = () => resolveSettings({ maxFailedInstances }, { ...facts, instanceCount });
    if (fits) expect(ask().maxFailedInstances).toBe(maxFailedInstances);
    else expect(ask).toThrow(/maxFailedInstances: .* the update could never fail; at most/);
  });

  it.each([
    [0, true],
    [1, false],
    [59_999, false],
    [60_000, true],
  ])('may ask for a pulse every %i ms: %s', (blockIfNoPulsesAfterMs, fits) => {
    const ask = () => resolveSettings({ blockIfNoPulsesAfterMs }, facts);
    if (fits) expect(ask().blockIfNoPulsesAfterMs).toBe(blockIfNoPulsesAfterMs);
    else expect(ask).toThrow(/blockIfNoPulsesAfterMs: an interval of .* is too short/);
  });

  it('name every problem at once', () => {
    const bad = { maxPerInstanceFailures: 300, slaAware: true };
    expect(() => resolveSettings(bad, facts)).toThrow(/maxPerInstanceFailures.*slaAware/);
  });
});

describe('starting', () => {
  const sides = [[all('a', [0, 2])], [all('b', [0, 2])]] as const;
  const ask = (more: Parameters<typeof request>[3]) => () =>
    planUpdate(request([...sides[0]], [...sides[1]], {}, more));

  it.each<[string, Parameters<typeof request>[3], RegExp]>([
    [
      'while another update is active',
      { latest: { updateId: 'u0', status: 'ROLL_BACK_PAUSED' } },
      /being updated by u0 \(ROLL_BACK_PAUSED\)/,
    ],
    [
      'of a job that is no service',
      { configs: { service: false, hasSlaPolicy: false, dedicated: false } },
      /Updates are not supported for non-service tasks/,
    ],
    ['with too long a message', { message: 'x'.repeat(1025) }, /1025 characters/],
    ['to nothing', { proposed: [] }, /no instances are proposed/],
    ['beyond the largest instance', { proposed: [all('b', [0, 100_000])] }, /beyond 99999/],
    ['with a reversed range', { proposed: [all('b', [2, 0])] }, /reversed/],
    ['with two configs for one instance', { proposed: [all('b', [0, 2]), all('c', [2, 3])] }, /2 are given/],
    [
      'of instances scattered too widely',
      {
        current: [all('a', [0, 9999])],
        proposed: [all('b', ...Array.from({ length: 2001 }, (_n, i): [number, number] => [i * 4, i * 4]))],
      },
      /separate ranges/,
    ],
  ])('is refused %s', (_name, more, problem) => {
    expect(ask(more)).toThrow(problem);
  });

  it('is possible once the update before has ended', () => {
    expect(ask({ latest: { updateId: 'u0', status: 'ABORTED' } })().update?.updateId).toBe('u1');
  });

  it('notes the user, the message and which instances were down', () => {
    const { update } = ask({
      message: 'why',
      metadata: { ticket: '7' },
      instances: [
        running(0, 'a'),
        { instance: 1, tasks: [task('a', 2, ['THROTTLED', 0])] },
        { instance: 2, tasks: [] },
      ],
    })();
    expect(update).toMatchObject({
      user: 'ann',
      metadata: { ticket: '7' },
      downAtStart: [[1, 2]],
      events: [{ status: 'ROLLING_FORWARD', at: 1000, user: 'ann', message: 'why' }],
    });
  });
});
