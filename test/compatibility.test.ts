// docs/upgrading.md promises that each version reads what older ones wrote. test/compatibility/VERSION.json holds rows and
// messages as that version wrote them, and what they mean; they are recorded once and never changed.
import { readdirSync, readFileSync } from 'node:fs';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { agentCommandSchema, agentReportSchema, desiredPageSchema } from '../shared/model/protocol.ts';
import { matcherWakeSchema, reconcileWakeSchema, timerSchema } from '../shared/model/wake.ts';
import { decodeAgent, decodeLedger } from '../shared/store/codec/agent-row.ts';
import { plainRow } from '../shared/store/codec/attribute-values.ts';
import { decodeConfig, decodeJob } from '../shared/store/codec/job-row.ts';
import type { Row } from '../shared/store/codec/row.ts';
import { decodeTask } from '../shared/store/codec/task-row.ts';
import { decodeStreamRecord } from '../shared/store/stream.ts';

type StoredRow = Readonly<Record<string, AttributeValue>>;
interface Recorded {
  readonly version: string;
  readonly rows: Readonly<Record<string, { readonly row: StoredRow; readonly means: object }>>;
  readonly messages: Readonly<Record<string, readonly object[]>>;
}

const decoders: Readonly<Record<string, (row: Row) => unknown>> = {
  job: decodeJob,
  config: decodeConfig,
  task: decodeTask,
  pending: decodeTask,
  agent: decodeAgent,
  ledger: decodeLedger,
};
const readers: Readonly<Record<string, z.ZodType>> = {
  reports: agentReportSchema,
  commands: agentCommandSchema,
  desired: desiredPageSchema,
  matcherWakes: matcherWakeSchema,
  reconcileWakes: reconcileWakeSchema,
  timers: timerSchema,
};

const recorded = readdirSync(new URL('compatibility', import.meta.url))
  .filter((name) => name.endsWith('.json'))
  .map(
    (name) => JSON.parse(readFileSync(new URL(`compatibility/${name}`, import.meta.url), 'utf8')) as Recorded,
  );

describe.each(recorded)('what version $version wrote', ({ rows, messages }) => {
  it.each(Object.entries(rows))('the row of a %s is read as it was meant', (kind, { row, means }) => {
    expect(decoders[kind]?.(plainRow(row))).toMatchObject(means);
  });

  it.each(Object.entries(rows))(
    'the row of a %s is read although it holds an attribute nobody knows',
    (kind, { row, means }) => {
      const newer = { ...row, zz: { S: 'of a later version' } };
      expect(decoders[kind]?.(plainRow(newer))).toMatchObject(means);
    },
  );

  it.each(Object.entries(rows))('the row of a %s goes through the stream', (_kind, { row }) => {
    expect(() => decodeStreamRecord({ dynamodb: { NewImage: row } })).not.toThrow();
  });

  it.each(Object.entries(messages))('%s are taken', (kind, list) => {
    const reader = readers[kind];
    expect(list.length).toBeGreaterThan(0);
    for (const message of list)
      expect(reader?.safeParse(message)).toMatchObject({ success: true, data: message });
  });
});

describe('what a later version may add', () => {
  const [latest] = recorded;

  it.each(['commands', 'desired', 'matcherWakes', 'reconcileWakes', 'timers'])(
    'to %s is ignored by those that do not know it',
    (kind) => {
      for (const message of latest?.messages[kind] ?? []) {
        const read = readers[kind]?.safeParse({ ...message, later: true });
        expect(read).toMatchObject({ success: true });
        expect(read?.data).not.toHaveProperty('later');
      }
    },
  );

  it('to the reports of agents is refused: the control plane is upgraded first', () => {
    for (const message of latest?.messages.reports ?? []) {
      expect(agentReportSchema.safeParse({ ...message, later: true }).success).toBe(false);
    }
  });

  it('as a new kind of row is passed over by the stream', () => {
    const row = { pk: { S: 'LATER#x' }, sk: { S: 'y' } };
    expect(decodeStreamRecord({ dynamodb: { NewImage: row } })).toEqual({ kind: 'other' });
  });
});
