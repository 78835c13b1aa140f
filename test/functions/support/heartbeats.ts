// A queue of heartbeats as SQS is one: messages that were received come back unless they are removed in time.
import type { HeartbeatQueue, QueuedHeartbeat } from '../../../functions/clients/heartbeat-queue.ts';

interface Message {
  readonly body: string;
  readonly sentAt: number;
  readonly receipt: string;
  readonly sender: string | undefined;
  hidden: boolean;
}

export class FakeHeartbeats implements HeartbeatQueue {
  readonly #messages = new Map<string, Message>();
  #count = 0;
  /** What every call throws while it is set. */
  failure: Error | undefined;
  /** Messages sent while it is set don't show up before it is unset. */
  isLate = false;
  /** Probes of roll calls get lost while it is set. */
  losesProbes = false;
  #late: Message[] = [];

  put(body: unknown, sentAt: number, sender?: string): void {
    const receipt = `r${this.#count++}`;
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    if (this.losesProbes && text.includes('"probe"')) return;
    const message = { body: text, sentAt, receipt, sender, hidden: false };
    if (this.isLate) this.#late.push(message);
    else this.#messages.set(receipt, message);
  }

  /** Heartbeats of these agents. */
  beat(agentIds: readonly string[], sentAt: number, more: { readonly tasks?: number } = {}): void {
    for (const agentId of agentIds) {
      this.put({ v: 1, kind: 'heartbeat', agentId, sessionId: 's1', sentAt: 1, ...more }, sentAt);
    }
  }

  /** The visibility of everything received runs out. */
  reappear(): void {
    for (const message of this.#messages.values()) message.hidden = false;
  }

  /** Late messages arrive. */
  deliverLate(): void {
    this.isLate = false;
    for (const message of this.#late.splice(0)) this.#messages.set(message.receipt, message);
  }

  get size(): number {
    return this.#messages.size;
  }

  async receive(): Promise<readonly QueuedHeartbeat[]> {
    if (this.failure) throw this.failure;
    const visible = [...this.#messages.values()].filter(({ hidden }) => !hidden).slice(0, 10);
    for (const message of visible) message.hidden = true;
    return visible;
  }

  async remove(receipts: readonly string[]): Promise<void> {
    if (this.failure) throw this.failure;
    for (const receipt of receipts) this.#messages.delete(receipt);
  }
}
