// Hostile records of the table's stream: rows written by something else or by a newer version. The consumer never falls, and
// names the first record that it cannot read, so that the others have their effects.

import type { DynamoDBRecord } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createJobEnds } from '../../functions/fanout/job-ends.ts';
import { processBatch } from '../../functions/fanout/process-batch.ts';
import { createConfigCache } from '../../functions/launch.ts';
import { defaultHistory } from '../../shared/domain/task/history.ts';
import { decodeStreamRecord } from '../../shared/store/stream.ts';
import { queues } from '../functions/support/world.ts';
import { below, type Json, mutate, pick, type Random, randomOf } from './hostile.ts';
import { createInstallation, type Installation } from './installation.ts';
import { forEachSeed, timeoutMs } from './settings.ts';

let target: Installation;
let rows: readonly Record<string, Json>[];
beforeAll(async () => {
  target = await createInstallation();
  rows = (await target.world.dump()).map((row) => JSON.parse(row) as Record<string, Json>);
});
afterAll(() => target.world.stop());

describe('hostile stream records', () => {
  it('stop nothing but themselves', { timeout: timeoutMs }, async () => {
    const { world, store } = target;
    const deps = {
      store,
      configs: createConfigCache(store),
      jobEnds: createJobEnds(store),
      messages: world.messages,
      workflows: world.workflows,
      agents: world.agents,
      events: world.events,
      cluster: 'local',
      history: defaultHistory,
      queues,
      ...world.common,
      decode: decodeStreamRecord,
    };
    const outcomes = await forEachSeed('stream records', async (seed) => {
      const random = randomOf(seed);
      const image = () => hostileRow(random);
      const record: DynamoDBRecord = {
        eventName: 'MODIFY',
        dynamodb: {
          SequenceNumber: `s${seed}`,
          ...(random() < 0.8 && { OldImage: image() }),
          ...(random() < 0.9 && { NewImage: image() }),
        },
      } as unknown as DynamoDBRecord;
      const { batchItemFailures } = await processBatch({ Records: [record] }, deps);
      const [failed] = batchItemFailures;
      if (failed && failed.itemIdentifier !== `s${seed}`)
        throw new Error(`it names ${failed.itemIdentifier}`);
      return failed ? 'dead letter' : 'derived';
    });
    expect(outcomes.size).toBeGreaterThan(0);
  });
});

/** A row in DynamoDB's own notation. */
function hostileRow(random: Random): Json {
  let row: Json = pick(random, rows);
  for (let left = below(random, 3); left > 0; left--) row = mutate(random, row);
  return typeof row === 'object' ? row : null;
}
