// Whole updates on a cluster that behaves: order, groups, verdicts, the way back, what the record holds.
import { describe, expect, it } from 'vitest';
import { applyCall } from '../../../../shared/domain/update/calls.ts';
import { evaluateUpdate, instancesToRead } from '../../../../shared/domain/update/evaluate.ts';
import { configsByNow, progressOf } from '../../../../shared/domain/update/progress.ts';
import { packWorking } from '../../../../shared/domain/update/record.ts';
import { countInstances, listInstances } from '../../../../shared/model/instance-ranges.ts';
import type { Behaviour } from './cluster.ts';
import { bad, batch, drive, ofKind, queue, statuses } from './drive.ts';
import { all, running, started } from './sample-update.ts';

describe('the nine instances of the user document', () => {
  const nine = {
    current: [all('old', [0, 8])],
    proposed: [all('new', [0, 8])],
    settings: { strategy: batch(3) },
  };

  it('are updated as (0,1,2)(3,4,5)(6,7,8) and, 8 failing, put back as (8,7,6)(5,4,3)(2,1,0)', () => {
    const { update, cluster, asked, events } = drive({ ...nine, behaviour: bad('exit', 8) });
    expect(statuses(update)).toEqual(['ROLLING_FORWARD', 'ROLLING_BACK', 'ROLLED_BACK']);
    expect(update.events[1]?.message).toBe('Latest failure: instance 8 exited.');
    expect(ofKind(asked, 'kill')).toEqual([
      ['kill 0', 'kill 1', 'kill 2'],
      ['kill 3', 'kill 4', 'kill 5'],
      ['kill 6', 'kill 7', 'kill 8'],
      ['kill 8', 'kill 7', 'kill 6'],
      ['kill 5', 'kill 4', 'kill 3'],
      ['kill 2', 'kill 1', 'kill 0'],
    ]);
    for (let i = 0; i <= 8; i++) expect([i, cluster.configOf(i), cluster.isUp(i)]).toEqual([i, 'old', true]);
    expect(events.filter(({ action }) => action === 'INSTANCE_ROLLED_BACK')).toHaveLength(9);
    expect(events.filter(({ action }) => action === 'INSTANCE_UPDATE_FAILED')).toEqual([
      expect.objectContaining({ instance: 8 }),
    ]);
  });

  it.each<Behaviour>(['exit', 'crash', 'sick'])(
    'are put back when the new version of one of them is of the kind "%s"',
    (kind) => {
      const settings = { ...nine.settings, minWaitInInstanceRunningMs: 60_000 };
      const { update, cluster } = drive({ ...nine, settings, behaviour: bad(kind, 4) });
      expect(update.status).toBe('ROLLED_BACK');
      expect([6, 7, 8].map((i) => cluster.newest(i)?.generation)).toEqual([1, 1, 1]);
      for (let i = 0; i <= 8; i++) expect(cluster.configOf(i)).toBe('old');
    },
  );

  it('get the new config when it is good, and nothing else is touched', () => {
    const { update, cluster, asked } = drive({
      current: [all('old', [0, 9])],
      proposed: [all('new', [0, 8]), all('old', [9, 9])],
      settings: { strategy: batch(3) },
    });
    expect(statuses(update)).toEqual(['ROLLING_FORWARD', 'ROLLED_FORWARD']);
    expect(ofKind(asked, 'kill')).toHaveLength(3);
    expect(cluster.newest(9)).toMatchObject({ generation: 1, configId: 'old' });
    expect(configsByNow(update)).toEqual([all('new', [0, 8])]);
  });

  it('each come back to their own original config, removed ones too, and added ones go', () => {
    const current = [all('a', [0, 1]), all('canary', [2, 2]), all('b', [3, 6])];
    const { update, cluster, asked } = drive({
      current,
      proposed: [all('new', [0, 3]), all('new', [7, 8])],
      settings: { strategy: batch(3) },
      // The user turns back when everything has begun.
      before: (now) =>
        now.progress.visited === 9 && now.status === 'ROLLING_FORWARD'
          ? applyCall(now, 'rollback', { user: 'ann', now: now.updatedAt })
          : undefined,
    });
    expect(update.status).toBe('ROLLED_BACK');
    expect([0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => cluster.configOf(i))).toEqual([
      'a',
      'a',
      'canary',
      'b',
      'b',
      'b',
      'b',
      undefined,
      undefined,
    ]);
    // Forward: added 7, 8, then replaced 0-3, then removed 4-6.
    const firsts = asked.flat().map((one) => Number(one.split(' ')[1]));
    expect([...new Set(firsts.slice(0, 2))]).toEqual([7, 8]);
    const back = ofKind(asked, 'create').flat().slice(-7);
    expect(back).toEqual([
      'create 6 b',
      'create 5 b',
      'create 4 b',
      'create 3 b',
      'create 2 canary',
      'create 1 a',
      'create 0 a',
    ]);
    expect(ofKind(asked, 'kill').at(-1)).toEqual(['kill 0', 'kill 8', 'kill 7']);
    expect(configsByNow(update)).toEqual(
      current.map(({ configId, instances }) => all(configId, ...instances)),
    );
  });
});

