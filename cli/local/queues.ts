// Where an agent finds its queues: the SQS of the account, or that of an embedded stack.
import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import * as z from 'zod';
import { BorealisError } from '../../shared/lib/errors.ts';
import { type RequestLimits, requestHandlerWith } from '../../shared/lib/request-limits.ts';
import type { Io } from '../io.ts';

/** Somebody is waiting; three tries in all. */
export const toolLimits: RequestLimits = { connectMs: 3_000, answerMs: 10_000 };

/** What an embedded stack says of itself at GET /_local/stats; everything else there is not read here. */
const localStatsSchema = z.object({ sqsEndpoint: z.url() });

/**
 * Settings for an SQS client: the endpoint in AWS_ENDPOINT_URL_SQS, else that of the embedded stack behind the API, else
 * the account of `aws`, or where that leaves it open, of what the SDK finds.
 */
export async function resolveSqs(
  apiUrl: string,
  env: Io['env'],
  aws: Pick<SQSClientConfig, 'profile' | 'region'> = {},
): Promise<SQSClientConfig> {
  const endpoint = env.AWS_ENDPOINT_URL_SQS || (await embeddedSqsEndpoint(apiUrl));
  if (endpoint === undefined) return aws;
  const embedded = ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(endpoint).hostname);
  return {
    endpoint,
    region: env.AWS_REGION || 'us-east-1',
    // The embedded engine takes any signature, but the SDK insists on having something to sign with.
    ...(embedded &&
      !env.AWS_ACCESS_KEY_ID && { credentials: { accessKeyId: 'local', secretAccessKey: 'local' } }),
  };
}

/** The SQS endpoint of the embedded stack behind an API; undefined if it isn't an embedded stack. */
export async function embeddedSqsEndpoint(apiUrl: string): Promise<string | undefined> {
  try {
    const response = await fetch(`${apiUrl}/_local/stats`, { signal: AbortSignal.timeout(5000) });
    const parsed = localStatsSchema.safeParse(await response.json());
    return parsed.success ? parsed.data.sqsEndpoint : undefined;
  } catch {
    return undefined;
  }
}

/** The address of a queue. UNAVAILABLE with what to do if SQS isn't reached or has no such queue. */
export async function findQueueUrl(
  config: SQSClientConfig,
  name: string,
  limits: RequestLimits = toolLimits,
): Promise<string> {
  const { GetQueueUrlCommand, SQSClient } = await import('@aws-sdk/client-sqs');
  const client = new SQSClient({ requestHandler: requestHandlerWith(limits), ...config });
  try {
    const answer = await client.send(new GetQueueUrlCommand({ QueueName: name }));
    if (answer.QueueUrl) return answer.QueueUrl;
    throw new Error('the answer has no URL');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message || cause.name : String(cause);
    throw new BorealisError(
      'UNAVAILABLE',
      `cannot find the queue ${name} (${why}); the agent was not started. Is the stack up, and do AWS_ENDPOINT_URL_SQS or the AWS credentials name it?`,
      { cause },
    );
  } finally {
    client.destroy();
  }
}
