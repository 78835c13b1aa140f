// An installation of Borealis as another stack sees it: by the names that follow from its cluster's name, so the stacks
// need not be deployed together.
import { Stack } from 'aws-cdk-lib';
import { EventBus, type IEventBus } from 'aws-cdk-lib/aws-events';
import { type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { type IQueue, Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { commandDetailType, commandSource } from '../../shared/api/commands.ts';
import { commandsQueueName, eventBusName } from '../../shared/model/names.ts';

export interface JobsOf {
  readonly role: string;
  readonly environment: string;
}

/** The event bus and the commands queue of the installation `cluster` in this account and region. */
export class Borealis extends Construct {
  readonly bus: IEventBus;
  readonly commands: IQueue;

  constructor(scope: Construct, id: string, cluster: string) {
    super(scope, id);
    this.bus = EventBus.fromEventBusName(this, 'Bus', eventBusName(cluster));
    const queueArn = Stack.of(this).formatArn({ service: 'sqs', resource: commandsQueueName(cluster) });
    this.commands = Queue.fromQueueArn(this, 'Commands', queueArn);
  }

  /** The right to put commands for the jobs of one role and environment on the bus, and nothing else. */
  grantCommands(grantee: IGrantable, jobs: JobsOf): void {
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({
        actions: ['events:PutEvents'],
        resources: [this.bus.eventBusArn],
        conditions: {
          StringEquals: {
            'events:detail-type': commandDetailType,
            'events:source': commandSource(jobs),
          },
        },
      }),
    );
  }
}