describe('strategies', () => {
  const job = { current: [all('old', [0, 6])], proposed: [all('new', [0, 6])] };

  it('queue: a slot is filled again as soon as one instance is done, whatever the others do', () => {
    const { asked, update } = drive({
      ...job,
      settings: { strategy: queue(2) },
      behaviour: bad('unplaceable', 1),
    });
    expect(ofKind(asked, 'kill')).toEqual([
      ['kill 0', 'kill 1'],
      ['kill 2'],
      ['kill 3'],
      ['kill 4'],
      ['kill 5'],
      ['kill 6'],
    ]);
    expect(update).toMatchObject({
      status: 'ROLLING_FORWARD',
      progress: { working: [{ instances: [[1, 1]] }] },
    });
  });

  it('variable batch: each step has its size, the last repeats, and the way back retraces the groups', () => {
    const { asked, update } = drive({
      ...job,
      settings: { strategy: { kind: 'varBatch', groupSizes: [1, 2, 3] } },
      behaviour: bad('exit', 6),
    });
    expect(update.status).toBe('ROLLED_BACK');
    expect(ofKind(asked, 'kill')).toEqual([
      ['kill 0'],
      ['kill 1', 'kill 2'],
      ['kill 3', 'kill 4', 'kill 5'],
      ['kill 6'],
      ['kill 6'],
      ['kill 5', 'kill 4', 'kill 3'],
      ['kill 2', 'kill 1'],
      ['kill 0'],
    ]);
  });

  it('auto-pause: before every group but the first, and not at the end; resume starts the group', () => {
    const resumed: number[] = [];
    const { update, asked } = drive({
      ...job,
      settings: { strategy: batch(3, true) },
      before: (now, { now: time }) => {
        if (now.status !== 'ROLL_FORWARD_PAUSED') return undefined;
        resumed.push(now.progress.visited);
        expect(now.progress.working).toEqual([]);
        expect(now.events.at(-1)?.message).toBe('Update auto paused');
        return applyCall(now, 'resume', { user: 'ann', now: time });
      },
    });
    expect(resumed).toEqual([3, 6]);
    expect(ofKind(asked, 'kill').map((group) => group.length)).toEqual([3, 3, 1]);
    expect(update.status).toBe('ROLLED_FORWARD');
  });

  it('groups in which nothing is to be done are passed within one evaluation', () => {
    const update = started([all('old', [0, 5])], [all('new', [0, 5])], {
      strategy: batch(2),
      minWaitInInstanceRunningMs: 0,
    });
    const views = [0, 1, 2, 3].map((i) => running(i, 'new')).concat([running(4, 'old'), running(5, 'new')]);
    const evaluation = evaluateUpdate(update, views, 1000);
    expect(evaluation.next.progress).toMatchObject({ visited: 6 });
    expect(evaluation.actions).toMatchObject([{ kind: 'KILL', instance: 4 }]);
    expect(evaluation.instanceEvents).toEqual([{ instance: 4, action: 'INSTANCE_UPDATING', at: 1000 }]);
  });

  it('starts no group of which not every instance was read, and asks to be called again', () => {
    const update = started([all('old', [0, 5])], [all('new', [0, 5])], {
      strategy: batch(2),
      minWaitInInstanceRunningMs: 0,
    });
    expect(instancesToRead(update)).toEqual([[0, 1]]);
    const evaluation = evaluateUpdate(update, [running(0, 'new'), running(1, 'new')], 1000);
    expect(evaluation).toMatchObject({ actions: [], wakeAt: 1000 });
    expect(evaluation.next.progress.visited).toBe(2);
    expect(instancesToRead(evaluation.next)).toEqual([[2, 3]]);
  });
});

