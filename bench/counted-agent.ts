// A real agent with its default timings, in this process, whose requests to SQS and to the API are counted.
import { SQSClient } from '@aws-sdk/client-sqs';
import { type RunningAgent, runAgent } from '../agent/main.ts';
import type { LocalStack } from '../local/stack.ts';
import { intakeQueueName } from '../shared/model/names.ts';

/** Starts it; every request adds to `requests`, by kind. */
export function startCountedAgent(
  stack: LocalStack,
  agentId: string,
  workDir: string,
  requests: Map<string, number>,
): Promise<RunningAgent> {
  const count = (kind: string): void => void requests.set(kind, (requests.get(kind) ?? 0) + 1);
  const { requestHandler } = new SQSClient({ region: stack.region }).config;
  const handle = requestHandler.handle.bind(requestHandler);
  requestHandler.handle = (request, options) => {
    count(`sqs ${String(request.headers['x-amz-target']).replace('AmazonSQS.', '')}`);
    return handle(request, options);
  };
  return runAgent({
    agentId,
    host: agentId,
    cluster: stack.cluster,
    api: stack.apiUrl,
    intakeQueueUrl: `${stack.sqsEndpoint}/000000000000/${intakeQueueName(stack.cluster)}`,
    sqs: {
      endpoint: stack.sqsEndpoint,
      region: stack.region,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      requestHandler,
    },
    fetch: (input, init) => {
      count(
        `api ${new URL(input instanceof Request ? input.url : input).pathname.replace(agentId, '{agentId}')}`,
      );
      return fetch(input, init);
    },
    observer: false,
    cgroup: false,
    workDir,
    log: () => undefined,
  });
}
