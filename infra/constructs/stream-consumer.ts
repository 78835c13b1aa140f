// The function that reads a table's stream, the only outbox (design D1). Order is kept per partition key; a batch that
// fails is halved until the record that cannot be handled stands alone, and that one goes to a dead-letter queue.
import { Duration } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { StartingPosition } from 'aws-cdk-lib/aws-lambda';
import { DynamoEventSource, SqsDlq } from 'aws-cdk-lib/aws-lambda-event-sources';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { explainWildcard } from './acknowledge.ts';
import type { ServiceFunction } from './service-function.ts';

export interface StreamConsumerProps {
  readonly table: ITable;
  readonly consumer: ServiceFunction;
  /** Gets a note (shard and sequence numbers) of every record given up on. */
  readonly deadLetters: IQueue;
}

/** Connects a table's stream to its consumer, with the rights that takes. */
export class StreamConsumer extends Construct {
  constructor(scope: Construct, id: string, props: StreamConsumerProps) {
    super(scope, id);
    explainWildcard(
      props.consumer,
      '*',
      'For dynamodb:ListStreams only, which Lambda asks for when it connects a stream and the CDK library gives so.',
    );
    props.consumer.function.addEventSource(
      new DynamoEventSource(props.table, {
        startingPosition: StartingPosition.TRIM_HORIZON,
        batchSize: 100,
        parallelizationFactor: 10,
        bisectBatchOnError: true,
        reportBatchItemFailures: true,
        // Long enough to sit out an outage of the services the consumer calls; a stream keeps records for 24 hours.
        retryAttempts: 20,
        maxRecordAge: Duration.hours(12),
        onFailure: new SqsDlq(props.deadLetters),
      }),
    );
  }
}
