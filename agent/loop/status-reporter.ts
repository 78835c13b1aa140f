// Sends task statuses in batches, in order, until they are accepted. The checkpoints are the durable copy (statuses not
// known to be accepted are read from them again after a restart), so this queue is in memory only.
import type { TaskStatus } from '../../shared/model/protocol.ts';
import type { AgentLog } from '../log.ts';
import { errorText } from '../log.ts';

/** Most statuses in one report (the protocol's bound). */
const maxBatch = 100;
/** Most bytes of statuses in one report; an SQS message takes 256 KiB in all. */
const maxBatchBytes = 200 * 1024;
const firstRetryMs = 200;
const longestRetryMs = 10_000;

interface Waiting {
  readonly status: TaskStatus;
  readonly onAccepted: () => void;
}

export class StatusReporter {
  readonly #send: (statuses: TaskStatus[]) => Promise<void>;
  readonly #flushMs: number;
  readonly #log: AgentLog;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #isStopped = false;
  #cutShort: (() => void) | undefined;

  constructor(send: (statuses: TaskStatus[]) => Promise<void>, flushMs: number, log: AgentLog) {
    this.#send = send;
    this.#flushMs = flushMs;
    this.#log = log;
  }

  /** Queues a status; `onAccepted` is called once the control plane's queue has it. */
  report(status: TaskStatus, onAccepted: () => void): void {
    this.#waiting.push({ status, onAccepted });
    if (this.#waiting.length >= maxBatch) this.#cutShort?.();
    this.#running ??= this.#drain();
  }

  /** True if this status of the task waits to be accepted. */
  isWaiting(taskId: string, state: TaskStatus['state']): boolean {
    return this.#waiting.some(({ status }) => status.taskId === taskId && status.state === state);
  }

  /** Sends what waits, for at most this long, then ends; the rest is reported by the next agent process. */
  async stop(withinMs: number): Promise<void> {
    const giveUp = setTimeout(() => {
      this.#isStopped = true;
      this.#cutShort?.();
    }, withinMs);
    this.#cutShort?.();
    await this.#running;
    clearTimeout(giveUp);
    this.#isStopped = true;
  }

  async #drain(): Promise<void> {
    let retryMs = firstRetryMs;
    await this.#pause(this.#flushMs);
    while (this.#waiting.length > 0 && !this.#isStopped) {
      const batch = this.#nextBatch();
      try {
        await this.#send(batch.map(({ status }) => status));
        this.#waiting = this.#waiting.slice(batch.length);
        for (const { onAccepted } of batch) onAccepted();
        retryMs = firstRetryMs;
        if (this.#waiting.length > 0 && this.#waiting.length < maxBatch) await this.#pause(this.#flushMs);
      } catch (error) {
        this.#log('warn', 'statuses were not accepted; they will be sent again', {
          statuses: this.#waiting.length,
          retryMs,
          error: errorText(error),
        });
        await this.#pause(retryMs);
        retryMs = Math.min(longestRetryMs, retryMs * 2);
      }
    }
    this.#running = undefined;
  }

  #nextBatch(): Waiting[] {
    let bytes = 0;
    const end = this.#waiting.slice(0, maxBatch).findIndex(({ status }) => {
      bytes += Buffer.byteLength(JSON.stringify(status));
      return bytes > maxBatchBytes;
    });
    return this.#waiting.slice(0, end === -1 ? maxBatch : Math.max(1, end));
  }

  async #pause(ms: number): Promise<void> {
    if (this.#isStopped) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#cutShort = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#cutShort = undefined;
  }
}
