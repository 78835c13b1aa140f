import type { DynamoDBRecord } from 'aws-lambda';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EngineClient } from '../../../local/engines/aws-json.ts';
import { deliver } from '../../../local/host/stream-delivery.ts';
import { StreamLanes } from '../../../local/host/stream-lanes.ts';
import type { StreamMappingPlan } from '../../../local/template/plan.ts';

const mapping: StreamMappingPlan = {
  tableName: 'things',
  streamArn: 'arn:stream',
  functionArn: 'arn:function',
  batchSize: 100,
  bisect: true,
  partialFailures: true,
  fromStart: true,
  maxRetries: 1,
  maxRecordAgeMs: -1,
  parallelization: 1,
  deadLetters: {
    name: 'dead',
    url: 'http://q/dead',
    arn: 'arn:dead',
    fifo: false,
    visibilityTimeoutMs: 1000,
    attributes: {},
  },
};

function record(sequence: number, key = 'k'): DynamoDBRecord {
  return {
    eventName: 'INSERT',
    dynamodb: {
      SequenceNumber: String(sequence),
      Keys: { pk: { S: key } },
      ApproximateCreationDateTime: Date.now() / 1000,
    },
  };
}

const numbersOf = (records: readonly DynamoDBRecord[]): number[] =>
  records.map(({ dynamodb }) => Number(dynamodb?.SequenceNumber));

interface Setup {
  readonly handler: (numbers: number[], call: number) => unknown;
  readonly mapping?: Partial<StreamMappingPlan>;
  readonly stopping?: AbortSignal;
}

function setUp({ handler, mapping: changes, stopping = new AbortController().signal }: Setup) {
  const calls: number[][] = [];
  const notes: { start: string; end: string; condition: string }[] = [];
  const sqs: EngineClient = {
    call: async <T>(_: string, input: unknown) => {
      const body = JSON.parse((input as { MessageBody: string }).MessageBody) as {
        requestContext: { condition: string };
        DDBStreamBatchInfo: { startSequenceNumber: string; endSequenceNumber: string };
      };
      const { startSequenceNumber: start, endSequenceNumber: end } = body.DDBStreamBatchInfo;
      notes.push({ start, end, condition: body.requestContext.condition });
      return {} as T;
    },
    close: () => undefined,
  };
  const invoke = async (_: string, event: unknown): Promise<unknown> => {
    const numbers = numbersOf((event as { Records: DynamoDBRecord[] }).Records);
    calls.push(numbers);
    return handler(numbers, calls.length);
  };
  const options = {
    mapping: { ...mapping, ...changes },
    shardId: 'shard',
    sqs,
    invoker: { invoke },
    log: () => undefined,
    stopping,
    wait: () => Promise.resolve(),
  };
  return {
    calls,
    notes,
    run: (numbers: number[]) =>
      deliver(
        options,
        numbers.map((number) => record(number)),
      ),
  };
}

const failing = (...numbers: number[]) => ({
  batchItemFailures: numbers.map((number) => ({ itemIdentifier: String(number) })),
});

