// A queue that never loses a message it cannot handle: after `maxReceives` tries the message waits in a dead-letter
// queue of its own, and an alarm says so. The alarm's entry in docs/runbook.md is `PART-dead-letters` for the queue
// `borealis-CLUSTER-PART`.
import { Duration } from 'aws-cdk-lib';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { DeduplicationScope, FifoThroughputLimit, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { readSettings } from '../settings.ts';
import { DlqAlarm } from './dlq-alarm.ts';

export interface QueueWithDlqProps {
  /** Physical name without `.fifo`. */
  readonly name: string;
  /** Ordered per message group, high throughput; the sender gives the deduplication id. @default false */
  readonly fifo?: boolean;
  /** How long a received message stays hidden; not less than the timeout of the function that works on it. */
  readonly visibilityTimeout: Duration;
  /** Tries before a message counts as undeliverable. @default 10 */
  readonly maxReceives?: number;
  readonly alarmTopic: ITopic;
  /** One sentence: what an undeliverable message means. */
  readonly meaning: string;
}

/** A queue, its dead-letter queue and the alarm on that. */
export class QueueWithDlq extends Construct {
  readonly queue: Queue;
  readonly deadLetters: Queue;
  /** Physical names. */
  readonly names: { readonly queue: string; readonly deadLetters: string };

  constructor(scope: Construct, id: string, props: QueueWithDlqProps) {
    super(scope, id);
    const suffix = props.fifo === true ? '.fifo' : '';
    const fifo =
      props.fifo === true
        ? {
            fifo: true,
            // A repeated wake-up is meant: a swallowed one would be a stuck task (design D2).
            contentBasedDeduplication: false,
            deduplicationScope: DeduplicationScope.MESSAGE_GROUP,
            fifoThroughputLimit: FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
          }
        : {};
    this.names = { queue: `${props.name}${suffix}`, deadLetters: `${props.name}-dlq${suffix}` };
    const secure = { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true };
    this.deadLetters = new Queue(this, 'DeadLetters', {
      queueName: this.names.deadLetters,
      retentionPeriod: Duration.days(14),
      ...(props.fifo === true ? { fifo: true } : {}),
      ...secure,
    });
    this.queue = new Queue(this, 'Queue', {
      queueName: this.names.queue,
      visibilityTimeout: props.visibilityTimeout,
      retentionPeriod: Duration.days(4),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: props.maxReceives ?? 10 },
      ...fifo,
      ...secure,
    });
    new DlqAlarm(this, 'Undeliverable', {
      deadLetters: this.deadLetters,
      entry: `${props.name.replace(`borealis-${readSettings(this.node).cluster}-`, '')}-dead-letters`,
      topic: props.alarmTopic,
      meaning: props.meaning,
    });
  }
}
