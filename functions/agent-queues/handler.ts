// The custom resource that stands for the agents' command queues: nothing to do when it is made, all of them are deleted
// with it. CloudFormation waits an hour for the answer, so there is one whatever happens.
import type { CloudFormationCustomResourceEvent, Context } from 'aws-lambda';
import { agentQueuesEnvSchema, parseEnv } from '../../shared/api/env.ts';
import { createSqsClient } from '../clients/sqs.ts';
import { inRequest } from '../request-scope.ts';
import { createTelemetry } from '../runtime.ts';
import { deleteAgentQueues } from './delete-queues.ts';

type Event = CloudFormationCustomResourceEvent;

type HandlerContext = Pick<Context, 'logStreamName' | 'awsRequestId'>;

const answerWithinMs = 10_000;

/** Carries out one event and tells CloudFormation at the address it gave. Throws only if that can't be reached. */
export async function handler(event: Event, context: HandlerContext): Promise<void> {
  let failure: string | undefined;
  try {
    await inRequest({ requestId: context.awsRequestId }, () => carryOut(event));
  } catch (error) {
    failure = `${error instanceof Error ? error.message : String(error)} (log stream ${context.logStreamName})`;
  }
  await answer(event, failure);
}

async function carryOut(event: Event): Promise<void> {
  if (event.RequestType !== 'Delete') return;
  const { BOREALIS_CLUSTER } = parseEnv(agentQueuesEnvSchema, process.env);
  const deleted = await deleteAgentQueues(createSqsClient(), BOREALIS_CLUSTER);
  createTelemetry('agent-queues', BOREALIS_CLUSTER).log.info('agent queues deleted', { deleted });
}

async function answer(event: Event, failure: string | undefined): Promise<void> {
  const { StackId, RequestId, LogicalResourceId } = event;
  const body = {
    Status: failure === undefined ? 'SUCCESS' : 'FAILED',
    ...(failure !== undefined && { Reason: failure }),
    // One for the life of the stack: another id would mean a replacement, which deletes the old one.
    PhysicalResourceId: 'agent-queues',
    StackId,
    RequestId,
    LogicalResourceId,
  };
  const response = await fetch(event.ResponseURL, {
    method: 'PUT',
    // The address is signed for a request without a content type.
    headers: { 'content-type': '' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(answerWithinMs),
  });
  if (!response.ok) throw new Error(`CloudFormation did not take the answer: ${response.status}`);
}
