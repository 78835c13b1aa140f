// A function that works on a queue: messages in batches, and a message that fails goes back alone instead of taking its
// whole batch with it.
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { ServiceFunction } from './service-function.ts';

export interface QueueWorkerProps {
  readonly queue: IQueue;
  readonly worker: ServiceFunction;
  /** Messages per invocation, 1..10. @default 10 */
  readonly batchSize?: number;
  /** Invocations at the same time, at least 2. @default as many as the account allows */
  readonly maxConcurrency?: number;
}

/** Connects a queue to the function that works on it, with the rights that takes. */
export class QueueWorker extends Construct {
  constructor(scope: Construct, id: string, props: QueueWorkerProps) {
    super(scope, id);
    props.worker.function.addEventSource(
      new SqsEventSource(props.queue, {
        batchSize: props.batchSize ?? 10,
        reportBatchItemFailures: true,
        ...(props.maxConcurrency === undefined ? {} : { maxConcurrency: props.maxConcurrency }),
      }),
    );
  }
}
