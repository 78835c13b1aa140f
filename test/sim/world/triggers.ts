// What calls the functions: queues in batches, the table's stream in order per lane, a schedule every minute.
import type { SQSRecord } from 'aws-lambda';
import type { StreamEntry } from '../model/memory-dynamo.ts';
import type { Faults } from './faults.ts';
import { queueNames } from './functions.ts';
import type { Lambda, LambdaFunction, Outcome } from './lambda.ts';
import type { Queue, QueueMessage } from './queue.ts';
import { mix, type Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import type { Outage } from './services.ts';
import type { Trace } from './trace.ts';

export interface TriggerDeps {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly faults: Faults;
  readonly lambda: Lambda;
  readonly outage: Outage;
  readonly trace: Trace;
}

/** How often what is away is asked for again, ms. */
export const outagePollMs = 20_000;
const messagesPerBatch = 10;

/** Lambda's poller of one queue. */
export class QueueWorker {
  readonly #deps: TriggerDeps;
  readonly #queue: Queue;
  readonly #fn: LambdaFunction;
  readonly #mostAtOnce: number;
  #running = 0;
  #nextLookAt = Number.POSITIVE_INFINITY;

  constructor(deps: TriggerDeps, queue: Queue, fn: LambdaFunction, mostAtOnce = 20) {
    this.#deps = deps;
    this.#queue = queue;
    this.#fn = fn;
    this.#mostAtOnce = mostAtOnce;
    queue.onArrival = () => this.#arm();
  }

  get isIdle(): boolean {
    return this.#running === 0;
  }

  #arm(): void {
    const { scheduler, random } = this.#deps;
    if (this.#running >= this.#mostAtOnce) return;
    const visibleAt = this.#queue.nextVisibleAt();
    if (visibleAt === undefined) return;
    const at = Math.max(visibleAt, scheduler.now) + random.between(1, 60);
    if (at >= this.#nextLookAt) return;
    this.#nextLookAt = at;
    scheduler.at(at, () => {
      if (this.#nextLookAt !== at) return;
      this.#nextLookAt = Number.POSITIVE_INFINITY;
      this.#look();
    });
  }

  #look(): void {
    const { scheduler, outage, random } = this.#deps;
    if (outage.functions || outage.queues || (outage.intake && this.#queue.name === queueNames.intake)) {
      this.#nextLookAt = scheduler.now + outagePollMs;
      const at = this.#nextLookAt;
      scheduler.at(at, () => {
        this.#nextLookAt = Number.POSITIVE_INFINITY;
        this.#look();
      });
      return;
    }
    while (this.#running < this.#mostAtOnce && this.#deps.lambda.hasRoom()) {
      const messages = this.#queue.receive(random.between(1, messagesPerBatch));
      if (messages.length === 0) break;
      this.#deliver(messages);
    }
    this.#arm();
  }

  #deliver(messages: readonly QueueMessage[]): void {
    const { faults, lambda, trace, scheduler } = this.#deps;
    const fault = faults.decide('delivery', `${this.#queue.name} delivery`);
    if (fault?.kind === 'late') {
      this.#queue.show(messages, scheduler.now + 1_000 + Math.floor(faults.detail(fault) * 60_000));
      return;
    }
    trace.note(`${this.#queue.name} -> ${this.#fn.name}`, () => messages.map(({ body }) => body).join(' '));
    this.#running++;
    const invocation = lambda.invoke(
      this.#fn,
      { Records: messages.map((message) => recordOf(message, this.#queue)) },
      (outcome) => {
        this.#running--;
        this.#finish(messages, outcome, fault?.kind === 'duplicate');
        this.#arm();
      },
    );
    if (fault?.kind === 'crash') {
      scheduler.after(Math.floor(faults.detail(fault) * 100), () => lambda.crash(invocation));
    }
  }

  #finish(messages: readonly QueueMessage[], outcome: Outcome, again: boolean): void {
    if (outcome.kind !== 'returned') return;
    const { batchItemFailures = [] } = (outcome.value ?? {}) as {
      batchItemFailures?: { itemIdentifier: string }[];
    };
    const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    const done = messages.filter(({ id }) => !failed.has(id));
    if (again) this.#queue.show(done, this.#deps.scheduler.now + this.#deps.random.between(1, 60_000));
    else this.#queue.delete(done);
  }
}

function recordOf(message: QueueMessage, queue: Queue): SQSRecord {
  const attributes = {
    SentTimestamp: String(message.sentAt),
    ApproximateReceiveCount: String(message.receives),
  };
  const { id, body } = message;
  const eventSourceARN = `arn:aws:sqs:eu-central-1:123456789012:${queue.name}`;
  return { messageId: id, receiptHandle: id, body, attributes, eventSourceARN } as unknown as SQSRecord;
}

const lanes = 4;
const recordsPerBatch = 100;
const longestRetryMs = 60_000;
/** As in infra/constructs/stream-consumer.ts. */
const maxAttempts = 20;
const maxRecordAgeMs = 12 * 3600_000;

interface Lane {
  records: { readonly entry: StreamEntry; readonly at: number }[];
  busy: boolean;
  attempts: number;
  /** Largest batch, halved while a batch fails. */
  limit: number;
}

/** Lambda's reader of the stream: in order per partition key, a failed batch again until it is given up. */
export class StreamConsumer {
  readonly #deps: TriggerDeps;
  readonly #fn: LambdaFunction;
  readonly #lanes: Lane[] = Array.from({ length: lanes }, () => {
    return { records: [], busy: false, attempts: 0, limit: recordsPerBatch };
  });
  /** Records given up on. */
  readonly dropped: StreamEntry[] = [];

  constructor(deps: TriggerDeps, fn: LambdaFunction) {
    this.#deps = deps;
    this.#fn = fn;
  }

  get isIdle(): boolean {
    return this.#lanes.every(({ records, busy }) => records.length === 0 && !busy);
  }

  add(entries: readonly StreamEntry[]): void {
    const { now } = this.#deps.scheduler;
    for (const entry of entries) {
      const lane = this.#lanes[mix(entry.pk) % lanes] as Lane;
      lane.records.push({ entry, at: now });
      this.#arm(lane, this.#deps.random.between(1, 40));
    }
  }

  #arm(lane: Lane, delayMs: number): void {
    if (lane.busy || lane.records.length === 0) return;
    lane.busy = true;
    this.#deps.scheduler.after(delayMs, () => this.#read(lane));
  }

  #read(lane: Lane): void {
    const { outage, scheduler, faults, lambda, trace, random } = this.#deps;
    if (outage.functions || outage.stream) {
      scheduler.after(outagePollMs, () => this.#read(lane));
      return;
    }
    const oldest = scheduler.now - maxRecordAgeMs;
    while (lane.records[0] && lane.records[0].at < oldest) this.#drop(lane, 1);
    const size = Math.min(lane.limit, random.between(1, recordsPerBatch));
    const batch = lane.records.slice(0, size).map(({ entry }) => entry);
    if (batch.length === 0) {
      lane.busy = false;
      return;
    }
    const fault = faults.decide('delivery', 'stream delivery', undefined, () => batch.map(textOf).join(', '));
    if (fault?.kind === 'drop') {
      this.#drop(lane, batch.length);
      lane.busy = false;
      this.#arm(lane, random.between(1, 40));
      return;
    }
    if (fault?.kind === 'late') {
      scheduler.after(1_000 + Math.floor(faults.detail(fault) * 60_000), () => this.#read(lane));
      return;
    }
    trace.note('stream -> fanout', () => `${batch.length} records, attempt ${lane.attempts + 1}`);
    const invocation = lambda.invoke(this.#fn, { Records: batch }, (outcome) => {
      // A checkpoint that was not written: the same records come again although all was done.
      this.#finish(lane, batch, fault?.kind === 'duplicate' ? { kind: 'crashed' } : outcome);
    });
    if (fault?.kind === 'crash') {
      scheduler.after(Math.floor(faults.detail(fault) * 60), () => lambda.crash(invocation));
    }
  }

  #finish(lane: Lane, batch: readonly StreamEntry[], outcome: Outcome): void {
    const first = firstFailure(batch, outcome);
    if (first > 0) {
      lane.records.splice(0, first);
      lane.attempts = 0;
    }
    let delayMs = this.#deps.random.between(1, 40);
    if (first < batch.length) {
      lane.attempts++;
      lane.limit = Math.max(1, Math.floor((batch.length - first) / 2));
      delayMs = Math.min(longestRetryMs, 200 * 2 ** Math.min(lane.attempts, 10));
      if (lane.attempts > maxAttempts) this.#drop(lane, lane.limit);
    } else lane.limit = recordsPerBatch;
    lane.busy = false;
    this.#arm(lane, delayMs);
  }

  #drop(lane: Lane, count: number): void {
    lane.attempts = 0;
    for (const { entry } of lane.records.splice(0, count)) this.dropped.push(entry);
    this.#deps.trace.note('stream records given up', () => String(count));
  }
}

