// What waits for room, and what is held back because too much of the job is down.
import { describe, expect, it } from 'vitest';
import { applyCall } from '../../../../shared/domain/update/calls.ts';
import { evaluateUpdate } from '../../../../shared/domain/update/evaluate.ts';
import type { InstanceView } from '../../../../shared/domain/update/newest-task.ts';
import type { TaskState } from '../../../../shared/model/task.ts';
import { bad, batch, drive } from './drive.ts';
import { all, running, started, task } from './sample-update.ts';

describe('no room is not a bad version', () => {
  const job = {
    current: [all('old', [0, 5])],
    proposed: [all('new', [0, 5])],
    behaviour: bad('unplaceable', 3),
  };

  it('an instance without a place waits, however long, and is shown as waiting', () => {
    const { update, cluster } = drive({ ...job, settings: { strategy: batch(2) } });
    expect(update.status).toBe('ROLLING_FORWARD');
    expect(update.progress.failed).toEqual([]);
    const { waiting, wakeAt } = evaluateUpdate(update, cluster.views([2, 3, 4, 5]), cluster.now);
    expect(waiting).toMatchObject([{ instance: 3, why: 'PLACEMENT' }]);
    expect(wakeAt).toBeUndefined();
    cluster.heal();
  });

  it('a placement deadline pauses; resume gives the whole time again', () => {
    const settings = { strategy: batch(2), placementDeadlineMs: 120_000 };
    let resumes = 0;
    const { update } = drive({
      ...job,
      settings,
      steps: 100,
      before: (now, cluster) => {
        if (now.status !== 'ROLL_FORWARD_PAUSED') return undefined;
        expect(now.events.at(-1)?.message).toBe(
          'Instance 3 has waited for 120000 ms: no agent had room for it.',
        );
        if (++resumes === 2) cluster.heal();
        const at = now.events.at(-2)?.at ?? 0;
        expect(now.updatedAt - at).toBeGreaterThanOrEqual(120_000);
        return applyCall(now, 'resume', { user: 'ann', now: cluster.now });
      },
    });
    expect(resumes).toBe(2);
    expect(update.status).toBe('ROLLED_FORWARD');
  });

  it('a placement deadline turns the update back if it is asked to', () => {
    const settings = {
      strategy: batch(2),
      placementDeadlineMs: 120_000,
      onPlacementDeadline: 'rollback' as const,
    };
    const { update, cluster } = drive({ ...job, settings });
    expect(update.status).toBe('ROLLED_BACK');
    expect([2, 3].map((i) => cluster.isUp(i))).toEqual([true, true]);
  });

  it('the deadline is when to look again', () => {
    const update = started([], [all('new', [0, 0])], { placementDeadlineMs: 5000 });
    const { next } = evaluateUpdate(update, [{ instance: 0, tasks: [] }], 1000);
    const pending = { instance: 0, tasks: [task('new', 1, ['PENDING', 1500])] };
    expect(evaluateUpdate(next, [pending], 2000).wakeAt).toBe(6500);
    expect(evaluateUpdate(next, [pending], 6500).next.status).toBe('ROLL_FORWARD_PAUSED');
  });
});

