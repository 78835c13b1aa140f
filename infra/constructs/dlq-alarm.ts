// The alarm on a dead-letter queue: one message in it is one thing the system gave up on, so the bar is one.
import { Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

export interface DlqAlarmProps {
  readonly deadLetters: IQueue;
  /** Who is told. */
  readonly topic: ITopic;
  /** One sentence: what a message in this queue means for the cluster. */
  readonly meaning: string;
}

/** Alarms while at least one message waits in a dead-letter queue. */
export class DlqAlarm extends Construct {
  constructor(scope: Construct, id: string, props: DlqAlarmProps) {
    super(scope, id);
    const alarm = new Alarm(this, 'Alarm', {
      metric: props.deadLetters.metricApproximateNumberOfMessagesVisible({
        period: Duration.minutes(1),
        statistic: 'Maximum',
      }),
      threshold: 1,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      alarmDescription:
        `${props.meaning} Look at the messages in the queue ${props.deadLetters.queueName} and at the logs of its ` +
        'consumer; once the cause is gone, start a redrive of the queue.',
    });
    alarm.addAlarmAction(new SnsAction(props.topic));
    alarm.addOkAction(new SnsAction(props.topic));
  }
}
