// Calls of the control plane's functions to the store, the queues and the bus: each takes effect at one moment of
// simulated time, and each may go wrong in every way such a call can.
import { TransactionCanceledException, TransactionConflictException } from '@aws-sdk/client-dynamodb';
import type { Fault, Faults } from './faults.ts';
import { callFaults } from './faults.ts';
import type { Container, Invocation, Lambda } from './lambda.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import type { Strikes } from './strikes.ts';
import type { Trace } from './trace.ts';

type ServiceName = 'store' | 'queue' | 'bus' | 'workflows';

/** What is down at the moment. */
export interface Outage {
  store: boolean;
  queues: boolean;
  functions: boolean;
  workflows: boolean;
  /** Nobody takes messages from the intake queue. */
  intake: boolean;
  /** Nobody reads the stream. */
  stream: boolean;
}

export interface ServiceCall<T> {
  readonly service: ServiceName;
  readonly operation: string;
  readonly execute: () => T;
  /** A part of the work done and the rest refused in the answer, where the request has such answers. */
  readonly partly?: ((share: number) => T) | undefined;
  /** For a transaction: how many items it has. */
  readonly transactItems?: number;
  readonly isWrite: boolean;
  readonly describe?: () => string;
}

export interface ServicesDeps {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly faults: Faults;
  readonly strikes: Strikes;
  readonly lambda: Lambda;
  readonly trace: Trace;
  readonly outage: Outage;
  /** A call takes up to this, ms. */
  readonly maxLatencyMs: number;
}

const noPartial = callFaults.filter((kind) => kind !== 'partial');
const outageAnswerMs = 4_000;
const timeoutMs = 10_000;

export class Services {
  readonly #deps: ServicesDeps;
  calls = 0;

  constructor(deps: ServicesDeps) {
    this.#deps = deps;
  }

  call<T>(container: Container, call: ServiceCall<T>): Promise<T> {
    const { scheduler, random, faults, strikes, maxLatencyMs } = this.#deps;
    const { invocation } = container;
    this.calls++;
    if (invocation?.dead) return new Promise(() => {});
    const site = `${container.functionName} ${call.operation}`;
    const kinds = call.partly ? callFaults : noPartial;
    // Most calls read, and a write that fails is the more interesting one.
    const group = call.service !== 'store' ? 'queue' : call.isWrite ? 'write' : 'store';
    const fault = faults.decide(group, site, kinds, call.describe);
    const latencyMs =
      fault?.kind === 'slow'
        ? 500 + Math.floor(faults.detail(fault) * 25_000)
        : random.between(1, maxLatencyMs);
    return new Promise((resolve, reject) => {
      const { strike } = fault ?? {};
      const isHeld = strike?.kind === 'hold';
      const arrive = () => {
        // Whether a request of a process that has died meanwhile was still sent is a matter of luck.
        if (invocation?.dead && !isHeld && random.chance(0.5)) return;
        if (this.#isDown(call.service)) {
          this.#settle(invocation, outageAnswerMs, () => reject(unavailable('ServiceUnavailable', 503)));
          return;
        }
        this.#carryOut(invocation, call, fault, { resolve, reject });
      };
      scheduler.after(latencyMs, () => (isHeld ? strikes.hold(strike, arrive) : arrive()));
    });
  }

  #isDown(service: ServiceName): boolean {
    const { outage } = this.#deps;
    if (service === 'workflows') return outage.workflows;
    return service === 'store' ? outage.store : outage.queues;
  }

  #carryOut<T>(
    invocation: Invocation | undefined,
    call: ServiceCall<T>,
    fault: Fault | undefined,
    settle: { readonly resolve: (value: T) => void; readonly reject: (error: unknown) => void },
  ): void {
    const { trace, faults, lambda, strikes } = this.#deps;
    const kind = fault?.kind;
    trace.note(`${invocation?.functionName ?? '-'} ${call.operation}`, () => {
      return `${call.describe?.() ?? ''}${fault ? ` [${kind} #${fault.number}]` : ''}`;
    });
    if (kind === 'crashBefore') {
      if (invocation) lambda.crash(invocation);
      return;
    }
    if (kind === 'throttle') {
      this.#settle(invocation, 0, () => settle.reject(refusalOf(call, faults, fault)));
      return;
    }
    if (kind === 'lostRequest') {
      this.#settle(invocation, timeoutMs, () => settle.reject(unavailable('TimeoutError', 0)));
      return;
    }
    let outcome: () => void;
    try {
      let value =
        kind === 'partial' && call.partly && fault ? call.partly(faults.detail(fault)) : call.execute();
      // The client repeats a request whose answer it did not get; a transaction carries a token against that.
      if (kind === 'repeat' && call.transactItems === undefined) value = call.execute();
      outcome = () => settle.resolve(value);
      strikes.passed(`${invocation?.functionName ?? '-'} ${call.operation}`, () => call.describe?.() ?? '');
    } catch (error) {
      outcome = () => settle.reject(error);
    }
    if (kind === 'crashAfter') {
      if (invocation) lambda.crash(invocation);
    } else if (kind === 'lostAnswer') {
      this.#settle(invocation, timeoutMs, () => settle.reject(unavailable('TimeoutError', 0)));
    } else this.#settle(invocation, 0, outcome);
  }

  /** The answer reaches the process if it still lives. */
  #settle(invocation: Invocation | undefined, delayMs: number, answer: () => void): void {
    const { scheduler } = this.#deps;
    const deliver = () => {
      if (invocation?.dead) return;
      scheduler.stir();
      answer();
    };
    if (delayMs === 0) deliver();
    else scheduler.after(delayMs, deliver);
  }
}

function unavailable(name: string, httpStatusCode: number): Error {
  return Object.assign(new Error('simulated: no answer'), { name, $metadata: { httpStatusCode } });
}

function refusalOf(call: ServiceCall<unknown>, faults: Faults, fault: Fault | undefined): Error {
  const inTheWay = fault !== undefined && faults.detail(fault) < 0.5;
  if (call.service === 'store' && call.isWrite && inTheWay) {
    const message = 'simulated: another transaction is in the way';
    if (call.transactItems === undefined) return new TransactionConflictException({ message, $metadata: {} });
    const hit = Math.floor(faults.detail(fault) * 2 * call.transactItems);
    return new TransactionCanceledException({
      message,
      $metadata: {},
      CancellationReasons: Array.from({ length: call.transactItems }, (_, index) => ({
        Code: index === hit ? 'TransactionConflict' : 'None',
      })),
    });
  }
  return Object.assign(new Error('simulated: throttled'), {
    name: 'ThrottlingException',
    $metadata: { httpStatusCode: 400 },
  });
}
