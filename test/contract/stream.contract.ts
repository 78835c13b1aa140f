import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListStreamsCommand,
} from '@aws-sdk/client-dynamodb-streams';
import { describe, expect, it } from 'vitest';
import type { Task } from '../../shared/model/task.ts';
import type { StreamChange } from '../../shared/store/port.ts';
import { decodeStreamRecord } from '../../shared/store/stream.ts';
import {
  assignment,
  assignOne,
  newAgent,
  newPlacements,
  type Placement,
  readAgent,
  releaseOf,
} from './assign.contract.ts';
import type { StoreUnderTest } from './engines.ts';
import { makeConfig, makeJob, step, t0 } from './fixtures.ts';

/** Every change in the state table's stream so far, decoded. */
async function changes({ client, stateTable }: StoreUnderTest): Promise<StreamChange[]> {
  const { config } = client;
  const endpoint = await config.endpoint?.();
  const url = endpoint && `${endpoint.protocol}//${endpoint.hostname}:${endpoint.port ?? 80}`;
  const streams = new DynamoDBStreamsClient({
    region: await config.region(),
    credentials: config.credentials,
    ...(url && { endpoint: url }),
  });
  const { Streams = [] } = await streams.send(new ListStreamsCommand({ TableName: stateTable }));
  const StreamArn = Streams[0]?.StreamArn;
  const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn }));
  const found: StreamChange[] = [];
  for (const { ShardId } of StreamDescription?.Shards ?? []) {
    const start = { StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' as const };
    let { ShardIterator } = await streams.send(new GetShardIteratorCommand(start));
    while (ShardIterator !== undefined) {
      const page = await streams.send(new GetRecordsCommand({ ShardIterator }));
      if (page.Records === undefined || page.Records.length === 0) break;
      found.push(...page.Records.map(decodeStreamRecord));
      ShardIterator = page.NextShardIterator;
    }
  }
  streams.destroy();
  return found;
}

/** The stream: every change in the words of the domain, with the row before and after. */
export function streamContract(subject: () => StoreUnderTest): void {
  describe('the stream', () => {
    it('tells the life of a task, its job and its agent', async () => {
      const store = subject().store();
      const job = makeJob();
      await store.createJob({ job, configs: new Map([['c', makeConfig()]]) });
      const agent = await newAgent(store);
      const [placement] = (await newPlacements(store, 1)) as [Placement];
      await assignOne(store, assignment(agent, [placement]));
      const assigned = (await store.getTask(placement.task.taskId)) as Task;
      const lost = step(assigned, 'LOST');
      await store.transition({ task: assigned, next: lost });
      const taken = (await readAgent(store, agent.ledger.agentId)).ledger;
      await store.release(agent.ledger.agentId, [releaseOf(placement)]);
      const freed = (await readAgent(store, agent.ledger.agentId)).ledger;

      const all = await changes(subject());
      const { taskId } = placement.task;
      const ofTask = all.filter((one) => one.kind === 'task' && (one.after ?? one.before)?.taskId === taskId);
      expect(ofTask).toEqual([
        { kind: 'task', after: placement.task },
        { kind: 'task', before: placement.task, after: assigned },
        { kind: 'task', before: assigned, after: lost },
      ]);
      expect(all).toContainEqual({ kind: 'job', after: job });
      expect(all).toContainEqual({ kind: 'agent', after: agent.agent });
      expect(all).toContainEqual({ kind: 'ledger', before: taken, after: freed });
      expect(all.some(({ kind }) => kind === 'other')).toBe(true);
    });

    it('carries each probe, also when it takes the place of another', async () => {
      const store = subject().store();
      await store.putProbe(t0);
      await store.putProbe(t0 + 1);
      const probes = (await changes(subject())).filter(({ kind }) => kind === 'probe');
      expect(probes.slice(-2)).toEqual([t0, t0 + 1].map((sentAt) => ({ kind: 'probe', sentAt })));
    });

    it('shows a deleted row by its last image', async () => {
      const store = subject().store();
      const [placement] = (await newPlacements(store, 1)) as [Placement];
      await store.transition({ task: placement.task });
      expect(await changes(subject())).toContainEqual({ kind: 'task', before: placement.task });
    });
  });

  describe('a stream record that makes no sense', () => {
    it('is other without an image, and an error with one that cannot be read', () => {
      expect(decodeStreamRecord({})).toEqual({ kind: 'other' });
      expect(decodeStreamRecord({ dynamodb: { NewImage: { pk: { S: 'ROLES' }, sk: { S: 'x' } } } })).toEqual({
        kind: 'other',
      });
      const broken = { pk: { S: 'TASKS#a/b/c#0' }, sk: { S: 'I#000000#00000001' }, s: { S: 'HAPPY' } };
      expect(() => decodeStreamRecord({ dynamodb: { NewImage: broken } })).toThrow(/cannot be read/);
      const job = { pk: { S: 'ROLE#a' }, sk: { S: 'JOB#b/c' }, j: { S: '{' } };
      expect(() => decodeStreamRecord({ dynamodb: { NewImage: job } })).toThrow(/cannot be read/);
    });
  });
}
