import { describe, expect, it } from 'vitest';
import { followUpdate, jobUnderUpdate } from '../../shared/domain/update/follow-job.ts';
import { moveTo } from '../../shared/domain/update/record.ts';
import { contentId } from '../../shared/lib/hash.ts';
import type { Job } from '../../shared/model/job.ts';
import { jobKeyOnly } from '../../shared/model/job-key.ts';
import type { InstanceEvent, UpdateRecord } from '../../shared/model/update.ts';
import { dueShards } from '../../shared/store/keys.ts';
import type { Store } from '../../shared/store/port.ts';
import type { StoreUnderTest } from './engines.ts';
import { makeConfig, makeJob, makeUpdate, t0, unique } from './fixtures.ts';

const noConfigs = new Map();

function expected({ specVersion, reconciledVersion }: Job) {
  return { specVersion, reconciledVersion };
}

/** A stored job with a started update of its instances 0 to 2. */
async function started(store: Store, over: Partial<UpdateRecord> = {}) {
  const job = makeJob({ reconciledVersion: 1 });
  await store.createJob({ job, configs: noConfigs });
  const update = makeUpdate(job, over);
  const under = jobUnderUpdate({ job, update, cluster: 'local', now: t0 });
  await store.createUpdate({ update, job: { next: under, expected: expected(job) }, configs: noConfigs });
  return { job: under, update };
}