/** Whose row, and its state if it is a task's. */
function textOf({ pk, dynamodb }: StreamEntry): string {
  return `${pk} ${dynamodb.NewImage?.s?.S ?? ''}`;
}

/** Position of the record to go on from; the batch's length if all is done. */
function firstFailure(batch: readonly StreamEntry[], outcome: Outcome): number {
  if (outcome.kind !== 'returned') return 0;
  const { batchItemFailures = [] } = (outcome.value ?? {}) as {
    batchItemFailures?: { itemIdentifier: string }[];
  };
  const [failure] = batchItemFailures;
  if (!failure) return batch.length;
  const at = batch.findIndex(({ sequenceNumber }) => sequenceNumber === failure.itemIdentifier);
  return Math.max(0, at);
}

const minuteMs = 60_000;

/** Calls a function at the start of every minute. */
export function everyMinute(deps: TriggerDeps, fn: LambdaFunction): void {
  const { scheduler, lambda, outage, trace } = deps;
  const tick = () => {
    if (!outage.functions) {
      trace.note(`schedule -> ${fn.name}`);
      lambda.invoke(fn, {}, () => {});
    }
    scheduler.after(minuteMs, tick);
  };
  scheduler.at(Math.ceil((scheduler.now + 1) / minuteMs) * minuteMs, tick);
}
