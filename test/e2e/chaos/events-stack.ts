// Every event of the installation into one queue, for the recorder of histories on the embedded stack.
import { type App, Stack } from 'aws-cdk-lib';
import { EventBus, Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { eventBusName, eventSource } from '../../../shared/model/names.ts';

/** Name of the queue, with or without the stack. */
export function historyQueueName(cluster: string): string {
  return `borealis-${cluster}-history`;
}

/** Adds the rule and its queue for the installation that the context names. */
export function addStacks(app: App): void {
  const given: unknown = app.node.tryGetContext('borealis:cluster');
  const cluster = typeof given === 'string' ? given : 'borealis';
  const stack = new Stack(app, `borealis-${cluster}-history`, { analyticsReporting: false });
  new Rule(stack, 'Everything', {
    eventBus: EventBus.fromEventBusName(stack, 'Bus', eventBusName(cluster)),
    eventPattern: { source: [eventSource] },
    targets: [new SqsQueue(new Queue(stack, 'Queue', { queueName: historyQueueName(cluster) }))],
  });
}
