// What went wrong, in a queue: tasks that failed or were lost, jobs that did not succeed, commands that were refused.
import { Match, Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { eventSource } from '../../shared/model/names.ts';
import type { Borealis } from './borealis.ts';

export class TroubleQueue extends Construct {
  readonly queue: Queue;

  constructor(
    scope: Construct,
    id: string,
    props: { readonly borealis: Borealis; readonly queueName: string },
  ) {
    super(scope, id);
    this.queue = new Queue(this, 'Queue', {
      queueName: props.queueName,
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
    });
    const rule = (name: string, detailType: string, detail?: Record<string, unknown>) =>
      new Rule(this, name, {
        eventBus: props.borealis.bus,
        eventPattern: { source: [eventSource], detailType: [detailType], ...(detail && { detail }) },
        targets: [new SqsQueue(this.queue)],
      });
    rule('Tasks', 'Task State Change', { to: ['FAILED', 'LOST'] });
    rule('Jobs', 'Job Ended', { outcome: Match.anythingBut('succeeded') });
    rule('Commands', 'Command Rejected');
  }
}
