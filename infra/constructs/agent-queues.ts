// The command queues of the agents, as far as a stack can know them: they are made while the cluster runs, so this
// resource only sees to it that they go when the stack does.
import { CustomResource, Duration, Stack } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { AgentQueuesEnv } from '../../shared/api/env.ts';
import { agentQueueName } from '../../shared/model/names.ts';
import { grantWide } from './acknowledge.ts';
import { ServiceFunction } from './service-function.ts';

/** Deletes the queues of all agents of the cluster when the stack is deleted. */
export class AgentQueues extends Construct {
  constructor(scope: Construct, id: string, cluster: string) {
    super(scope, id);
    const worker = new ServiceFunction<AgentQueuesEnv>(this, 'Cleaner', {
      name: 'agent-queues',
      cluster,
      description: "Deletes the agents' queues when the stack is deleted.",
      // Thousands of queues, at some tens of calls a second.
      timeout: Duration.minutes(10),
      environment: { BOREALIS_CLUSTER: cluster },
    });
    grantWide(worker, {
      actions: ['sqs:DeleteQueue'],
      resources: [Stack.of(this).formatArn({ service: 'sqs', resource: agentQueueName(cluster, '*') })],
      because:
        "The agents' queues are made while the cluster runs, so only the prefix of their names is known.",
    });
    grantWide(worker, {
      actions: ['sqs:ListQueues'],
      resources: ['*'],
      because: 'SQS knows no resource for this action; what is listed is narrowed by the prefix in the call.',
    });
    const queues = new CustomResource(this, 'Queues', {
      resourceType: 'Custom::AgentQueues',
      serviceToken: worker.function.functionArn,
      serviceTimeout: Duration.minutes(15),
    });
    // At a delete the function's rights must still be there.
    queues.node.addDependency(worker);
  }
}
