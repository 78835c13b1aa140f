// The transport of a real agent: reports to the intake queue, heartbeats to theirs, commands from the agent's own queue, the level from the
// API. The agent's queue is made by the control plane some moments after the registration, so its absence is normal.
import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import {
  DeleteMessageCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { problemSchema } from '../shared/api/views.ts';
import { within } from '../shared/lib/deadline.ts';
import { BorealisError } from '../shared/lib/errors.ts';
import { type RequestLimits, requestHandlerWith } from '../shared/lib/request-limits.ts';
import { agentQueueName, heartbeatQueueName } from '../shared/model/names.ts';
import type { AgentCommand } from '../shared/model/protocol.ts';
import {
  agentCommandSchema,
  type DesiredPage,
  desiredPageSchema,
  joinDesired,
} from '../shared/model/protocol.ts';
import type { AgentLog } from './log.ts';
import { errorText } from './log.ts';
import type { AgentTransport, ReceivedCommand } from './transport.ts';

/** Seconds one receive waits for a message; the longest SQS allows. */
const longPollSecs = 20;

/** How long the transport waits for SQS. A machine is lost after 90 s of silence, so a dead connection may not cost much. */
interface TransportLimits {
  /** Each try of what is answered at once. */
  readonly request: RequestLimits;
  /** A receive, which is answered once something comes, or after twenty seconds. */
  readonly poll: RequestLimits;
  /** A whole call whatever holds it up, its tries and the credentials for them included, milliseconds. */
  readonly callMs: number;
  /** The same for a page of the level. */
  readonly pageMs: number;
}

const defaultLimits: TransportLimits = {
  request: { connectMs: 2_000, answerMs: 5_000 },
  poll: { connectMs: 2_000, answerMs: (longPollSecs + 5) * 1000 },
  callMs: 20_000,
  pageMs: 15_000,
};

export interface SqsTransportOptions {
  readonly cluster: string;
  readonly agentId: string;
  /** Base URL of the API, without a slash at the end. */
  readonly api: string;
  readonly intakeQueueUrl: string;
  /** Region, endpoint and credentials of SQS; the SDK's own defaults otherwise. */
  readonly sqs?: SQSClientConfig;
  /** Replaces fetch, for instance by one that signs requests. */
  readonly fetch?: typeof fetch;
  readonly log: AgentLog;
  readonly limits?: TransportLimits;
}

/** The production transport, and what closes its connections. */
export function createSqsTransport(options: SqsTransportOptions): AgentTransport & { close(): void } {
  const { request, poll, callMs } = options.limits ?? defaultLimits;
  const client = new SQSClient({ requestHandler: requestHandlerWith(request), ...options.sqs });
  // Receives are tried again by the loop that makes them.
  const poller = new SQSClient({ requestHandler: requestHandlerWith(poll), ...options.sqs, maxAttempts: 1 });
  const call = <T>(what: string, work: (signal: AbortSignal) => Promise<T>, outer?: AbortSignal) =>
    within(callMs, `${what} of SQS`, work, outer);
  const find = (name: string, outer?: AbortSignal) =>
    call('GetQueueUrl', (signal) => findQueue(client, name, signal), outer);
  let queueUrl: string | undefined;
  let heartbeatQueueUrl: string | undefined;
  const receive = async (signal: AbortSignal): Promise<readonly ReceivedCommand[]> => {
    queueUrl ??= await find(agentQueueName(options.cluster, options.agentId), signal);
    const url = queueUrl;
    try {
      const command = new ReceiveMessageCommand({
        QueueUrl: url,
        MaxNumberOfMessages: 10,
        WaitTimeSeconds: longPollSecs,
      });
      const answer = await within(
        poll.answerMs + callMs,
        'ReceiveMessage of SQS',
        (abortSignal) => poller.send(command, { abortSignal }),
        signal,
      );
      const remove = (ReceiptHandle: string | undefined) =>
        call('DeleteMessage', async (abortSignal) => {
          await client.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle }), { abortSignal });
        });
      return await readMessages(answer.Messages ?? [], remove, options.log);
    } catch (error) {
      queueUrl = undefined; // it may have been removed and made anew
      throw error;
    }
  };
  return {
    receive,
    send: async (report) => {
      let QueueUrl = options.intakeQueueUrl;
      if (report.kind === 'heartbeat') {
        heartbeatQueueUrl ??= await find(heartbeatQueueName(options.cluster));
        QueueUrl = heartbeatQueueUrl;
      }
      const command = new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(report) });
      await call('SendMessage', (abortSignal) => client.send(command, { abortSignal }));
    },
    desired: (sessionId, signal) => fetchDesired(options, sessionId, signal),
    close: () => {
      client.destroy();
      poller.destroy();
    },
  };
}

