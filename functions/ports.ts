// What handlers need from outside besides the store: queues, the event bus, a log. Tests and the simulator bring their
// own; functions/clients has the AWS ones.

import type { BusEvent } from '../shared/model/events.ts';
import type { JobKey } from '../shared/model/job-key.ts';
import type { CountMetric, MillisMetric } from '../shared/model/metrics.ts';
import type { AgentCommand } from '../shared/model/protocol.ts';

export interface OutgoingMessage {
  readonly body: string;
  /** FIFO queues only. Every send gets its own deduplication id: a swallowed wake-up is a stuck task (design D2). */
  readonly groupId?: string;
  /**
   * FIFO queues only: the same id within five minutes is one message. For the one queue where every wake-up of a moment
   * means the same and none is delivered before that moment is over (`drainWake`); absent = never deduplicated.
   */
  readonly deduplicationId?: string;
  /** Standard queues only; at most 900. */
  readonly delaySeconds?: number;
  /** Texts that go beside the body; at most ten. */
  readonly attributes?: Readonly<Record<string, string>>;
}

/** Sends to queues of the control plane. Resolves when all messages are accepted, throws UNAVAILABLE if any was not. */
export interface MessagePort {
  send(queueUrl: string, messages: readonly OutgoingMessage[]): Promise<void>;
}

/**
 * The command queue of each agent. Throws UNAVAILABLE if not all was accepted; sending again is harmless. later: the queue
 * was deleted less than a minute ago, SQS makes no other of its name yet, and nothing was sent.
 */
export interface AgentCommandPort {
  /** Makes sure the queue exists; `anew`: whatever is remembered of it. */
  ensureQueue(agentId: string, how?: 'anew'): Promise<'ready' | 'later'>;
  /** Leaves the queue to the identity that owns the agent id; nothing where identities are not checked. */
  guardQueue(agentId: string, owner: string | undefined): Promise<void>;
  /** Sends commands in order. made: the queue was missing, and nobody guards the new one yet. */
  send(agentId: string, commands: readonly AgentCommand[]): Promise<'sent' | 'made' | 'later'>;
  /** Deletes the queue with all that is in it. */
  dropQueue(agentId: string): Promise<void>;
}

/** The event bus other services listen on. */
export interface EventPort {
  publish(events: readonly BusEvent[]): Promise<void>;
}

/** Fields of a log line; docs/operating.md lists their names. Those the logger keeps for itself would be dropped. */
type LogFields = Readonly<Record<string, unknown>> & {
  readonly [K in 'level' | 'message' | 'timestamp' | 'service']?: never;
};

/** Executions of the update workflow. Each method throws UNAVAILABLE if Step Functions cannot be reached. */
export interface WorkflowPort {
  /** Starts the execution of this number; one that was started before is left alone. */
  start(update: {
    readonly key: JobKey;
    readonly updateId: string;
    readonly sequence: number;
  }): Promise<void>;
  /** Does it still run? */
  isRunning(update: { readonly updateId: string; readonly sequence: number }): Promise<boolean>;
  /** Lets an execution go on that waits with a task token. gone: it does not wait with that any more. */
  answer(taskToken: string, output: object): Promise<'taken' | 'gone'>;
}

/** Structured log lines. */
export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Numbers for the dashboard and the alarms; shared/model/metrics.ts lists them. */
export interface MetricPort {
  /** Adds to a sum; 0 is not written. */
  count(name: CountMetric, value: number): void;
  millis(name: MillisMetric, value: number): void;
}

/** How long this invocation may still run, milliseconds. */
export type RemainingTime = () => number;