describe('the availability budget', () => {
  const settings = { strategy: batch(3), minWaitInInstanceRunningMs: 0 };
  const update = () => started([all('old', [0, 8])], [all('new', [0, 8])], settings);
  const down = (instance: number) => ({ instance, tasks: [task('old', 2, ['PENDING', 900])] });
  const views = (downs: number[]) =>
    [0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => (downs.includes(i) ? down(i) : running(i, 'old')));
  const killed = (downs: number[], othersDown = 0) => {
    const { actions, waiting } = evaluateUpdate(update(), views(downs), 1000, { othersDown });
    return { killed: actions.map(({ instance }) => instance), held: waiting.map(({ why }) => why) };
  };

  it.each([
    { downs: [], kills: [0, 1, 2] },
    { downs: [7], kills: [0, 1] },
    { downs: [5, 7], kills: [0] },
    { downs: [5, 6, 7], kills: [] },
    { downs: [4, 5, 6, 7], kills: [] },
    // What is down anyway may be replaced: nothing is lost.
    { downs: [1, 6, 7], kills: [1] },
    { downs: [0, 1, 2], kills: [0, 1, 2] },
  ])('with $downs down, of the group (0,1,2) it takes down $kills', ({ downs, kills }) => {
    expect(killed(downs).killed).toEqual(kills);
    expect(killed(downs).held).toEqual(Array(3 - kills.length).fill('BUDGET'));
  });

  it('counts instances that it is only told of', () => {
    expect(killed([], 2).killed).toEqual([0]);
  });

  it('does not count instances that were down before the update: it may be their cure', () => {
    const sick = started([all('old', [0, 8])], [all('new', [0, 8])], settings, {
      instances: views([6, 7, 8]),
    });
    expect(sick.downAtStart).toEqual([[6, 8]]);
    expect(evaluateUpdate(sick, views([6, 7, 8]), 1000).actions).toHaveLength(3);
  });

  it('remembers a take-down until it is seen, so that nothing more is taken down meanwhile', () => {
    const first = evaluateUpdate(update(), views([7]), 1000);
    expect(first.next.progress.taken).toEqual([[0, 1]]);
    // The kills have not landed, 7 is up again: there is room for one more, and the first two are asked for again.
    const second = evaluateUpdate(first.next, views([]), 1100);
    expect(second.actions.map(({ instance }) => instance)).toEqual([0, 1, 2]);
    // And when one more goes down, what was decided stays decided.
    const third = evaluateUpdate(first.next, views([6, 7]), 1100);
    expect(third.actions.map(({ instance }) => instance)).toEqual([0, 1]);
  });

  it('on the way back puts an instance back whose kill of the way forward may still land', () => {
    const first = evaluateUpdate(update(), views([]), 1000);
    const back = applyCall(first.next, 'rollback', { user: 'ann', now: 1100 });
    const second = evaluateUpdate(back, views([]), 1200);
    expect(second.next.status).toBe('ROLLING_BACK');
    expect(second.actions.map(({ kind, instance }) => [kind, instance])).toEqual([
      ['KILL', 2],
      ['KILL', 1],
      ['KILL', 0],
    ]);
  });

  it('waits out one failure of an instance, but not a crash loop', () => {
    const failing = (failures: number, last: TaskState) => [
      ...views([]).filter(({ instance }) => instance < 7),
      ...[7, 8].map((instance) => ({
        instance,
        tasks: [
          ...Array.from({ length: failures }, (_none, i) =>
            task('old', i + 1, ['RUNNING', 0], ['FAILED', 1500]),
          ),
          task('old', failures + 1, [last, 1500]),
        ],
      })),
    ];
    const kills = (failures: number, last: TaskState) =>
      evaluateUpdate(update(), failing(failures, last), 2000).actions.length;
    expect(kills(1, 'PENDING')).toBe(1);
    expect(kills(2, 'PENDING')).toBe(3);
    expect(kills(1, 'THROTTLED')).toBe(3);
  });

  it('on the way back does not wait for what the way back will cure, nor for what shall be gone', () => {
    const sample = started([all('old', [0, 5])], [all('new', [0, 6])], {
      ...settings,
      strategy: batch(1),
    });
    // Order: 6 is added, then 0 to 5. All but 4 and 5 have had their turn; 6 was never made, 0 and 1 are sick.
    const forward = { ...sample, progress: { ...sample.progress, visited: 5 } };
    const back = applyCall(forward, 'rollback', { user: 'ann', now: 1100 });
    const sick = (instance: number) => ({ instance, tasks: [task('new', 2, ['STARTING', 1000])] });
    const others = [running(2, 'new'), running(3, 'new'), running(4, 'old'), { instance: 6, tasks: [] }];
    const at = (rest: InstanceView[]) => evaluateUpdate(back, [...others, ...rest], 1200).actions;
    expect(at([sick(0), sick(1), running(5, 'old')])).toMatchObject([{ kind: 'KILL', instance: 3 }]);
    // But it does wait for an instance that it has nothing to cure in.
    expect(at([sick(0), sick(1), down(5)])).toEqual([]);
  });

  it('counts an instance that was done as failed if it is throttled later, so that the update turns back', () => {
    const sample = update();
    const forward = { ...sample, progress: { ...sample.progress, visited: 3 } };
    const relapsed = { instance: 1, tasks: [task('new', 4, ['THROTTLED', 900])] };
    const others = [0, 2]
      .map((i) => running(i, 'new'))
      .concat([3, 4, 5, 6, 7, 8].map((i) => running(i, 'old')));
    const evaluation = evaluateUpdate(forward, [relapsed, ...others], 1000);
    expect(evaluation.next.status).toBe('ROLLING_BACK');
    expect(evaluation.instanceEvents[0]).toMatchObject({ instance: 1, action: 'INSTANCE_UPDATE_FAILED' });
    // What has been put back may stumble without stopping the way back.
    const back = {
      ...forward,
      status: 'ROLLING_BACK' as const,
      progress: { ...forward.progress, visited: 6, revisited: 3 },
    };
    const stumbled = { instance: 4, tasks: [task('old', 4, ['THROTTLED', 900])] };
    const rest = [0, 1, 2]
      .map((i) => running(i, 'new'))
      .concat([3, 5, 6, 7, 8].map((i) => running(i, 'old')));
    expect(evaluateUpdate(back, [stumbled, ...rest], 1000).next).toMatchObject({
      status: 'ROLLING_BACK',
      progress: { failed: [], revisited: 6 },
    });
  });

  it('lets an update go on with failed instances that the user bears', () => {
    const { update: ended } = drive({
      current: [all('old', [0, 5])],
      proposed: [all('new', [0, 5])],
      settings: { strategy: batch(1), maxFailedInstances: 2 },
      behaviour: bad('exit', 0, 1),
    });
    expect(ended.status).toBe('ROLLED_FORWARD');
  });

  it('waits while an agent is down and goes on when it is back', () => {
    let heldSteps = 0;
    const { update: ended } = drive({
      current: [all('old', [0, 7])],
      proposed: [all('new', [0, 7])],
      settings: { strategy: batch(1) },
      before: (now, cluster, step) => {
        if (step === 0) {
          cluster.killAgent(3);
          cluster.full = true;
        }
        if (now.progress.visited <= 1 && step > 0 && step < 20) heldSteps++;
        if (step === 20) cluster.heal();
        return undefined;
      },
    });
    expect(heldSteps).toBe(19);
    expect(ended.status).toBe('ROLLED_FORWARD');
  });
});
