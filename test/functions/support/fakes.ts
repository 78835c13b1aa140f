// Fakes of the ports of the functions: they remember what was sent and fail when told to.
import type { SQSEvent, SQSRecord } from 'aws-lambda';
import type {
  AgentCommandPort,
  EventPort,
  Log,
  MessagePort,
  MetricPort,
  OutgoingMessage,
} from '../../../functions/ports.ts';
import type { BusEvent } from '../../../shared/model/events.ts';
import type { AgentCommand } from '../../../shared/model/protocol.ts';

export class FakeQueues implements MessagePort {
  /** Everything ever sent. */
  readonly sent: { readonly queueUrl: string; readonly message: OutgoingMessage }[] = [];
  readonly #waiting = new Map<string, OutgoingMessage[]>();
  readonly failing = new Set<string>();
  /** When each was sent, epoch ms. */
  readonly sentAt = new Map<OutgoingMessage, number>();
  readonly #clock: () => number;

  constructor(clock: () => number = () => 0) {
    this.#clock = clock;
  }

  async send(queueUrl: string, messages: readonly OutgoingMessage[]): Promise<void> {
    if (this.failing.has(queueUrl)) throw new Error(`queue ${queueUrl} is down`);
    for (const message of messages) {
      this.sent.push({ queueUrl, message });
      this.sentAt.set(message, this.#clock());
      this.#waiting.set(queueUrl, [...(this.#waiting.get(queueUrl) ?? []), message]);
    }
  }

  /** Takes all waiting messages of a queue, or those it is asked for. */
  take(queueUrl: string, isWanted: (message: OutgoingMessage) => boolean = () => true): OutgoingMessage[] {
    const messages = this.#waiting.get(queueUrl) ?? [];
    this.#waiting.set(
      queueUrl,
      messages.filter((message) => !isWanted(message)),
    );
    return messages.filter(isWanted);
  }

  bodies(queueUrl: string): unknown[] {
    return this.sent
      .filter((entry) => entry.queueUrl === queueUrl)
      .map(({ message }) => JSON.parse(message.body) as unknown);
  }
}

export class FakeAgents implements AgentCommandPort {
  readonly queues = new Set<string>();
  readonly owners = new Map<string, string | undefined>();
  readonly sent: { readonly agentId: string; readonly command: AgentCommand }[] = [];
  readonly failing = new Set<string>();

  /** Their queues were deleted less than a minute ago. */
  readonly resting = new Set<string>();
  /** Queues that were deleted. */
  readonly dropped: string[] = [];

  async ensureQueue(agentId: string): Promise<'ready' | 'later'> {
    if (this.failing.has(agentId)) throw new Error(`queue of ${agentId} is down`);
    if (this.resting.has(agentId)) return 'later';
    this.queues.add(agentId);
    return 'ready';
  }

  async guardQueue(agentId: string, owner: string | undefined): Promise<void> {
    this.owners.set(agentId, owner);
  }

  async send(agentId: string, commands: readonly AgentCommand[]): Promise<'sent' | 'made' | 'later'> {
    const isThere = this.queues.has(agentId);
    if ((await this.ensureQueue(agentId)) === 'later') return 'later';
    for (const command of commands) this.sent.push({ agentId, command });
    return isThere ? 'sent' : 'made';
  }

  async dropQueue(agentId: string): Promise<void> {
    if (this.failing.has(agentId)) throw new Error(`queue of ${agentId} is down`);
    this.queues.delete(agentId);
    this.dropped.push(agentId);
  }

  of(agentId: string): AgentCommand[] {
    return this.sent.filter((entry) => entry.agentId === agentId).map(({ command }) => command);
  }
}

export class FakeEvents implements EventPort {
  readonly published: BusEvent[] = [];
  failing = false;

  async publish(events: readonly BusEvent[]): Promise<void> {
    if (this.failing) throw new Error('the bus is down');
    this.published.push(...events);
  }
}

export class FakeLog implements Log {
  readonly lines: { readonly level: string; readonly message: string }[] = [];
  /** Gets every line too, with its fields. */
  forward: Log | undefined;
  info(message: string, fields?: Record<string, unknown>): void {
    this.lines.push({ level: 'info', message });
    this.forward?.info(message, fields);
  }
  warn(message: string, fields?: Record<string, unknown>): void {
    this.lines.push({ level: 'warn', message });
    this.forward?.warn(message, fields);
  }
  error(message: string, fields?: Record<string, unknown>): void {
    this.lines.push({ level: 'error', message });
    this.forward?.error(message, fields);
  }
}

export class FakeMeter implements MetricPort {
  readonly counts = new Map<string, number>();
  count(name: string, value: number): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + value);
  }
  readonly values = new Map<string, number[]>();
  millis(name: string, value: number): void {
    this.values.set(name, [...(this.values.get(name) ?? []), value]);
  }
}

/** A batch of queue messages; message ids are m0, m1, ...; `sender` is what SQS says of who sent them. */
export function sqsEvent(bodies: readonly unknown[], sender?: string): SQSEvent {
  const Records = bodies.map((body, index) => {
    const record: Partial<SQSRecord> = {
      messageId: `m${index}`,
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...(sender !== undefined && { attributes: { SenderId: sender } as SQSRecord['attributes'] }),
    };
    return record as SQSRecord;
  });
  return { Records };
}
