// A job for every event that matches a pattern.
import { EventField, type EventPattern, type IEventBus, Rule, RuleTargetInput } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { Construct } from 'constructs';
import type { Borealis, JobsOf } from './borealis.ts';
import { ExampleFunction } from './example-function.ts';
import type { SubmitOnEvent } from './functions/submit-on-event.ts';

export interface JobOnEventProps extends JobsOf {
  readonly borealis: Borealis;
  /** Where the events are. @default the account's default bus */
  readonly eventBus?: IEventBus;
  readonly eventPattern: EventPattern;
  /** What the jobs are called, before the id of their event. */
  readonly name: string;
  /** As in a job file, without role, environment and name. */
  readonly job: Readonly<Record<string, unknown>>;
  /** Names for {{...}} in the job, and the JSON paths of their values in the event. @default none */
  readonly values?: Readonly<Record<string, string>>;
}

export class JobOnEvent extends Construct {
  constructor(scope: Construct, id: string, props: JobOnEventProps) {
    super(scope, id);
    const { borealis, role, environment, name, job, values = {} } = props;
    const submit = new ExampleFunction(this, 'Submit', 'submit-on-event');
    borealis.grantCommands(submit, { role, environment });
    const input: SubmitOnEvent = {
      bus: borealis.bus.eventBusName,
      role,
      environment,
      name,
      job,
      eventId: EventField.eventId,
      values: Object.fromEntries(
        Object.entries(values).map(([key, path]) => [key, EventField.fromPath(path)]),
      ),
    };
    new Rule(this, 'Rule', {
      ...(props.eventBus && { eventBus: props.eventBus }),
      eventPattern: props.eventPattern,
      targets: [new LambdaFunction(submit, { event: RuleTargetInput.fromObject(input) })],
    });
  }
}
