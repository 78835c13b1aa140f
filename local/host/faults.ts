// Functions made to fail, for tests of what heals: an invocation that fails before its handler began, one whose answer
// is lost after all of its effects, and deliveries that come twice, one after the other or at once. All of it happens on
// AWS; the handlers themselves know nothing of it.
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Invoker } from './invoker.ts';
import { type Odds, type Striker, strikerOf } from './striker.ts';

const faultKinds = ['before', 'after', 'twice', 'atOnce'] as const;
type FaultKind = (typeof faultKinds)[number];

/** How often each kind struck so far. */
export type FaultCounts = Readonly<Record<FaultKind, number>>;

export interface FaultyInvoker extends Invoker {
  /** From now on; undefined = no more faults. */
  setFaults(odds: Odds | undefined): void;
  faultCounts(): FaultCounts;
}

/**
 * The invoker with faults, none at first. `once`: functions whose caller waits for the answer and would not call them
 * twice, such as those of the HTTP API.
 */
export function withFaults(invoker: Invoker, once: ReadonlySet<string>): FaultyInvoker {
  const counts: Record<FaultKind, number> = { before: 0, after: 0, twice: 0, atOnce: 0 };
  let strike: Striker<FaultKind> | undefined;
  const invoke = async (functionArn: string, event: unknown): Promise<unknown> => {
    const kind = strike?.(once.has(functionArn) ? ['before', 'after'] : faultKinds);
    if (kind === undefined) return invoker.invoke(functionArn, event);
    counts[kind]++;
    if (kind === 'before') throw struck(functionArn, 'before it began');
    if (kind === 'atOnce') {
      const other = invoker.invoke(functionArn, structuredClone(event)).catch(() => undefined);
      const answer = await invoker.invoke(functionArn, event);
      await other;
      return answer;
    }
    const answer = await invoker.invoke(functionArn, event);
    if (kind === 'after') throw struck(functionArn, 'after all was done');
    return invoker.invoke(functionArn, event).catch(() => answer);
  };
  return {
    invoke,
    setFaults(odds) {
      strike = odds && strikerOf(odds);
    },
    faultCounts: () => ({ ...counts }),
    functionByArn: (functionArn) => invoker.functionByArn(functionArn),
    inFlight: () => invoker.inFlight(),
    onSettled: (listener) => invoker.onSettled(listener),
    idle: () => invoker.idle(),
    stats: () => invoker.stats(),
  };
}

function struck(functionArn: string, when: string): BorealisError {
  return new BorealisError('UNAVAILABLE', `a test made ${functionArn.split(':').at(-1)} fail ${when}`);
}
