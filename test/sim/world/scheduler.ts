// The one event loop: simulated time, and a heap of what is to happen when. Everything asynchronous in the system under
// test waits for an event of this heap; between two events all promises that can go on have gone on.

interface Event {
  readonly at: number;
  readonly order: number;
  readonly work: () => void;
}

const immediately = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export class Scheduler {
  /** Epoch ms. */
  now: number;
  steps = 0;
  readonly #heap: Event[] = [];
  #order = 0;
  /** An event may have let a promise go on. */
  #stirred = false;

  constructor(startAt: number) {
    this.now = startAt;
  }

  at(time: number, work: () => void): void {
    this.#push({ at: Math.max(time, this.now), order: this.#order++, work });
  }

  after(delayMs: number, work: () => void): void {
    this.at(this.now + Math.ceil(delayMs), work);
  }

  /** To be called by whoever settles a promise or calls an async function. */
  stir(): void {
    this.#stirred = true;
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, () => {
        this.#stirred = true;
        resolve();
      });
    });
  }

  /** Runs events up to and including `until`. `afterEach` may throw to end the run. */
  async runUntil(until: number, afterEach: () => void): Promise<void> {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.at > until) break;
      this.#pop();
      this.now = next.at;
      this.steps++;
      next.work();
      if (this.#stirred) {
        this.#stirred = false;
        await immediately();
      }
      afterEach();
    }
    this.now = until;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent] as Event)) break;
      heap[at] = heap[parent] as Event;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++;
      if (!isBefore(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
