// SQS as its users may rely on it, and no better: standard queues deliver at least once and in any order, FIFO queues
// one after another within a group; a received message is hidden for a while and comes again unless it is deleted; after
// too many tries it goes to the dead letters.
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

export interface QueueMessage {
  readonly id: string;
  readonly body: string;
  readonly groupId: string | undefined;
  readonly sentAt: number;
  visibleAt: number;
  receives: number;
  /** Received and not yet visible again. */
  inFlight: boolean;
}

export interface QueueOptions {
  readonly fifo?: boolean;
  readonly visibilityMs: number;
  readonly maxReceives?: number;
  readonly retentionMs?: number;
  /** Every message shows only after this, ms. */
  readonly delayMs?: number;
}

const deduplicationMs = 5 * 60_000;

export class Queue {
  readonly name: string;
  readonly deadLetters: string[] = [];
  onArrival: () => void = () => {};
  readonly #options: QueueOptions;
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  #messages: QueueMessage[] = [];
  /** Deduplication ids and when they were used; they count for five minutes. */
  readonly #used = new Map<string, number>();
  #counter = 0;

  constructor(name: string, options: QueueOptions, scheduler: Scheduler, random: Random) {
    this.name = name;
    this.#options = options;
    this.#scheduler = scheduler;
    this.#random = random;
  }

  get length(): number {
    return this.#messages.length;
  }

  get isFifo(): boolean {
    return this.#options.fifo === true;
  }

  send(
    body: string,
    options: {
      readonly groupId?: string | undefined;
      readonly deduplicationId?: string | undefined;
      readonly delayMs?: number;
    } = {},
  ): void {
    const { now } = this.#scheduler;
    const { groupId, deduplicationId } = options;
    const delayMs = (options.delayMs ?? 0) + (this.#options.delayMs ?? 0);
    if (deduplicationId !== undefined) {
      if (now - (this.#used.get(deduplicationId) ?? Number.NEGATIVE_INFINITY) < deduplicationMs) return;
      this.#used.set(deduplicationId, now);
    }
    const id = `${this.name}:${++this.#counter}`;
    this.#messages.push({
      id,
      body,
      groupId,
      sentAt: now,
      visibleAt: now + delayMs,
      receives: 0,
      inFlight: false,
    });
    this.onArrival();
  }

  receive(most: number): QueueMessage[] {
    const { now } = this.#scheduler;
    const found = this.#receivable(this.isFifo ? most : most + 10);
    const taken = this.isFifo ? found : this.#shuffled(found).slice(0, most);
    for (const message of taken) {
      message.receives++;
      message.inFlight = true;
      message.visibleAt = now + this.#options.visibilityMs;
    }
    return taken;
  }

  /** The first messages that may be received now; those of no more use go on the way. */
  #receivable(most: number): QueueMessage[] {
    const found: QueueMessage[] = [];
    const spent = new Set<QueueMessage>();
    /** Groups of which a message is being worked on. */
    const blocked = new Set<string>();
    for (const message of this.#messages) {
      if (found.length >= most) break;
      const fate = this.#fateOf(message, blocked);
      if (fate === 'hidden' && message.groupId !== undefined) blocked.add(message.groupId);
      if (fate === 'dead') this.deadLetters.push(message.body);
      if (fate === 'old' || fate === 'dead') spent.add(message);
      if (fate === 'free') found.push(message);
    }
    if (spent.size > 0) this.#messages = this.#messages.filter((message) => !spent.has(message));
    return found;
  }

  #fateOf(
    message: QueueMessage,
    blocked: ReadonlySet<string>,
  ): 'old' | 'blocked' | 'hidden' | 'dead' | 'free' {
    const { now } = this.#scheduler;
    const { retentionMs = 4 * 24 * 3600_000, maxReceives = Number.POSITIVE_INFINITY } = this.#options;
    if (message.visibleAt <= now) message.inFlight = false;
    if (message.sentAt + retentionMs < now) return 'old';
    if (message.groupId !== undefined && blocked.has(message.groupId)) return 'blocked';
    if (message.visibleAt > now) return 'hidden';
    return message.receives >= maxReceives ? 'dead' : 'free';
  }

  delete(messages: readonly QueueMessage[]): void {
    if (messages.length === 0) return;
    const gone = new Set(messages);
    this.#messages = this.#messages.filter((message) => !gone.has(message));
    if (this.isFifo) this.onArrival();
  }

  /** Deletes by message id; a receipt here is the id. */
  deleteIds(ids: readonly string[]): void {
    const gone = new Set(ids);
    this.delete(this.#messages.filter(({ id }) => gone.has(id)));
  }

  /** As the request of that name; a message that is gone is no error. */
  changeVisibility(id: string, delayMs: number): void {
    const message = this.#messages.find((one) => one.id === id);
    if (message) this.show([message], this.#scheduler.now + delayMs);
  }

  /** Makes messages visible at a time of one's own choice. */
  show(messages: readonly QueueMessage[], at: number): void {
    for (const message of messages) message.visibleAt = at;
    this.onArrival();
  }

  /** When the next message may be received; undefined if there is none. Of a group only the first counts. */
  nextVisibleAt(): number | undefined {
    let next: number | undefined;
    const groups = new Set<string>();
    for (const { visibleAt, groupId } of this.#messages) {
      if (groupId !== undefined) {
        if (groups.has(groupId)) continue;
        groups.add(groupId);
      }
      if (next === undefined || visibleAt < next) next = visibleAt;
    }
    return next;
  }

  #shuffled<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.#random.below(i + 1);
      [items[i], items[j]] = [items[j] as T, items[i] as T];
    }
    return items;
  }
}
