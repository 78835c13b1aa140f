// Hostile records of the table's stream: rows written by something else or by a newer version. The consumer never falls, and
// names the first record that it cannot read, so that the others have their effects.

import type { DynamoDBRecord } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createJobEnds } from '../../functions/fanout/job-ends.ts';
import { processBatch } from '../../functions/fanout/process-batch.ts';
import { createConfigCache } from '../../functions/launch.ts';
import { defaultHistory } from '../../shared/domain/task/history.ts';
import type { BusEvent } from '../../shared/model/events.ts';
import { isUnreadable } from '../../shared/store/codec/row.ts';
import { decodeStreamRecord } from '../../shared/store/stream.ts';
import { queues } from '../functions/support/world.ts';
import {
  below,
  hostileText,
  hostileValue,
  type Json,
  mutate,
  pick,
  type Random,
  randomOf,
} from './hostile.ts';
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
  it('stop nothing but themselves, and leave no trace if they cannot be read', {
    timeout: timeoutMs,
  }, async () => {
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
    const good = goodRecord();
    const sent = () => world.messages.sent.length + world.agents.sent.length;
    const outcomes = await forEachSeed('stream records', async (seed) => {
      const random = randomOf(seed);
      const isWellFormed = random() < 0.6;
      const image = () => (isWellFormed ? strangeRow(random) : hostileRow(random));
      const record: DynamoDBRecord = {
        eventName: 'MODIFY',
        dynamodb: {
          SequenceNumber: `s${seed}`,
          ...(random() < 0.8 && { OldImage: image() }),
          ...(random() < 0.9 && { NewImage: image() }),
        },
      } as unknown as DynamoDBRecord;
      if (isWellFormed) checkReading(record);
      const linesBefore = world.log.lines.length;
      target.takeWrites();
      const sentBefore = sent();
      const told = world.events.published.length;
      const Records = random() < 0.5 ? [record, good] : [good, record];
      const { batchItemFailures } = await processBatch({ Records }, deps);
      const wasUnreadable = world.log.lines
        .slice(linesBefore)
        .some(({ message }) => message.startsWith('a stream record cannot be read'));
      const [failed] = batchItemFailures;
      if (failed && failed.itemIdentifier !== `s${seed}`)
        throw new Error(`it names ${failed.itemIdentifier}`);
      const events = world.events.published.slice(told);
      const isGood = ({ detail }: BusEvent) => 'host' in detail && detail.host === goodHost;
      if (!events.some(isGood)) throw new Error('the good record beside it had no effect');
      const effects =
        [...events.filter((event) => !isGood(event)), ...target.takeWrites()].length + sent() - sentBefore;
      if (wasUnreadable && effects > 0) throw new Error(`it cannot be read, but had ${effects} effects`);
      return failed ? (wasUnreadable ? 'dead letter' : 'comes again') : 'derived';
    });
    expect(outcomes.size).toBeGreaterThan(0);
  });
});

/** What cannot be read says so by itself, for by that word it is set aside wherever rows are listed. */
function checkReading(record: DynamoDBRecord): void {
  try {
    decodeStreamRecord(record);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
  }
}

const goodHost = 'host-of-a-good-record';

/** An agent that is removed: one event of the bus and nothing else. */
function goodRecord(): DynamoDBRecord {
  const agent = rows.find(({ sk }) => JSON.stringify(sk).includes('A#agent-a')) as { j: { S: string } };
  const j = { S: JSON.stringify({ ...(JSON.parse(agent.j.S) as object), host: goodHost }) };
  return {
    eventName: 'REMOVE',
    dynamodb: { SequenceNumber: 'good', OldImage: { ...agent, j } },
  } as unknown as DynamoDBRecord;
}

/** A row as something else might have written it: attributes of any type, and any JSON where JSON belongs. */
function strangeRow(random: Random): Json {
  const row: Record<string, Json> = { ...pick(random, rows) };
  for (let left = 1 + below(random, 3); left > 0; left--) {
    const name = pick(random, [...Object.keys(row), 'g', 'co', 'ag', 'dl', 'an', 'm', 'l']);
    if (name === 'pk' || name === 'sk') {
      row[name] = { S: hostileText(random) || '#' };
      continue;
    }
    const json = jsonIn(row[name]);
    const change = below(random, 10);
    if (change === 0) delete row[name];
    else if (json !== undefined && change < 8) row[name] = { S: JSON.stringify(mutate(random, json)) };
    else row[name] = notationOf(hostileValue(random));
  }
  return row;
}

function jsonIn(value: Json | undefined): Json | undefined {
  try {
    return JSON.parse((value as { S: string }).S) as Json;
  } catch {
    return undefined;
  }
}

function notationOf(value: Json): Json {
  if (value === null) return { NULL: true };
  if (typeof value === 'string') return { S: value };
  if (typeof value === 'number') return { N: String(value) };
  if (typeof value === 'boolean') return { BOOL: value };
  if (Array.isArray(value)) return { L: value.map((item: Json) => notationOf(item)) };
  return {
    M: Object.fromEntries(Object.entries(value).map(([key, item]) => [key, notationOf(item as Json)])),
  };
}

/** A row in DynamoDB's own notation, which itself may be wrong. */
function hostileRow(random: Random): Json {
  let row: Json = pick(random, rows);
  for (let left = below(random, 3); left > 0; left--) row = mutate(random, row);
  return typeof row === 'object' ? row : null;
}
