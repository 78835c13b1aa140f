// Every event of a deployed installation into one queue, made for one run and removed after it; the embedded stack has
// the same from events-stack.ts.
import {
  DeleteRuleCommand,
  EventBridgeClient,
  PutRuleCommand,
  PutTargetsCommand,
  RemoveTargetsCommand,
} from '@aws-sdk/client-eventbridge';
import { CreateQueueCommand, DeleteQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { eventBusName, eventSource } from '../../../shared/model/names.ts';
import { accountId, emulated, region } from '../../deploy/emulated.ts';
import type { Installation } from '../harness.ts';
import { historyQueueName } from './events-stack.ts';

/** Makes the rule and the queue. `remove` takes both away again. */
export async function eventsToQueue({
  endpoints,
  cluster,
}: Pick<Installation, 'endpoints' | 'cluster'>): Promise<{ remove(): Promise<void> }> {
  const bus = new EventBridgeClient(emulated(endpoints.aws));
  const sqs = new SQSClient(emulated(endpoints.sqs));
  const QueueName = historyQueueName(cluster);
  const rule = { Name: QueueName, EventBusName: eventBusName(cluster) };
  const Arn = `arn:aws:sqs:${region}:${accountId}:${QueueName}`;
  const statement = {
    Effect: 'Allow',
    Principal: { Service: 'events.amazonaws.com' },
    Action: 'sqs:SendMessage',
    Resource: Arn,
  };
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName, Attributes: { Policy } }));
  await bus.send(new PutRuleCommand({ ...rule, EventPattern: JSON.stringify({ source: [eventSource] }) }));
  const target = { Rule: rule.Name, EventBusName: rule.EventBusName };
  await bus.send(new PutTargetsCommand({ ...target, Targets: [{ Id: 'queue', Arn }] }));
  return {
    async remove() {
      await bus.send(new RemoveTargetsCommand({ ...target, Ids: ['queue'] }));
      await bus.send(new DeleteRuleCommand(rule));
      await sqs.send(new DeleteQueueCommand({ QueueUrl }));
      bus.destroy();
      sqs.destroy();
    },
  };
}
