import { DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb';
import { describe, expect, it } from 'vitest';
import { contentId } from '../../shared/lib/hash.ts';
import type { Job } from '../../shared/model/job.ts';
import type { TaskConfig } from '../../shared/model/task-config.ts';
import { tokenKeyOf } from '../../shared/store/keys.ts';
import type { StoreUnderTest } from './engines.ts';
import { makeConfig, makeJob, t0, unique } from './fixtures.ts';

const noConfigs: ReadonlyMap<string, TaskConfig> = new Map();

/** Jobs: create, replace, replay by token, update on condition, list, configs. */
export function jobsContract(subject: () => StoreUnderTest): void {
  describe('createJob', () => {
    it('stores a job once and answers with the stored one after that', async () => {
      const store = subject().store();
      const job = makeJob({ killMessage: 'bye', restarts: [restart()] });
      expect(await store.createJob({ job, configs: noConfigs })).toEqual({ kind: 'created' });
      expect(await store.getJob(job)).toEqual(job);
      const other = { ...job, createdBy: 'somebody else' };
      expect(await store.createJob({ job: other, configs: noConfigs })).toEqual({ kind: 'exists', job });
      expect(await store.getJob(job)).toEqual(job);
    });

    it('says created when the very same create is repeated, as after a lost answer', async () => {
      const store = subject().store();
      const job = makeJob();
      await store.createJob({ job, configs: noConfigs });
      expect(await store.createJob({ job, configs: noConfigs })).toEqual({ kind: 'created' });
    });

    it('stores every config, also when they do not fit into one transaction', async () => {
      const store = subject().store();
      const configs = new Map<string, TaskConfig>();
      for (let priority = 0; priority < 130; priority++) {
        const config = makeConfig({ priority });
        configs.set(contentId(config), config);
      }
      const job = makeJob();
      await store.createJob({ job, configs });
      // Another process, so that nothing comes from a cache.
      const read = await subject()
        .store()
        .getConfigs(job, [...configs.keys(), 'ffffffffffffffff']);
      expect(new Map(read)).toEqual(configs);
      expect((await store.getConfigs(makeJob(), [...configs.keys()])).size).toBe(0);
    });

    it('replaces a job at the named spec version only', async () => {
      const store = subject().store();
      const job = makeJob({ specVersion: 4, reconciledVersion: 4 });
      await store.createJob({ job, configs: noConfigs });
      const next = { ...job, specVersion: 5, createdBy: 'second' };
      const stale = { job: next, configs: noConfigs, replaces: { specVersion: 3 } };
      expect(await store.createJob(stale)).toEqual({ kind: 'exists', job });
      const fresh = { job: next, configs: noConfigs, replaces: { specVersion: 4 } };
      expect(await store.createJob(fresh)).toEqual({ kind: 'created' });
      expect(await store.getJob(job)).toEqual(next);
    });

    it('refuses a job that is too large for one row and stores nothing', async () => {
      const store = subject().store();
      const desired = Array.from({ length: 9_000 }, (_, index): Job['desired'][number] => {
        return { instances: [index, index], configId: '0123456789abcdef', since: 1 };
      });
      const job = makeJob({ desired });
      await expect(store.createJob({ job, configs: noConfigs })).rejects.toMatchObject({
        code: 'INVALID_REQUEST',
        message: expect.stringContaining('KB'),
      });
      const config = makeConfig({ contact: 'x'.repeat(400_000) });
      const configs = new Map([['c', config]]);
      await expect(store.createJob({ job: makeJob(), configs })).rejects.toMatchObject({
        code: 'INVALID_REQUEST',
      });
      expect(await store.getJob(job)).toBeUndefined();
    });
  });

  describe('the client token of a create', () => {
    it('answers a repeat with the job as it is, and refuses another request', async () => {
      const store = subject().store();
      const job = makeJob();
      const token = { value: unique('token'), requestHash: 'h1' };
      expect(await store.createJob({ job, configs: noConfigs, token })).toEqual({ kind: 'created' });
      const retry = { ...job, createdAt: t0 + 5 };
      expect(await store.createJob({ job: retry, configs: noConfigs, token })).toEqual({
        kind: 'replayed',
        job,
      });
      const other = { job: makeJob(), configs: noConfigs, token: { ...token, requestHash: 'h2' } };
      expect(await store.createJob(other)).toEqual({ kind: 'tokenReused' });
      expect(await store.getJob(other.job)).toBeUndefined();
    });

    it('is not used up by a create that was refused', async () => {
      const store = subject().store();
      const job = makeJob();
      await store.createJob({ job, configs: noConfigs });
      const token = { value: unique('token'), requestHash: 'h1' };
      const clash = { job: { ...job, createdBy: 'x' }, configs: noConfigs, token };
      expect((await store.createJob(clash)).kind).toBe('exists');
      expect((await store.createJob({ job: makeJob(), configs: noConfigs, token })).kind).toBe('created');
    });

    it('is free again a day later, deleted by then or not', async () => {
      const { client, stateTable } = subject();
      let now = t0;
      const inTime = subject().store({ clock: () => now });
      const token = { value: unique('token'), requestHash: 'h1' };
      await inTime.createJob({ job: makeJob(), configs: noConfigs, token });
      const doc = DynamoDBDocumentClient.from(client);
      const { Item } = await doc.send(
        new GetCommand({ TableName: stateTable, Key: tokenKeyOf(token.value) }),
      );
      expect(Item?.expiresAt).toBe(t0 / 1000 + 86_400);
      now += 86_400_000;
      const again = { job: makeJob(), configs: noConfigs, token: { ...token, requestHash: 'h2' } };
      expect((await inTime.createJob(again)).kind).toBe('created');
    });
  });

  describe('updateJob', () => {
    it('writes on the versions that were read and otherwise shows the job as it is', async () => {
      const store = subject().store();
      const job = makeJob();
      await store.createJob({ job, configs: noConfigs });
      const expected = { specVersion: 1, reconciledVersion: 0 };
      const next = { ...job, specVersion: 2 };
      expect(await store.updateJob(next, expected)).toEqual({ kind: 'committed' });
      expect(await store.updateJob({ ...job, specVersion: 2, createdBy: 'late' }, expected)).toEqual({
        kind: 'conflict',
        current: next,
      });
      const reconciled = { ...next, reconciledVersion: 2 };
      expect(await store.updateJob(reconciled, { specVersion: 2, reconciledVersion: 1 })).toEqual({
        kind: 'conflict',
        current: next,
      });
      expect(await store.updateJob(reconciled, { specVersion: 2, reconciledVersion: 0 })).toEqual({
        kind: 'committed',
      });
      expect(await store.updateJob(makeJob(), expected)).toEqual({ kind: 'conflict' });
    });
  });

  describe('the client token of an update', () => {
    it('is taken with the change, and keeps a repeat from changing anything', async () => {
      const store = subject().store();
      const job = makeJob();
      await store.createJob({ job, configs: noConfigs });
      const token = { value: unique('token'), requestHash: 'h1' };
      expect(await store.tokenUse(token.value)).toBeUndefined();
      const next = { ...job, specVersion: 2 };
      const first = { specVersion: 1, reconciledVersion: 0 };
      expect(await store.updateJob(next, first, token)).toEqual({ kind: 'committed' });
      expect(await store.tokenUse(token.value)).toEqual({ requestHash: 'h1' });
      const second = { specVersion: 2, reconciledVersion: 0 };
      expect(await store.updateJob({ ...job, specVersion: 3 }, second, token)).toEqual({ kind: 'tokenUsed' });
      // The very same request after a lost answer: the row has moved on too.
      expect(await store.updateJob(next, first, token)).toEqual({ kind: 'tokenUsed' });
      expect(await store.getJob(job)).toEqual(next);
    });

    it('can be taken by itself, once', async () => {
      const store = subject().store();
      const token = { value: unique('token'), requestHash: 'h1' };
      await store.takeToken(token);
      await store.takeToken({ ...token, requestHash: 'h2' });
      expect(await store.tokenUse(token.value)).toEqual({ requestHash: 'h1' });
    });

    it('is not taken by an update that lost a race', async () => {
      const store = subject().store();
      const job = makeJob({ specVersion: 4 });
      await store.createJob({ job, configs: noConfigs });
      const token = { value: unique('token'), requestHash: 'h1' };
      const stale = { specVersion: 3, reconciledVersion: 0 };
      expect(await store.updateJob({ ...job, specVersion: 5 }, stale, token)).toEqual({
        kind: 'conflict',
        current: job,
      });
      expect(await store.tokenUse(token.value)).toBeUndefined();
      const gone = await store.updateJob(makeJob({ specVersion: 4 }), stale, token);
      expect(gone).toEqual({ kind: 'conflict' });
    });

    it('is free again a day later, deleted by then or not', async () => {
      let now = t0;
      const store = subject().store({ clock: () => now });
      const job = makeJob();
      await store.createJob({ job, configs: noConfigs });
      const token = { value: unique('token'), requestHash: 'h1' };
      await store.updateJob({ ...job, specVersion: 2 }, { specVersion: 1, reconciledVersion: 0 }, token);
      now += 86_400_000;
      expect(await store.tokenUse(token.value)).toBeUndefined();
      const next = { ...job, specVersion: 3 };
      const again = { ...token, requestHash: 'h2' };
      const outcome = await store.updateJob(next, { specVersion: 2, reconciledVersion: 0 }, again);
      expect(outcome).toEqual({ kind: 'committed' });
    });
  });

  describe('listJobs', () => {
    it('pages through one role, all roles, and one environment without loss or repeat', async () => {
      const store = subject().store();
      const role = unique('role');
      const [a, b] = [`${role}-a`, `${role}-b`];
      const jobs = [
        ...['j1', 'j2', 'j3'].map((name) => makeJob({ role: a, environment: 'prod', name })),
        makeJob({ role: a, environment: 'devel', name: 'j1' }),
        makeJob({ role: b, environment: 'prod', name: 'j9' }),
        // `prod` must not match an environment that only starts with it.
        makeJob({ role: b, environment: 'prod2', name: 'j9' }),
      ];
      for (const job of jobs) await store.createJob({ job, configs: noConfigs });
      const list = async (
        filter: { role?: string; environment?: string },
        limit: number,
      ): Promise<string[]> => {
        const names: string[] = [];
        let cursor: string | undefined;
        do {
          const page = await store.listJobs(filter, { limit, ...(cursor !== undefined && { cursor }) });
          expect(page.items.length).toBeLessThanOrEqual(limit);
          names.push(...page.items.map((job) => `${job.role}/${job.environment}/${job.name}`));
          cursor = page.next;
        } while (cursor !== undefined);
        return names;
      };
      const ofA = [`${a}/devel/j1`, `${a}/prod/j1`, `${a}/prod/j2`, `${a}/prod/j3`];
      for (const limit of [1, 2, 4, 100]) expect(await list({ role: a }, limit)).toEqual(ofA);
      expect(await list({ role: b, environment: 'prod' }, 1)).toEqual([`${b}/prod/j9`]);
      const everywhere = (await list({}, 3)).filter((name) => name.startsWith(role));
      expect(everywhere).toEqual([...ofA, `${b}/prod/j9`, `${b}/prod2/j9`]);
      const prod = (await list({ environment: 'prod' }, 2)).filter((name) => name.startsWith(role));
      expect(prod).toEqual([...ofA.slice(1), `${b}/prod/j9`]);
      expect(await list({ role: unique('nobody') }, 10)).toEqual([]);
    });

    it('refuses a cursor it did not give', async () => {
      const listing = subject().store().listJobs({}, { limit: 1, cursor: 'nonsense' });
      await expect(listing).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    });
  });
}

function restart(): Job['restarts'][number] {
  return { instances: [[0, 1]], requestedAt: t0, version: 2, message: 'again' };
}
