// A function that runs once a minute. A run that fails is not repeated: the next minute is the retry. Two would have to be
// told so: the schedule, which hands the call over, and Lambda, which repeats whatever was handed over to it so (twice, and
// what it had no room for during six hours): roll calls would overlap, just when the store is ill.
import { Duration } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Schedule, ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets';
import { Construct } from 'constructs';
import type { ServiceFunction } from './service-function.ts';

export interface MinuteScheduleProps {
  readonly name: string;
  readonly description: string;
  readonly worker: ServiceFunction;
}

const once = { retryAttempts: 0, maxEventAge: Duration.minutes(1) };

/** Calls a function every minute. */
export class MinuteSchedule extends Construct {
  constructor(scope: Construct, id: string, props: MinuteScheduleProps) {
    super(scope, id);
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('scheduler.amazonaws.com') });
    // The target's own grant would cover every version and alias too.
    role.addToPolicy(
      new PolicyStatement({
        actions: ['lambda:InvokeFunction'],
        resources: [props.worker.function.functionArn],
      }),
    );
    // Also for the calls with which a sweep continues itself: its lease ends before such a call is that old.
    props.worker.function.configureAsyncInvoke(once);
    new Schedule(this, 'Schedule', {
      scheduleName: props.name,
      description: props.description,
      schedule: ScheduleExpression.rate(Duration.minutes(1)),
      target: new LambdaInvoke(props.worker.function, {
        ...once,
        role: role.withoutPolicyUpdates(),
      }),
    });
  }
}
