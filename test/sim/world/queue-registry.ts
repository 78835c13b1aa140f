// Queues as SQS makes and deletes them: one that was deleted may still be answered for some time, and takes messages that
// nobody ever sees; for a minute no other of its name is made.
import { Queue } from './queue.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

const restMs = 60_000;

export class QueueRegistry {
  readonly #queues: Map<string, Queue>;
  readonly #make: (name: string) => Queue;
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #deleted = new Map<string, { readonly at: number; readonly answersUntil: number }>();
  /** How many queues were deleted. */
  deletions = 0;

  constructor(
    queues: Map<string, Queue>,
    make: (name: string) => Queue,
    scheduler: Scheduler,
    random: Random,
  ) {
    this.#queues = queues;
    this.#make = make;
    this.#scheduler = scheduler;
    this.#random = random;
  }

  get(name: string): Queue | undefined {
    const { now } = this.#scheduler;
    if (now >= (this.#deleted.get(name)?.answersUntil ?? 0)) return this.#queues.get(name);
    return new Queue(name, { visibilityMs: restMs }, this.#scheduler, this.#random);
  }

  create(name: string): Queue {
    const { now } = this.#scheduler;
    if (now - (this.#deleted.get(name)?.at ?? Number.NEGATIVE_INFINITY) < restMs) {
      throw Object.assign(new Error('simulated: wait a minute'), { name: 'QueueDeletedRecently' });
    }
    return this.#queues.get(name) ?? this.#make(name);
  }

  delete(name: string): void {
    if (!this.#queues.delete(name)) return;
    this.deletions++;
    const { now } = this.#scheduler;
    const answersUntil = now + (this.#random.chance(0.5) ? 0 : this.#random.between(0, restMs));
    this.#deleted.set(name, { at: now, answersUntil });
  }

  named(prefix: string): string[] {
    return [...this.#queues.keys()].filter((name) => name.startsWith(prefix)).sort();
  }
}