async function findQueue(client: SQSClient, QueueName: string, abortSignal: AbortSignal): Promise<string> {
  const answer = await client.send(new GetQueueUrlCommand({ QueueName }), { abortSignal });
  if (!answer.QueueUrl) throw new BorealisError('UNAVAILABLE', `SQS gave no URL for the queue ${QueueName}`);
  return answer.QueueUrl;
}

async function readMessages(
  messages: readonly { Body?: string | undefined; ReceiptHandle?: string | undefined }[],
  remove: (receipt: string | undefined) => Promise<void>,
  log: AgentLog,
): Promise<ReceivedCommand[]> {
  const received: ReceivedCommand[] = [];
  for (const message of messages) {
    const ack = () => remove(message.ReceiptHandle);
    const command = parseCommand(message.Body, log);
    if (command) received.push({ command, ack });
    // Nobody will ever understand it; what it asked for still comes with the level.
    else await ack();
  }
  return received;
}

/** The command in a message body, or undefined (and a log line) for anything else. */
function parseCommand(body: string | undefined, log: AgentLog): AgentCommand | undefined {
  try {
    return agentCommandSchema.parse(JSON.parse(body ?? ''));
  } catch (error) {
    // Never the text itself: a command holds the config of a task, and that may hold secrets.
    log('error', 'dropped a message that is not a command', {
      error: error instanceof SyntaxError ? 'it is not JSON' : errorText(error).slice(0, 500),
      bytes: Buffer.byteLength(body ?? ''),
    });
    return undefined;
  }
}

/** Every page of the level, asked for by one session of the agent. */
async function fetchDesired(options: SqsTransportOptions, sessionId: string, signal: AbortSignal) {
  const pages: DesiredPage[] = [];
  for (;;) {
    const query = new URLSearchParams({ session: sessionId });
    const after = pages.at(-1)?.next;
    if (after) query.set('after', after);
    const { pageMs } = options.limits ?? defaultLimits;
    const page = await within(
      pageMs,
      'the list of tasks',
      (ending) => fetchPage(options, query, ending),
      signal,
    );
    pages.push(page);
    if (page.next === null) return joinDesired(pages);
  }
}

async function fetchPage(
  options: SqsTransportOptions,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<DesiredPage> {
  const url = `${options.api}/agents/${options.agentId}/tasks`;
  const response = await (options.fetch ?? fetch)(`${url}?${query.toString()}`, { signal });
  if (response.status === 404) {
    throw new BorealisError('NOT_FOUND', `agent ${options.agentId} is not registered at ${options.api}`);
  }
  if (response.status === 403 || response.status === 409) {
    const problem = problemSchema.safeParse(await response.json().catch(() => undefined));
    const code = response.status === 403 ? 'FORBIDDEN' : 'CONFLICT';
    throw new BorealisError(code, problem.data?.detail ?? `GET ${url} is not allowed`);
  }
  if (!response.ok) {
    throw new BorealisError('UNAVAILABLE', `GET ${url} answered ${response.status}; nothing was changed`);
  }
  return desiredPageSchema.parse(await response.json());
}
