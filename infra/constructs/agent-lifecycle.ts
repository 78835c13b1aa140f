// What empties a machine before it goes: the events of EC2 and of the Auto Scaling group on one queue, and the function
// that follows them (functions/agent-lifecycle).
import { type Duration, Stack } from 'aws-cdk-lib';
import { type EventPattern, Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import type { AgentLifecycleEnv } from '../../shared/api/env.ts';
import { readSettings } from '../settings.ts';
import type { StateStack } from '../stacks/state.ts';
import { visibilityFor, workTimeout } from '../stacks/timeouts.ts';
import { grantWide } from './acknowledge.ts';
import { grantStore } from './grant-store.ts';
import { QueueWithDlq } from './queue-with-dlq.ts';
import { QueueWorker } from './queue-worker.ts';
import { ServiceFunction } from './service-function.ts';

export interface AgentLifecycleProps {
  readonly cluster: string;
  readonly meter: boolean;
  readonly state: StateStack;
  /** Physical name of the Auto Scaling group. */
  readonly groupName: string;
  /** Longest time a termination is held up. */
  readonly maxDrain: Duration;
}

/** Rules, queue and function. */
export class AgentLifecycle extends Construct {
  constructor(scope: Construct, id: string, props: AgentLifecycleProps) {
    super(scope, id);
    const { cluster, state, groupName } = props;
    const { queue } = new QueueWithDlq(this, 'Notices', {
      name: `borealis-${cluster}-lifecycle`,
      visibilityTimeout: visibilityFor(workTimeout.agentLifecycle),
      alarmTopic: this.alarmTopic(cluster),
      meaning: 'A machine that will go could not be emptied.',
    });
    const patterns: Readonly<Record<string, EventPattern>> = {
      Termination: {
        source: ['aws.autoscaling'],
        detailType: ['EC2 Instance-terminate Lifecycle Action'],
        detail: { AutoScalingGroupName: [groupName] },
      },
      Interruption: { source: ['aws.ec2'], detailType: ['EC2 Spot Instance Interruption Warning'] },
      Rebalance: { source: ['aws.ec2'], detailType: ['EC2 Instance Rebalance Recommendation'] },
    };
    for (const [name, eventPattern] of Object.entries(patterns)) {
      new Rule(this, name, {
        ruleName: `borealis-${cluster}-${name.toLowerCase()}`,
        eventPattern,
        targets: [new SqsQueue(queue)],
      });
    }
    const follower = new ServiceFunction<AgentLifecycleEnv>(this, 'Follower', {
      name: 'agent-lifecycle',
      cluster,
      description: 'Empties the agents of machines that will go, and lets their termination go on.',
      timeout: workTimeout.agentLifecycle,
      environment: {
        BOREALIS_CLUSTER: cluster,
        STATE_TABLE: state.tables.state.tableName,
        NOTES_TABLE: state.tables.notes.tableName,
        METER_CAPACITY: props.meter ? 'true' : 'false',
        LIFECYCLE_QUEUE_URL: queue.queueUrl,
        MAX_DRAIN_SECS: props.maxDrain.toSeconds(),
      },
      // A look follows a look while a machine waits to be empty, at most as long as that may take.
      continuesItself: true,
    });
    grantStore(follower, state.tables, 'agent-lifecycle');
    queue.grantSendMessages(follower.function);
    grantWide(follower, {
      actions: ['autoscaling:CompleteLifecycleAction', 'autoscaling:RecordLifecycleActionHeartbeat'],
      resources: [
        Stack.of(this).formatArn({
          service: 'autoscaling',
          resource: 'autoScalingGroup:*:autoScalingGroupName',
          resourceName: groupName,
        }),
      ],
      because:
        'The group is named; the wildcard stands for the random id in its ARN, which exists only once the group does.',
    });
    new QueueWorker(this, 'NoticesWork', { queue, worker: follower });
  }

  /** The topic of the installation, by its name: the stack must not hold on to the other one's exports. */
  private alarmTopic(cluster: string) {
    const { alarms } = readSettings(this.node);
    const arn =
      alarms.topicArn ?? Stack.of(this).formatArn({ service: 'sns', resource: `borealis-${cluster}-alarms` });
    return Topic.fromTopicArn(this, 'Alarms', arn);
  }
}
