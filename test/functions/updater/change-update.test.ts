import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changeUpdate } from '../../../functions/updater/change-update.ts';
import { applyCall, pulseUpdate } from '../../../shared/domain/update/calls.ts';
import { jobUnderUpdate } from '../../../shared/domain/update/follow-job.ts';
import type { Store } from '../../../shared/store/port.ts';
import { embeddedEngine, type StoreUnderTest } from '../../contract/engines.ts';
import { makeJob, makeUpdate, t0 } from '../../contract/fixtures.ts';

let tables: StoreUnderTest;
let store: Store;
beforeAll(async () => {
  tables = await embeddedEngine();
  store = tables.store();
});
afterAll(() => tables.stop());

async function started() {
  const job = makeJob({ reconciledVersion: 1 });
  await store.createJob({ job, configs: new Map() });
  const update = makeUpdate(job);
  const next = jobUnderUpdate({ job, update, cluster: 'local', now: t0 });
  const expected = { specVersion: 1, reconciledVersion: 1 };
  await store.createUpdate({ update, job: { next, expected }, configs: new Map() });
  return update;
}

const clock = () => t0 + 1000;

describe('a call to an update', () => {
  it('pauses and resumes it and leaves the job alone', async () => {
    const update = await started();
    const job = await store.getJob(update);
    const call = (what: 'pause' | 'resume') =>
      changeUpdate(update, update.updateId, (one, now) => applyCall(one, what, { user: 'ann', now }), {
        store,
        clock,
      });
    expect((await call('pause')).status).toBe('ROLL_FORWARD_PAUSED');
    expect((await call('pause')).status).toBe('ROLL_FORWARD_PAUSED');
    expect((await store.getUpdate(update, update.updateId))?.update.events).toHaveLength(2);
    expect((await call('resume')).status).toBe('ROLLING_FORWARD');
    expect((await store.getUpdate(update, update.updateId))?.sequence).toBe(2);
    expect(await store.getJob(update)).toEqual(job);
  });

  it('aborts it and lets the job go in the same write', async () => {
    const update = await started();
    const done = await changeUpdate(
      update,
      update.updateId,
      (one, now) => applyCall(one, 'abort', { user: 'ann', now }),
      { store, clock },
    );
    expect(done.status).toBe('ABORTED');
    const job = await store.getJob(update);
    expect(job?.updateId).toBeUndefined();
    expect(job?.specVersion).toBe(3);
  });

  it('is applied to the newest record when others write at the same time', async () => {
    const update = await started();
    const pulses = Array.from({ length: 5 }, (_, i) =>
      changeUpdate(update, update.updateId, (one) => pulseUpdate(one, t0 + 10_000 * i).next, {
        store,
        clock,
      }),
    );
    await Promise.all(pulses);
    expect((await store.getUpdate(update, update.updateId))?.update.lastPulseAt).toBe(t0 + 40_000);
  });

  it('says so if there is no such update', async () => {
    await expect(changeUpdate(makeJob(), 'nothing', (one) => one, { store, clock })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});
