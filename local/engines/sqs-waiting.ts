// How receivers wait for messages, instead of fauxqs' own way, which differs from SQS in three points that matter here:
// it keeps a waiter whose client is gone (its next message is lost for a visibility timeout), wakes every waiter for one
// message, and ticks fifty times a second for each waiting receiver, which is a core's work with a thousand agents.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Socket } from 'node:net';

/** The part of fauxqs' SqsQueue (2.4.1, pinned) that waiting is made of. */
export interface WaitingQueue {
  pollWaiters: Waiter[];
  pollTimer?: NodeJS.Timeout | undefined;
  processTimers(): void;
  stopPollTimerIfEmpty(): void;
  waitForMessages(seconds: number): Promise<void>;
  notifyWaiters(): void;
}

interface Waiter {
  readonly resolve: () => void;
  readonly timer: NodeJS.Timeout;
}

/** Delays and visibility timeouts are looked at this often while somebody waits; arrivals wake a receiver at once. */
const timerTickMs = 100;

const clients = new AsyncLocalStorage<Socket>();

/** Runs the rest of a request knowing whose it is. */
export function forClient(socket: Socket, rest: () => void): void {
  clients.run(socket, rest);
}

/** Replaces the waiting of every queue. */
export function improveWaiting(prototype: WaitingQueue): void {
  prototype.waitForMessages = waitForMessages;
  prototype.notifyWaiters = notifyOne;
}

/** Resolves when it is worth looking, or time is up; rejects when the client has gone, so that nothing is taken for it. */
function waitForMessages(this: WaitingQueue, seconds: number): Promise<void> {
  const client = clients.getStore();
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      clearTimeout(waiter.timer);
      client?.off('close', gone);
      const index = this.pollWaiters.indexOf(waiter);
      if (index >= 0) this.pollWaiters.splice(index, 1);
      this.stopPollTimerIfEmpty();
    };
    const gone = (): void => {
      leave();
      reject(new Error('the receiver has gone'));
    };
    const waiter: Waiter = {
      resolve: () => {
        leave();
        resolve();
      },
      timer: setTimeout(() => waiter.resolve(), seconds * 1000),
    };
    if (client?.destroyed) return gone();
    client?.once('close', gone);
    this.pollWaiters.push(waiter);
    this.pollTimer ??= setInterval(() => this.processTimers(), timerTickMs);
  });
}

/** One receiver for each arrival; if more is there, the tick wakes the next. */
function notifyOne(this: WaitingQueue): void {
  this.pollWaiters[0]?.resolve();
}
