// Reads a table's stream through the DynamoDB Streams API from a checkpoint on, over engine restarts.
import type { DynamoDBRecord } from 'aws-lambda';
import { BorealisError } from '../../shared/lib/errors.ts';
import { type EngineClient, EngineError } from '../engines/aws-json.ts';

/** Where to go on: the last record that is done. */
export interface Checkpoint {
  readonly shardId: string;
  readonly sequenceNumber: string;
}

export interface StreamReaderOptions {
  readonly streams: EngineClient;
  readonly tableName: string;
  /** Without a checkpoint: from the oldest record, or only what comes. */
  readonly fromStart: boolean;
  /** ARN put into each record. */
  readonly streamArn: string;
  readonly region: string;
}

const pageSize = 1000;

interface Shard {
  readonly ShardId: string;
  readonly SequenceNumberRange?: { readonly EndingSequenceNumber?: string };
}

/** One reader per stream; `read` is not to be called twice at a time. */
export class StreamReader {
  readonly #options: StreamReaderOptions;
  #iterator: string | undefined;
  #shardId: string | undefined;
  /** Last record handed out. */
  #position: Checkpoint | undefined;

  constructor(options: StreamReaderOptions, checkpoint: Checkpoint | undefined) {
    this.#options = options;
    this.#position = checkpoint;
  }

  get shardId(): string {
    return this.#shardId ?? '';
  }

  /** The next records in order, none if there are none yet. After an error the next call continues where this one was. */
  async read(): Promise<readonly DynamoDBRecord[]> {
    const { streams, streamArn, region } = this.#options;
    try {
      this.#iterator ??= await this.#openIterator();
      const page = await streams.call<{ Records?: DynamoDBRecord[]; NextShardIterator?: string }>(
        'GetRecords',
        {
          ShardIterator: this.#iterator,
          Limit: pageSize,
        },
      );
      this.#iterator = page.NextShardIterator;
      const records = page.Records ?? [];
      const last = records.at(-1)?.dynamodb?.SequenceNumber;
      if (last !== undefined) this.#position = { shardId: this.shardId, sequenceNumber: last };
      for (const record of records) {
        record.eventSourceARN = streamArn;
        record.awsRegion = region;
      }
      return records;
    } catch (error) {
      this.#iterator = undefined;
      if (error instanceof EngineError && error.name === 'TrimmedDataAccessException')
        this.#position = undefined;
      throw error;
    }
  }

  async #openIterator(): Promise<string | undefined> {
    const { streams, tableName, fromStart } = this.#options;
    const { Streams = [] } = await streams.call<{ Streams?: { StreamArn: string }[] }>('ListStreams', {
      TableName: tableName,
    });
    const arn = Streams.at(-1)?.StreamArn;
    if (arn === undefined) throw new BorealisError('UNAVAILABLE', `table ${tableName} has no stream yet`);
    const { StreamDescription } = await streams.call<{ StreamDescription: { Shards?: Shard[] } }>(
      'DescribeStream',
      {
        StreamArn: arn,
      },
    );
    const shards = StreamDescription.Shards ?? [];
    // The engine has one shard for ever; a second one would need its parent finished first.
    const [shard, ...others] = shards;
    if (shard === undefined)
      throw new BorealisError('UNAVAILABLE', `the stream of ${tableName} has no shard yet`);
    if (others.length > 0) {
      throw new BorealisError(
        'UNAVAILABLE',
        `the stream of ${tableName} has ${shards.length} shards; the embedded stack reads streams of one shard, as its own engine makes them`,
      );
    }
    this.#shardId = shard.ShardId;
    const after = this.#position?.shardId === shard.ShardId ? this.#position.sequenceNumber : undefined;
    const start = fromStart ? 'TRIM_HORIZON' : 'LATEST';
    const { ShardIterator } = await streams.call<{ ShardIterator?: string }>('GetShardIterator', {
      StreamArn: arn,
      ShardId: shard.ShardId,
      ...(after === undefined
        ? { ShardIteratorType: start }
        : { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: after }),
    });
    return ShardIterator;
  }
}
