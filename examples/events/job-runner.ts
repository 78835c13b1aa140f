// Jobs as steps of a state machine, like the `.sync` tasks of Step Functions: a state submits a batch job and goes on when
// the job has ended, with its end as the state's output, or fails with JobFailed, JobKilled or JobRejected. Nothing polls:
// the state waits with a task token, and an event of Borealis brings the answer.
import { type Duration, RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, BillingMode, Table } from 'aws-cdk-lib/aws-dynamodb';
import { EventField, Rule, RuleTargetInput } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { IntegrationPattern, JsonPath, TaskInput, Timeout } from 'aws-cdk-lib/aws-stepfunctions';
import { LambdaInvoke } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { Construct } from 'constructs';
import { eventSource } from '../../shared/model/names.ts';
import type { Borealis, JobsOf } from './borealis.ts';
import { ExampleFunction } from './example-function.ts';
import type { StartJob } from './functions/start-job.ts';

export interface JobStep {
  /** What the job is called, before a part of its own. */
  readonly name: string;
  /** As in a job file, without role, environment and name; may hold paths such as `JsonPath.stringAt('$.lines')`. */
  readonly job: Readonly<Record<string, unknown>>;
  /** How long the state waits. The job goes on when it gives up. */
  readonly timeout: Duration;
}

/** Runs the jobs of one role and environment for any number of state machines of the stack. */
export class JobRunner extends Construct {
  readonly #props: JobsOf & { readonly borealis: Borealis };
  readonly #start: ExampleFunction;
  readonly #table: Table;

  constructor(scope: Construct, id: string, props: JobsOf & { readonly borealis: Borealis }) {
    super(scope, id);
    this.#props = props;
    this.#table = new Table(this, 'Waiting', {
      partitionKey: { name: 'job', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      timeToLiveAttribute: 'expiresAt',
      // Waits, not data: a state machine that is left without its answer times out.
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.#start = new ExampleFunction(this, 'Start', 'start-job');
    this.#table.grant(this.#start, 'dynamodb:PutItem');
    props.borealis.grantCommands(this.#start, props);
    this.#finish(props);
  }

  /** A state that runs one job. */
  step(id: string, { name, job, timeout }: JobStep): LambdaInvoke {
    const { borealis, role, environment } = this.#props;
    const payload: StartJob = {
      bus: borealis.bus.eventBusName,
      table: this.#table.tableName,
      taskToken: JsonPath.taskToken,
      role,
      environment,
      name,
      job,
    };
    return new LambdaInvoke(this, id, {
      lambdaFunction: this.#start,
      integrationPattern: IntegrationPattern.WAIT_FOR_TASK_TOKEN,
      payload: TaskInput.fromObject({ ...payload }),
      taskTimeout: Timeout.duration(timeout),
    });
  }

  #finish({ borealis, role, environment }: JobsOf & { readonly borealis: Borealis }): void {
    const finish = new ExampleFunction(this, 'Finish', 'finish-job');
    this.#table.grant(finish, 'dynamodb:GetItem', 'dynamodb:DeleteItem');
    // A token is the right to answer its state; the actions know no resource but all state machines.
    finish.addToRolePolicy(
      new PolicyStatement({
        actions: ['states:SendTaskSuccess', 'states:SendTaskFailure'],
        resources: ['*'],
      }),
    );
    new Rule(this, 'Ends', {
      eventBus: borealis.bus,
      eventPattern: {
        source: [eventSource],
        detailType: ['Job Ended', 'Command Rejected'],
        detail: { role: [role], environment: [environment] },
      },
      targets: [
        new LambdaFunction(finish, {
          event: RuleTargetInput.fromObject({
            table: this.#table.tableName,
            detailType: EventField.detailType,
            detail: EventField.fromPath('$.detail'),
          }),
        }),
      ],
    });
  }
}
