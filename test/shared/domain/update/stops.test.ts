// Pause, resume, abort, rollback by hand, pulses.
import { describe, expect, it } from 'vitest';
import { applyCall, failInternally, pulseUpdate } from '../../../../shared/domain/update/calls.ts';
import { evaluateUpdate, instancesToRead } from '../../../../shared/domain/update/evaluate.ts';
import { Cluster } from './cluster.ts';
import { batch, drive, ofKind } from './drive.ts';
import { all, running, started, task } from './sample-update.ts';

describe('stops', () => {
  const job = {
    current: [all('old', [0, 5])],
    proposed: [all('new', [0, 5])],
    settings: { strategy: batch(2) },
  };
  const at = (now: number) => ({ user: 'ann', now });

  it.each([
    ['pause', 'ROLL_FORWARD_PAUSED'],
    ['abort', 'ABORTED'],
  ] as const)('%s leaves every instance exactly as it is', (call, status) => {
    const cluster = new Cluster(2, () => 'good');
    for (let i = 0; i < 6; i++) cluster.install(i, 'old');
    const first = evaluateUpdate(
      started(job.current, job.proposed, job.settings),
      cluster.views([0, 1]),
      1000,
    );
    for (const action of first.actions) cluster.perform(action);
    cluster.step(10_000);
    const stopped = applyCall(first.next, call, at(20_000));
    expect(stopped.status).toBe(status);
    const evaluation = evaluateUpdate(stopped, cluster.views([0, 1, 2, 3]), 30_000);
    expect(evaluation).toMatchObject({ actions: [], instanceEvents: [], waiting: [] });
    expect(evaluation.next).toBe(stopped);
    expect(instancesToRead(stopped)).toEqual([]);
  });

  it('a paused update goes on where it was, and may be rolled back instead', () => {
    const paused = (call: 'resume' | 'rollback') =>
      drive({
        ...job,
        before: (now, cluster, step) => {
          if (step === 2) return applyCall(now, 'pause', at(cluster.now));
          return step === 6 ? applyCall(now, call, at(cluster.now)) : undefined;
        },
      });
    expect(paused('resume').update.status).toBe('ROLLED_FORWARD');
    const back = paused('rollback');
    expect(back.update.status).toBe('ROLLED_BACK');
    expect([0, 1, 2, 3, 4, 5].map((i) => back.cluster.configOf(i))).toEqual(Array(6).fill('old'));
    expect(
      ofKind(back.asked, 'kill')
        .flat()
        .some((one) => one === 'kill 2'),
    ).toBe(false);
  });

  it('failures count from the resume on, not from before', () => {
    const settings = { maxPerInstanceFailures: 1, minWaitInInstanceRunningMs: 0 };
    const first = evaluateUpdate(
      started([all('old', [0, 0])], [all('new', [0, 0])], settings),
      [running(0, 'old')],
      1000,
    );
    const tasks = [
      task('new', 2, ['PENDING', 1500], ['FAILED', 2000]),
      task('new', 3, ['PENDING', 2000], ['FAILED', 3000]),
      task('new', 4, ['PENDING', 3000]),
    ];
    const view = [{ instance: 0, tasks }];
    expect(evaluateUpdate(first.next, view, 3100).next.status).toBe('ROLLING_BACK');
    const paused = applyCall(first.next, 'pause', at(2500));
    const resumed = applyCall(paused, 'resume', at(2600));
    expect(evaluateUpdate(resumed, view, 3100).next.status).toBe('ROLLING_FORWARD');
  });

  it('a rollback before anything was touched is over at once', () => {
    const update = applyCall(started(job.current, job.proposed, job.settings), 'rollback', at(1100));
    const { next, actions } = evaluateUpdate(update, [], 1100);
    expect([next.status, actions]).toEqual(['ROLLED_BACK', []]);
  });

  it('an update that cannot be evaluated ends as ERROR, an ended one stays as it is', () => {
    const update = started(job.current, job.proposed, job.settings);
    const failed = failInternally(update, 'boom', 2000);
    expect(failed.events.at(-1)).toEqual({
      status: 'ERROR',
      at: 2000,
      message: 'Internal scheduler error: boom',
    });
    expect(failInternally(failed, 'again', 3000)).toBe(failed);
  });

  it('says which instance it lacks', () => {
    const { next } = evaluateUpdate(
      started(job.current, job.proposed, job.settings),
      [running(0, 'old'), running(1, 'old')],
      1000,
    );
    expect(() => evaluateUpdate(next, [running(0, 'old')], 1000)).toThrow(/instance 1 has its turn/);
  });
});

describe('pulses', () => {
  const settings = { strategy: batch(2), blockIfNoPulsesAfterMs: 60_000 };
  const begin = () => started([all('old', [0, 3])], [all('new', [0, 3])], settings);
  const views = [0, 1, 2, 3].map((i) => running(i, 'old'));
  const at = (now: number) => ({ user: 'ann', now });

  it('nothing happens before the first one', () => {
    const update = begin();
    expect(update.status).toBe('ROLL_FORWARD_AWAITING_PULSE');
    expect(evaluateUpdate(update, views, 2000).next).toBe(update);
    const { next, answer } = pulseUpdate(update, 2000);
    expect([next.status, answer]).toEqual(['ROLLING_FORWARD', 'OK']);
    expect(evaluateUpdate(next, views, 2000).actions).toHaveLength(2);
  });

  it('an update that is about to go on stops when the last one is as old as the interval', () => {
    const { next } = pulseUpdate(begin(), 2000);
    expect(evaluateUpdate(next, views, 61_999).next.status).toBe('ROLLING_FORWARD');
    const late = evaluateUpdate(next, views, 62_000);
    expect(late.next.status).toBe('ROLL_FORWARD_AWAITING_PULSE');
    expect(late.next.events.at(-1)?.message).toBe('Pulses from external service have timed out.');
    expect(late.actions).toEqual([]);
  });

  it('a paused update notes them and stays paused; resume waits for one if the last is too old', () => {
    const paused = applyCall(pulseUpdate(begin(), 2000).next, 'pause', at(3000));
    const pulsed = pulseUpdate(paused, 50_000).next;
    expect(pulsed).toMatchObject({ status: 'ROLL_FORWARD_PAUSED', lastPulseAt: 50_000 });
    expect(applyCall(pulsed, 'resume', at(100_000)).status).toBe('ROLLING_FORWARD');
    expect(applyCall(pulsed, 'resume', at(110_000)).status).toBe('ROLL_FORWARD_AWAITING_PULSE');
  });

  it('a rollback with an expired pulse waits for one before it touches anything', () => {
    const update = applyCall(begin(), 'rollback', at(3000));
    expect(update.status).toBe('ROLLING_BACK');
    expect(evaluateUpdate(update, views, 3000).next.status).toBe('ROLL_BACK_AWAITING_PULSE');
  });

  it('an ended update needs none', () => {
    const ended = applyCall(begin(), 'abort', at(3000));
    expect(pulseUpdate(ended, 4000)).toEqual({ next: ended, answer: 'FINISHED' });
  });
});