/** Updates: create with the job's lock, write on condition, list, instance events, callbacks, due entries. */
export function updatesContract(subject: () => StoreUnderTest): void {
  describe('createUpdate', () => {
    it('stores the update, its configs, and the job that names it', async () => {
      const store = subject().store();
      const job = makeJob({ reconciledVersion: 1 });
      await store.createJob({ job, configs: noConfigs });
      const update = makeUpdate(job);
      const next = jobUnderUpdate({ job, update, cluster: 'local', now: t0 });
      const config = makeConfig({ priority: 7 });
      const configs = new Map([[contentId(config), config]]);
      const input = { update, job: { next, expected: expected(job) }, configs };
      expect(await store.createUpdate(input)).toEqual({ kind: 'created' });
      expect(await store.getJob(job)).toEqual(next);
      expect(next.updateId).toBe(update.updateId);
      expect(await store.getUpdate(job, update.updateId)).toEqual({ update, version: 1, sequence: 1 });
      expect(
        new Map(
          await subject()
            .store()
            .getConfigs(job, [...configs.keys()]),
        ),
      ).toEqual(configs);
      // As after a lost answer.
      expect(await store.createUpdate(input)).toEqual({ kind: 'created' });
    });

    it('creates the job if there is none, and lets nobody create it a second time', async () => {
      const store = subject().store();
      const update = makeUpdate(makeJob(), { initial: [] });
      const next = jobUnderUpdate({ job: undefined, update, cluster: 'local', now: t0 });
      expect(await store.createUpdate({ update, job: { next }, configs: noConfigs })).toEqual({
        kind: 'created',
      });
      const late = makeUpdate(update);
      const again = jobUnderUpdate({ job: undefined, update: late, cluster: 'local', now: t0 });
      expect(await store.createUpdate({ update: late, job: { next: again }, configs: noConfigs })).toEqual({
        kind: 'conflict',
        current: next,
      });
      expect(await store.getUpdate(late, late.updateId)).toBeUndefined();
      const page = await store.listJobs({ role: update.role }, { limit: 1000 });
      expect(page.items.map(({ name }) => name)).toContain(update.name);
    });

    it('takes the client token along, and starts nothing with one that was taken', async () => {
      const store = subject().store();
      const token = { value: unique('token'), requestHash: 'h1' };
      const begin = async (over: { token: typeof token }) => {
        const job = makeJob({ reconciledVersion: 1 });
        await store.createJob({ job, configs: noConfigs });
        const update = makeUpdate(job, { createdAt: Date.now() });
        const next = jobUnderUpdate({ job, update, cluster: 'local', now: t0 });
        const input = { update, job: { next, expected: expected(job) }, configs: noConfigs, ...over };
        return { input, update, outcome: await store.createUpdate(input) };
      };
      const first = await begin({ token });
      expect(first.outcome).toEqual({ kind: 'created' });
      expect(await store.tokenUse(token.value)).toEqual({
        requestHash: 'h1',
        updateId: first.update.updateId,
      });
      // As after a lost answer.
      expect(await store.createUpdate(first.input)).toEqual({ kind: 'created' });
      const second = await begin({ token: { ...token, requestHash: 'h2' } });
      expect(second.outcome).toEqual({ kind: 'tokenUsed' });
      expect(await store.getUpdate(second.update, second.update.updateId)).toBeUndefined();
      expect((await store.getJob(second.update))?.updateId).toBeUndefined();
    });

    it('lets one of many win when they start at the same moment', async () => {
      const store = subject().store();
      const job = makeJob({ reconciledVersion: 1 });
      await store.createJob({ job, configs: noConfigs });
      const outcomes = await Promise.all(
        Array.from({ length: 8 }, async () => {
          const update = makeUpdate(job);
          const next = jobUnderUpdate({ job, update, cluster: 'local', now: t0 });
          const input = { update, job: { next, expected: expected(job) }, configs: noConfigs };
          return { update, outcome: await store.createUpdate(input) };
        }),
      );
      const won = outcomes.filter(({ outcome }) => outcome.kind === 'created');
      expect(won).toHaveLength(1);
      expect((await store.getJob(job))?.updateId).toBe(won[0]?.update.updateId);
      const listed = await store.listJobUpdates(job, { limit: 10 });
      expect(listed.items).toEqual([won[0]?.update]);
    });

    it('keeps an edit that read the job before it from being written', async () => {
      const store = subject().store();
      const job = makeJob({ reconciledVersion: 1 });
      await store.createJob({ job, configs: noConfigs });
      const update = makeUpdate(job);
      const next = jobUnderUpdate({ job, update, cluster: 'local', now: t0 });
      await store.createUpdate({ update, job: { next, expected: expected(job) }, configs: noConfigs });
      const edit = { ...job, specVersion: 2 };
      expect(await store.updateJob(edit, expected(job))).toEqual({ kind: 'conflict', current: next });
    });
  });

  describe('writeUpdate', () => {
    it('writes record, job and instance events together, once per version', async () => {
      const store = subject().store();
      const { job, update } = await started(store);
      const before = await store.getUpdate(update, update.updateId);
      if (!before) throw new Error('not stored');
      const progress = {
        ...update.progress,
        visited: 1,
        working: [{ since: t0, instances: [[0, 0] as [number, number]] }],
      };
      const next = { ...update, progress, updatedAt: t0 + 1 };
      const followed = followUpdate(job, next, t0 + 1);
      const events: InstanceEvent[] = [
        { instance: 0, action: 'INSTANCE_UPDATING', at: t0 + 1, message: 'x' },
      ];
      const input = {
        before,
        next,
        job: { next: followed, expected: expected(job) },
        instanceEvents: events,
        now: t0 + 1,
      };
      const outcome = await store.writeUpdate(input);
      expect(outcome).toEqual({ kind: 'committed', stored: { update: next, version: 2, sequence: 1 } });
      expect(await store.getUpdate(update, update.updateId)).toEqual({
        update: next,
        version: 2,
        sequence: 1,
      });
      expect(await store.getJob(job)).toEqual(followed);
      expect(followed.desired.map(({ instances }) => instances)).toEqual([
        [0, 0],
        [1, 2],
      ]);
      expect(await store.writeUpdate(input)).toEqual({ kind: 'conflict' });
      const listed = await store.listInstanceEvents(update, update.updateId, { limit: 10 });
      expect(listed).toEqual({ items: events });
    });

    it('writes nothing if the job is not as it was read', async () => {
      const store = subject().store();
      const { job, update } = await started(store);
      const before = await store.getUpdate(update, update.updateId);
      if (!before) throw new Error('not stored');
      const next = moveTo(update, 'ABORTED', { now: t0 + 1 });
      const stale = {
        next: followUpdate(job, next, t0 + 1),
        expected: { specVersion: 77, reconciledVersion: 77 },
      };
      expect(await store.writeUpdate({ before, next, job: stale, now: t0 + 1 })).toEqual({
        kind: 'conflict',
      });
      expect(await store.getUpdate(update, update.updateId)).toEqual(before);
      expect(await store.getJob(job)).toEqual(job);
    });

    it('counts an execution when the update acts again, and on request', async () => {
      const store = subject().store();
      const { update } = await started(store);
      let stored = await store.getUpdate(update, update.updateId);
      const step = async (next: UpdateRecord, newExecution = false) => {
        if (!stored) throw new Error('not stored');
        const outcome = await store.writeUpdate({ before: stored, next, newExecution, now: t0 });
        if (outcome.kind !== 'committed') throw new Error('conflict');
        stored = outcome.stored;
        return stored.sequence;
      };
      const paused = moveTo(update, 'ROLL_FORWARD_PAUSED', { now: t0 });
      expect(await step(paused)).toBe(1);
      expect(await step(paused, true)).toBe(1);
      const resumed = moveTo(paused, 'ROLLING_FORWARD', { now: t0 });
      expect(await step(resumed)).toBe(2);
      expect(await step({ ...resumed, updatedAt: t0 + 5 })).toBe(2);
      expect(await step(resumed, true)).toBe(3);
      expect(await step(moveTo(resumed, 'ROLLING_BACK', { now: t0 }))).toBe(3);
    });

    it('takes what happened to 10,000 instances in one step, and gives it back in pages', async () => {
      const store = subject().store();
      const { update } = await started(store);
      const before = await store.getUpdate(update, update.updateId);
      if (!before) throw new Error('not stored');
      const events = Array.from({ length: 10_000 }, (_, instance): InstanceEvent => {
        return { instance, action: 'INSTANCE_UPDATED', at: t0 + instance };
      });
      // As fragmented as a record can be: every second instance.
      const odd = Array.from({ length: 5_000 }, (_, i): [number, number] => [2 * i, 2 * i]);
      const progress = { ...update.progress, working: [{ since: t0, instances: odd }], taken: odd };
      const next = { ...update, progress };
      const outcome = await store.writeUpdate({ before, next, instanceEvents: events, now: t0 });
      expect(outcome.kind).toBe('committed');
      expect((await store.getUpdate(update, update.updateId))?.update).toEqual(next);
      const read: InstanceEvent[] = [];
      let cursor: string | undefined;
      do {
        const page = await store.listInstanceEvents(update, update.updateId, {
          limit: 777,
          ...(cursor !== undefined && { cursor }),
        });
        expect(page.items.length).toBeLessThanOrEqual(777);
        read.push(...page.items);
        cursor = page.next;
      } while (cursor !== undefined);
      expect(read).toEqual(events);
    });
  });

  describe('listings of updates', () => {
    it('give the newest first, page by page', async () => {
      const store = subject().store();
      const role = unique('role');
      const ids: string[] = [];
      const jobs = [unique('a'), unique('b')];
      for (let i = 0; i < 5; i++) {
        const job = makeJob({ role, name: jobs[i % 2] as string });
        const update = makeUpdate(job, { updateId: `m${i}-${unique('u')}`, initial: [] });
        const stored = await store.getJob(job);
        const next = stored
          ? { ...stored, updateId: update.updateId }
          : jobUnderUpdate({ job: stored, update, cluster: 'local', now: t0 });
        await store.createUpdate({
          update,
          job: { next, ...(stored && { expected: expected(stored) }) },
          configs: noConfigs,
        });
        ids.unshift(update.updateId);
      }
      const all: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await store.listUpdates({ role }, { limit: 2, ...(cursor !== undefined && { cursor }) });
        all.push(...page.items.map(({ updateId }) => updateId));
        cursor = page.next;
      } while (cursor !== undefined);
      expect(all).toEqual(ids);
      const key = makeJob({ role, name: jobs[0] as string });
      const first = await store.listJobUpdates(key, { limit: 2 });
      const rest = await store.listJobUpdates(key, { limit: 2, cursor: first.next as string });
      expect([...first.items, ...rest.items].map(({ updateId }) => updateId)).toEqual([
        ids[0],
        ids[2],
        ids[4],
      ]);
      const everywhere = await store.listUpdates({}, { limit: 1000 });
      expect(everywhere.items.map(({ updateId }) => updateId)).toEqual(expect.arrayContaining(ids));
    });
  });

  describe('the callback of an execution', () => {
    it('is the last one put, and is dropped only by its own token', async () => {
      const store = subject().store();
      const updateId = unique('u');
      expect(await store.getCallback(updateId)).toBeUndefined();
      const first = {
        updateId,
        sequence: 1,
        status: 'ROLLING_BACK' as const,
        turnsBegun: 3,
        taskToken: 'one',
      };
      const second = {
        updateId,
        sequence: 2,
        status: 'ROLLING_FORWARD' as const,
        turnsBegun: 4,
        taskToken: 'two',
      };
      await store.putCallback(first, t0);
      await store.putCallback(second, t0);
      await store.dropCallback(first);
      expect(await store.getCallback(updateId)).toEqual(second);
      await store.dropCallback(second);
      await store.dropCallback(second);
      expect(await store.getCallback(updateId)).toBeUndefined();
    });
  });

  describe('the due entry of an update', () => {
    const due = async (store: Store, updateId: string, now: number) => {
      const found: string[] = [];
      for (let shard = 0; shard < dueShards; shard++) {
        found.push(...(await store.listDueUpdates(shard, now, 10_000)).map((one) => one.updateId));
      }
      return found.includes(updateId);
    };

    it('comes up a minute after an execution began, later if deferred, and never while the update is stopped', async () => {
      const store = subject().store();
      const { update } = await started(store);
      const { updateId } = update;
      expect(await due(store, updateId, t0 + 59_999)).toBe(false);
      expect(await due(store, updateId, t0 + 60_000)).toBe(true);
      const stored = await store.getUpdate(update, updateId);
      if (!stored) throw new Error('not stored');
      await store.deferUpdate(stored, t0 + 100_000);
      const all = await Promise.all(
        Array.from({ length: dueShards }, (_, shard) => store.listDueUpdates(shard, t0 + 100_000, 10_000)),
      );
      expect(all.flat()).toContainEqual({ key: jobKeyOnly(update), updateId, dueAt: t0 + 100_000 });
      expect(await due(store, updateId, t0 + 99_999)).toBe(false);
      expect(await due(store, updateId, t0 + 100_000)).toBe(true);
      const next = moveTo(update, 'ROLL_FORWARD_PAUSED', { now: t0 });
      await store.writeUpdate({ before: stored, next, now: t0 });
      await store.deferUpdate(stored, t0 + 1);
      expect(await due(store, updateId, t0 + 1_000_000)).toBe(false);
    });
  });
}