describe('delivering a batch of stream records', () => {
  it('calls the function once when all is well', async () => {
    const { calls, run } = setUp({ handler: () => ({ batchItemFailures: [] }) });
    expect(await run([1, 2, 3])).toBe(true);
    expect(calls).toEqual([[1, 2, 3]]);
  });

  it('goes on from the first record that failed, that one alone', async () => {
    const { calls, notes, run } = setUp({ handler: (_, call) => (call === 1 ? failing(4, 3) : undefined) });
    expect(await run([1, 2, 3, 4, 5])).toBe(true);
    expect(calls).toEqual([[1, 2, 3, 4, 5], [3], [4, 5]]);
    expect(notes).toEqual([]);
  });

  it('halves a batch that fails whole until the poison record stands alone, and gives only that one up', async () => {
    const delivered = new Set<number>();
    const { notes, run } = setUp({
      handler: (numbers) => {
        if (numbers.includes(6)) throw new Error('poison');
        for (const number of numbers) delivered.add(number);
        return undefined;
      },
    });
    expect(await run([1, 2, 3, 4, 5, 6, 7, 8])).toBe(true);
    expect([...delivered].toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 7, 8]);
    expect(notes).toEqual([{ start: '6', end: '6', condition: 'RetryAttemptsExhausted' }]);
  });

  it('tries a single record as often as the template says', async () => {
    const { calls, notes, run } = setUp({
      mapping: { maxRetries: 3 },
      handler: () => {
        throw new Error('no');
      },
    });
    await run([1]);
    expect(calls).toHaveLength(4);
    expect(notes).toHaveLength(1);
  });

  it('gives up the whole batch when it may not be halved', async () => {
    const { calls, notes, run } = setUp({
      mapping: { bisect: false },
      handler: () => Promise.reject(new Error('no')),
    });
    await run([1, 2, 3]);
    expect(calls).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    expect(notes).toMatchObject([{ start: '1', end: '3' }]);
  });

  it('gives up what is too old', async () => {
    const { notes, run } = setUp({
      mapping: { maxRetries: -1, maxRecordAgeMs: 0, bisect: false },
      handler: async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        throw new Error('no');
      },
    });
    await run([1]);
    expect(notes).toMatchObject([{ condition: 'EventAgeExceeded' }]);
  });

  it('takes an answer that names unknown records for a failure of all', async () => {
    const { calls, run } = setUp({ handler: (_, call) => (call === 1 ? failing(99) : undefined) });
    expect(await run([1, 2])).toBe(true);
    expect(calls).toEqual([[1, 2], [1], [2]]);
  });

  it('stops between tries without giving anything up', async () => {
    const stopping = new AbortController();
    const { notes, run } = setUp({
      mapping: { maxRetries: -1 },
      stopping: stopping.signal,
      handler: (_, call) => {
        if (call === 2) stopping.abort();
        throw new Error('no');
      },
    });
    expect(await run([1])).toBe(false);
    expect(notes).toEqual([]);
  });

  it('delivers every record at least once and in order, whatever fails for a while', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 12 }),
        fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 12 }),
        async (size, faults) => {
          const done: number[] = [];
          const { run } = setUp({
            mapping: { maxRetries: -1 },
            handler: (numbers, call) => {
              const fault = faults[call - 1] ?? 0;
              if (fault === 3) throw new Error('whole');
              const ok = fault === 0 ? numbers.length : Math.min(fault, numbers.length) - 1;
              done.push(...numbers.slice(0, ok));
              return failing(...numbers.slice(ok));
            },
          });
          const numbers = Array.from({ length: size }, (_, index) => index + 1);
          expect(await run(numbers)).toBe(true);
          expect(done).toEqual(numbers);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('lanes', () => {
  it('keep the order of each key, work at the same time, and move the checkpoint only over what is finished', async () => {
    const seen = new Map<string, number[]>();
    const checkpoints: number[] = [];
    let active = 0;
    let mostActive = 0;
    const finished = new Set<number>();
    const lanes = new StreamLanes({
      lanes: 3,
      batchSize: 4,
      onCheckpoint: (sequence) => {
        checkpoints.push(Number(sequence));
        for (let number = 1; number <= Number(sequence); number++) expect(finished).toContain(number);
      },
      deliver: async (records) => {
        mostActive = Math.max(mostActive, ++active);
        await new Promise((resolve) => setTimeout(resolve, records.length % 3));
        for (const one of records) {
          const key = one.dynamodb?.Keys?.pk?.S ?? '';
          seen.set(key, [...(seen.get(key) ?? []), Number(one.dynamodb?.SequenceNumber)]);
          finished.add(Number(one.dynamodb?.SequenceNumber));
        }
        active--;
        return true;
      },
    });
    const records = Array.from({ length: 100 }, (_, index) => record(index + 1, `key-${(index * 7) % 10}`));
    lanes.push(records.slice(0, 30));
    await lanes.below(10);
    lanes.push(records.slice(30));
    await lanes.settled();
    expect(lanes.outstanding).toBe(0);
    expect(checkpoints.at(-1)).toBe(100);
    expect(checkpoints).toEqual(checkpoints.toSorted((a, b) => a - b));
    expect([...seen.values()].flat()).toHaveLength(100);
    for (const numbers of seen.values()) expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(mostActive).toBeGreaterThan(1);
  });

  it('leave a stopped batch outstanding', async () => {
    const checkpoints: string[] = [];
    const lanes = new StreamLanes({
      lanes: 1,
      batchSize: 2,
      onCheckpoint: (sequence) => checkpoints.push(sequence),
      deliver: async (records) => numbersOf(records)[0] === 1,
    });
    lanes.push([1, 2, 3, 4, 5].map((number) => record(number)));
    await lanes.settled();
    expect(checkpoints).toEqual(['2']);
    expect(lanes.outstanding).toBe(3);
  });
});
