// Keeps stream records in order per key while several batches run at once: a record's key decides its lane, a lane works
// on one batch at a time, and the checkpoint is the last record before which nothing is unfinished.
import type { DynamoDBRecord } from 'aws-lambda';

export interface LanesOptions {
  readonly lanes: number;
  readonly batchSize: number;
  /** Carries a batch out; false = stopped before it was, so it must come again after the next start. */
  readonly deliver: (records: readonly DynamoDBRecord[]) => Promise<boolean>;
  /** Everything up to and including this sequence number is done. */
  readonly onCheckpoint: (sequenceNumber: string) => void;
}

interface Entry {
  readonly record: DynamoDBRecord;
  done: boolean;
}

interface Lane {
  readonly waiting: Entry[];
  working: boolean;
}

/** Work of one shard. */
export class StreamLanes {
  readonly #options: LanesOptions;
  readonly #lanes: readonly Lane[];
  /** Everything read and not yet below the checkpoint, in stream order. */
  #open: Entry[] = [];
  #running = 0;
  #changed: (() => void)[] = [];

  constructor(options: LanesOptions) {
    this.#options = options;
    this.#lanes = Array.from({ length: options.lanes }, () => ({ waiting: [], working: false }));
  }

  /** Records read and not finished. */
  get outstanding(): number {
    return this.#open.length;
  }

  push(records: readonly DynamoDBRecord[]): void {
    for (const record of records) {
      const entry: Entry = { record, done: false };
      this.#open.push(entry);
      this.#laneOf(record).waiting.push(entry);
    }
    for (const lane of this.#lanes) {
      if (lane.working || lane.waiting.length === 0) continue;
      lane.working = true;
      void this.#work(lane);
    }
  }

  /** Resolves when fewer than `limit` records are outstanding. */
  async below(limit: number): Promise<void> {
    while (this.#open.length >= limit) await this.#change();
  }

  /** Resolves when no batch runs; batches that were stopped stay outstanding. */
  async settled(): Promise<void> {
    while (this.#running > 0) await this.#change();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve));
  }

  #laneOf(record: DynamoDBRecord): Lane {
    const index =
      this.#lanes.length === 1 ? 0 : hash(JSON.stringify(record.dynamodb?.Keys)) % this.#lanes.length;
    return this.#lanes[index] as Lane;
  }

  async #work(lane: Lane): Promise<void> {
    this.#running++;
    while (lane.waiting.length > 0) {
      const batch = lane.waiting.splice(0, this.#options.batchSize);
      const delivered = await this.#options.deliver(batch.map(({ record }) => record));
      if (!delivered) break;
      for (const entry of batch) entry.done = true;
      this.#advance();
    }
    lane.working = false;
    this.#running--;
    this.#notify();
  }

  #advance(): void {
    let finished = 0;
    while (this.#open[finished]?.done === true) finished++;
    if (finished === 0) return;
    const last = this.#open[finished - 1]?.record.dynamodb?.SequenceNumber;
    this.#open = this.#open.slice(finished);
    if (last !== undefined) this.#options.onCheckpoint(last);
    this.#notify();
  }

  #notify(): void {
    for (const resolve of this.#changed.splice(0)) resolve();
  }
}

function hash(text: string): number {
  let value = 0;
  for (let index = 0; index < text.length; index++) value = (value * 31 + text.charCodeAt(index)) >>> 0;
  return value;
}
