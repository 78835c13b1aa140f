// The alarm on a dead-letter queue: one message in it is one thing the system gave up on, so the bar is one.
import { Duration } from 'aws-cdk-lib';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { RunbookAlarm } from './runbook-alarm.ts';

export interface DlqAlarmProps {
  readonly deadLetters: IQueue;
  /** Entry in the runbook. */
  readonly entry: string;
  /** Who is told. */
  readonly topic: ITopic;
  /** One sentence: what a message in this queue means for the cluster. */
  readonly meaning: string;
}

/** Alarms while at least one message waits in a dead-letter queue. */
export class DlqAlarm extends Construct {
  constructor(scope: Construct, id: string, props: DlqAlarmProps) {
    super(scope, id);
    new RunbookAlarm(this, 'DeadLetters', {
      entry: props.entry,
      meaning: props.meaning,
      metric: props.deadLetters.metricApproximateNumberOfMessagesVisible({
        period: Duration.minutes(1),
        statistic: 'Maximum',
      }),
      threshold: 1,
      topic: props.topic,
    });
  }
}
