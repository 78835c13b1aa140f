// The Step Functions workflow of one update, as a person reads it in the console. The state of the update is in the table;
// what goes through here names it and counts verdicts. docs/adr/0010-update-workflow.md says why it is shaped like this.
//
//                 .--------------- (patience over) <------------.
//                 v                                             |
//   start --> Verdict --> Which way? --forward--> Forward batch ---> Watch --.
//                 ^            |------back-----> Roll back batch --> Watch    |
//                 |            |                                             |
//                 |            `--> Rolled forward, Rolled back, Stopped ... |
//                 `----------------------------------------------------------'
//
// A batch costs four transitions: Verdict, Which way?, one of the two batches, Watch.

import type { Duration as DurationType } from 'aws-cdk-lib';
import { Duration } from 'aws-cdk-lib';
import {
  Choice,
  Condition,
  DefinitionBody,
  Fail,
  IntegrationPattern,
  JsonPath,
  StateMachine,
  Succeed,
  TaskInput,
  Timeout,
  Wait,
  WaitTime,
} from 'aws-cdk-lib/aws-stepfunctions';
import { LambdaInvoke } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { Construct } from 'constructs';
import { acknowledge, explainWildcard } from '../constructs/acknowledge.ts';
import type { ServiceFunction } from '../constructs/service-function.ts';

export interface UpdateWorkflowProps {
  readonly name: string;
  /** The function that makes the steps. */
  readonly worker: ServiceFunction;
  /** Longest run of one call of it. */
  readonly timeout: DurationType;
}

/** Names of the states that end an execution well, by the decision of functions/updater. */
const goodEnds = {
  rolledForward: 'Rolled forward',
  rolledBack: 'Rolled back',
  aborted: 'Aborted',
  stopped: 'Stopped until resumed or pulsed',
  handedOver: 'Handed over to the next execution',
  superseded: 'Superseded by another execution',
} as const;

/** The state machine of updates. */
export class UpdateWorkflow extends Construct {
  constructor(scope: Construct, id: string, props: UpdateWorkflowProps) {
    super(scope, id);
    const verdict = this.verdict(props);
    const which = new Choice(this, 'Which way?');
    const watch = new Wait(this, 'Watch', { time: WaitTime.timestampPath('$.batch.until') });
    verdict.next(which);
    watch.next(verdict);
    const batches = { forward: 'Forward batch', back: 'Roll back batch' };
    for (const [decision, name] of Object.entries(batches)) {
      const batch = this.batch(name, props);
      batch.addCatch(verdict, { errors: ['States.Timeout'], resultPath: '$.patienceOver' });
      which.when(Condition.stringEquals('$.decision', decision), batch.next(watch));
    }
    for (const [decision, name] of Object.entries(goodEnds)) {
      which.when(Condition.stringEquals('$.decision', decision), new Succeed(this, name));
    }
    which.otherwise(
      new Fail(this, 'Failed', { error: 'UpdateFailed', cause: 'The update ended as FAILED or ERROR.' }),
    );
    const machine = new StateMachine(this, 'StateMachine', {
      stateMachineName: props.name,
      comment: 'A rolling update, batch by batch, and its reverse.',
      definitionBody: DefinitionBody.fromChainable(verdict),
    });
    explainWildcard(
      machine,
      `${props.worker.function.functionArn}:*`,
      'Versions and aliases of the one function it calls: the CDK library gives the right to them with it.',
    );
    acknowledge(
      machine,
      'AwsSolutions-SF1',
      'A standard workflow keeps the history of each execution for 90 days by itself; logs would be paid for on top.',
    );
    acknowledge(
      machine,
      'AwsSolutions-SF2',
      'The way of an update is in its history and its row; traces would be paid for and say nothing more.',
    );
  }

  /** Everything that is carried from state to state. */
  private run(): Record<string, unknown> {
    return {
      v: 1,
      key: JsonPath.objectAt('$.key'),
      updateId: JsonPath.stringAt('$.updateId'),
      sequence: JsonPath.numberAt('$.sequence'),
      turns: JsonPath.numberAt('$.turns'),
    };
  }

  private verdict({ worker, timeout }: UpdateWorkflowProps): LambdaInvoke {
    const verdict = new LambdaInvoke(this, 'Verdict', {
      comment: 'Judge the instances whose turn it is; let the next ones have theirs, turn back, or end.',
      lambdaFunction: worker.function,
      payload: TaskInput.fromObject({ step: 'verdict', run: this.run() }),
      outputPath: '$.Payload',
      taskTimeout: Timeout.duration(timeout.plus(Duration.seconds(30))),
      retryOnServiceExceptions: false,
    });
    verdict.addRetry({ errors: ['States.ALL'], ...patientRetry });
    return verdict;
  }

  private batch(name: string, { worker }: UpdateWorkflowProps): LambdaInvoke {
    const batch = new LambdaInvoke(this, name, {
      comment: 'Wait, without asking, until the instances of the batch are up or a verdict is due.',
      lambdaFunction: worker.function,
      integrationPattern: IntegrationPattern.WAIT_FOR_TASK_TOKEN,
      payload: TaskInput.fromObject({ step: 'await', run: this.run(), taskToken: JsonPath.taskToken }),
      resultPath: '$.batch',
      taskTimeout: Timeout.at('$.patienceSeconds'),
      retryOnServiceExceptions: false,
    });
    // Everything but the end of patience.
    batch.addRetry({ errors: ['States.TaskFailed'], ...patientRetry });
    return batch;
  }
}

/** Half an hour in all; beyond that the execution fails and the sweeper starts another. */
const patientRetry = {
  interval: Duration.seconds(1),
  backoffRate: 2,
  maxDelay: Duration.minutes(2),
  maxAttempts: 20,
};