describe('the verdict on the whole', () => {
  const job = { current: [all('old', [0, 5])], proposed: [all('new', [0, 5])] };

  it.each([
    { failing: [1], maxFailedInstances: 0, rollbackOnFailure: true, ends: 'ROLLED_BACK' },
    { failing: [1], maxFailedInstances: 0, rollbackOnFailure: false, ends: 'FAILED' },
    { failing: [1], maxFailedInstances: 1, rollbackOnFailure: true, ends: 'ROLLED_FORWARD' },
    { failing: [1, 3], maxFailedInstances: 1, rollbackOnFailure: true, ends: 'ROLLED_BACK' },
    { failing: [1, 3], maxFailedInstances: 2, rollbackOnFailure: true, ends: 'ROLLED_FORWARD' },
  ])('$failing failing of $maxFailedInstances borne, rollback $rollbackOnFailure: $ends', (row) => {
    const { failing, ends, ...limits } = row;
    const settings = { strategy: batch(2), ...limits };
    const { update } = drive({ ...job, settings, behaviour: bad('exit', ...failing) });
    expect(update.status).toBe(ends);
  });

  it('a way back that fails ends as FAILED', () => {
    const { update } = drive({
      ...job,
      settings: { strategy: batch(2) },
      behaviour: (configId, instance) => (configId === 'new' ? 'exit' : instance === 0 ? 'exit' : 'good'),
    });
    expect(statuses(update)).toEqual(['ROLLING_FORWARD', 'ROLLING_BACK', 'FAILED']);
  });

  it('an instance may fail as often as borne and then hold', () => {
    let failures = 0;
    const { update } = drive({
      ...job,
      settings: { strategy: batch(2), maxPerInstanceFailures: 2 },
      behaviour: (configId, instance) =>
        configId === 'new' && instance === 2 && failures++ < 6 ? 'exit' : 'good',
    });
    expect(update.status).toBe('ROLLED_FORWARD');
    expect(failures).toBeGreaterThan(4);
  });

  it('an update of a job that does not exist creates it; its way back removes it', () => {
    const forward = drive({ current: [], proposed: [all('new', [0, 2])], settings: { strategy: batch(2) } });
    expect(forward.update.status).toBe('ROLLED_FORWARD');
    expect([0, 1, 2].map((i) => forward.cluster.configOf(i))).toEqual(['new', 'new', 'new']);
    const back = drive({
      current: [],
      proposed: [all('new', [0, 2])],
      settings: { strategy: batch(2) },
      behaviour: bad('exit', 2),
    });
    expect(back.update.status).toBe('ROLLED_BACK');
    expect([0, 1, 2].map((i) => back.cluster.configOf(i))).toEqual([undefined, undefined, undefined]);
  });
});

describe('progress', () => {
  it('tells where every instance is, on the way forward and back', () => {
    const seen: string[] = [];
    drive({
      current: [all('old', [0, 5])],
      proposed: [all('new', [0, 5])],
      settings: { strategy: batch(2) },
      behaviour: bad('exit', 3),
      before: (now) => {
        const { direction, waiting, working, done, failed, untouched } = progressOf(now);
        const sets = [waiting, working, done, failed, untouched].map((ranges) =>
          listInstances(ranges).join(''),
        );
        const line = `${direction} ${sets.join('|')}`;
        if (seen.at(-1) !== line) seen.push(line);
        return undefined;
      },
    });
    expect(seen).toEqual([
      'forward 012345||||',
      'forward 2345|01|||',
      'forward 45|23|01||',
      'back 01|23|||45',
      'back |01|23||45',
    ]);
  });
});

describe('a large update', () => {
  const settings = { strategy: queue(50) };

  it('has a record of a few hundred bytes, whatever its size', () => {
    const update = started([all('old', [0, 9999])], [all('new', [0, 9999])], settings);
    const views = listInstances([[0, 9999]]).map((i) => running(i, 'old'));
    const { next, actions } = evaluateUpdate(update, views, 2000);
    expect(actions).toHaveLength(50);
    expect(JSON.stringify(next).length).toBeLessThan(1500);
  });

  it('has a record well below 400 KB at its worst: every other instance failed, 4,000 turns begun one by one', () => {
    const instances: [number, number][] = Array.from({ length: 2000 }, (_none, i) => [i * 5, i * 5 + 3]);
    const update = started([all('old', ...instances)], [all('new', ...instances)], {
      strategy: queue(5000),
      maxFailedInstances: 5000,
    });
    const odd = listInstances(instances).filter((i) => i % 2 === 1);
    const even = listInstances(instances).filter((i) => i % 2 === 0);
    const full = {
      ...update,
      downAtStart: odd.map((i): [number, number] => [i, i]),
      progress: {
        ...update.progress,
        visited: 8000,
        failed: odd.map((i): [number, number] => [i, i]),
        // 4,000 turns, each begun at its own time.
        working: packWorking(even.map((i): [number, number] => [i, 1_700_000_000_000 + i])),
        taken: even.map((i): [number, number] => [i, i]),
      },
    };
    expect(countInstances(full.progress.working.flatMap((entry) => entry.instances))).toBe(4000);
    expect(JSON.stringify(full).length).toBeLessThan(300_000);
  });
});
