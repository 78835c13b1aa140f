// What must not be lost: tables, queues with what waits in them, and the event bus others listen on. Apart from the
// control plane, so that replacing that can never touch this.
import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { EventBus, Match, Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { commandDetailType, commandSourcePrefix } from '../../shared/api/commands.ts';
import {
  commandsQueueName,
  eventBusName,
  heartbeatQueueName,
  intakeQueueName,
} from '../../shared/model/names.ts';
import { notesTable, stateTable } from '../../shared/store/tables.ts';
import { acknowledge } from '../constructs/acknowledge.ts';
import { AgentQueues } from '../constructs/agent-queues.ts';
import { DlqAlarm } from '../constructs/dlq-alarm.ts';
import { QueueWithDlq } from '../constructs/queue-with-dlq.ts';
import { restoredTable, storeTable } from '../constructs/store-table.ts';
import type { Settings } from '../settings.ts';
import { commandTries, visibilityFor, workTimeout } from './timeouts.ts';

export interface StateStackProps extends StackProps {
  readonly settings: Settings;
}

/** Tables, queues, event bus and the topic alarms are told on. */
export class StateStack extends Stack {
  readonly tables: { readonly state: ITable; readonly notes: ITable };
  readonly queues: {
    readonly matcher: Queue;
    readonly jobs: Queue;
    readonly timers: Queue;
    readonly agentReports: Queue;
  };
  /** Emptied by the roll call every minute. */
  readonly heartbeats: Queue;
  /** Requests by other services, and those that were refused. */
  readonly commands: QueueWithDlq;
  /** Notes of the stream records that the fan-out gave up on. */
  readonly streamDeadLetters: Queue;
  readonly bus: EventBus;

  constructor(scope: Construct, id: string, props: StateStackProps) {
    super(scope, id, props);
    const { cluster } = props.settings;
    const name = (part: string): string => `borealis-${cluster}-${part}`;
    this.tables = this.storeTables(props.settings);
    this.bus = new EventBus(this, 'Bus', { eventBusName: eventBusName(cluster) });
    const alarmTopic = this.alarmTopic(props.settings, name('alarms'));
    this.queues = {
      matcher: new QueueWithDlq(this, 'Matcher', {
        name: name('matcher'),
        fifo: true,
        visibilityTimeout: visibilityFor(workTimeout.matcher),
        alarmTopic,
        meaning: 'The matcher keeps failing on a pool: its tasks wait.',
      }).queue,
      // One for three kinds of work: each queue that feeds a function costs 33 cents a month for being polled.
      jobs: new QueueWithDlq(this, 'Jobs', {
        name: name('jobs'),
        fifo: true,
        visibilityTimeout: visibilityFor(workTimeout.jobs),
        alarmTopic,
        meaning:
          'The tasks of a job are not made or ended, an update stands still, or agents are not emptied.',
      }).queue,
      timers: new QueueWithDlq(this, 'Timers', {
        name: name('timers'),
        visibilityTimeout: visibilityFor(workTimeout.timers),
        alarmTopic,
        meaning: 'A delayed action on a task could not be carried out; the sweep takes it over.',
      }).queue,
      agentReports: new QueueWithDlq(this, 'AgentReports', {
        name: intakeQueueName(cluster),
        visibilityTimeout: visibilityFor(workTimeout.agentEvents),
        alarmTopic,
        meaning: 'Reports of an agent could not be taken in: the state of its tasks may be out of date.',
      }).queue,
    };
    this.heartbeats = new Queue(this, 'Heartbeats', {
      queueName: heartbeatQueueName(cluster),
      // Longer than a roll call runs: what it could not store, the next one hears.
      visibilityTimeout: visibilityFor(workTimeout.rollCall),
      // What is older says nothing any more; after an outage there is no backlog to work off.
      retentionPeriod: Duration.minutes(5),
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
    });
    this.commands = this.commandsIntake(cluster, alarmTopic);
    // Here, because the functions that make such queues are gone when this stack is deleted.
    new AgentQueues(this, 'AgentQueues', cluster);
    this.streamDeadLetters = new Queue(this, 'StreamDeadLetters', {
      queueName: name('stream-dlq'),
      retentionPeriod: Duration.days(14),
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.acknowledgeQueues();
    new DlqAlarm(this, 'StreamUndeliverable', {
      deadLetters: this.streamDeadLetters,
      entry: 'stream-dead-letters',
      topic: alarmTopic,
      meaning: 'The effects of a change (wake-up, launch, kill, event) could not be carried out.',
    });
  }

  /** Queues that need no dead-letter queue. */
  private acknowledgeQueues(): void {
    acknowledge(
      this.heartbeats,
      'AwsSolutions-SQS3',
      'A heartbeat that was not read in time says nothing any more: there is nothing to keep or to redrive.',
    );
    acknowledge(
      this.streamDeadLetters,
      'AwsSolutions-SQS3',
      "It is itself where the stream's consumer leaves what it gives up on; nothing consumes it.",
    );
  }

  /** Where other services leave their commands, and the rule that brings those from the bus. */
  private commandsIntake(cluster: string, alarmTopic: ITopic): QueueWithDlq {
    const commands = new QueueWithDlq(this, 'Commands', {
      name: commandsQueueName(cluster),
      visibilityTimeout: visibilityFor(workTimeout.commands),
      maxReceives: commandTries,
      alarmTopic,
      meaning: 'A command of another service was refused; the attributes of the message say why.',
    });
    // Here and not with the functions: commands are taken in while those are replaced.
    new Rule(this, 'CommandsFromBus', {
      ruleName: `borealis-${cluster}-commands`,
      description: 'Puts commands of other services into their queue.',
      eventBus: this.bus,
      eventPattern: { detailType: [commandDetailType], source: Match.prefix(commandSourcePrefix) },
      targets: [new SqsQueue(commands.queue, { deadLetterQueue: commands.deadLetters })],
    });
    return commands;
  }

  /** Both tables: of this stack, or those that were restored to take their place. */
  private storeTables({ cluster, keepData: keep, kmsKeyArn, restored }: Settings): StateStack['tables'] {
    const name = (part: string): string => `borealis-${cluster}-${part}`;
    if (!restored) {
      const how = { keep, ...(kmsKeyArn !== undefined && { kmsKeyArn }) };
      return {
        state: storeTable(this, 'StateTable', { name: name('state'), definition: stateTable, ...how }),
        notes: storeTable(this, 'NotesTable', { name: name('notes'), definition: notesTable, ...how }),
      };
    }
    const { suffix, streamArn } = restored;
    const state = { name: name(`state-${suffix}`), definition: stateTable, streamArn };
    const notes = { name: name(`notes-${suffix}`), definition: notesTable };
    return {
      state: restoredTable(this, 'RestoredState', state),
      notes: restoredTable(this, 'RestoredNotes', notes),
    };
  }

  /** Who is told of alarms: the topic that was named, else one of this installation. */
  private alarmTopic({ alarms }: Settings, name: string): ITopic {
    if (alarms.topicArn !== undefined) return Topic.fromTopicArn(this, 'Alarms', alarms.topicArn);
    const topic = new Topic(this, 'Alarms', { topicName: name, enforceSSL: true });
    if (alarms.email !== undefined) topic.addSubscription(new EmailSubscription(alarms.email));
    return topic;
  }
}
