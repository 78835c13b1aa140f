// Empties the queue of heartbeats into memory: what was heard, by whom, and whether that is all there is.
import { agentReportSchema } from '../../shared/model/protocol.ts';
import { probeSchema } from '../../shared/model/wake.ts';
import type { Signed } from '../agent-events/check-senders.ts';
import type { HeartbeatQueue, QueuedHeartbeat } from '../clients/heartbeat-queue.ts';
import type { Log, MetricPort, RemainingTime } from '../ports.ts';

/** A heartbeat; its `id` is the receipt of its message. */
interface Heartbeat extends Signed {
  readonly report: { readonly agentId: string; readonly kind: 'heartbeat'; readonly tasks?: number };
  readonly sentAt: number;
}

export interface Drained {
  /** The newest heartbeat of each agent and sender. */
  readonly heard: readonly Heartbeat[];
  /** Times of the roll calls whose probes were found. */
  readonly probes: ReadonlySet<number>;
  /** To be removed once what was heard is stored. */
  readonly receipts: readonly string[];
  /** Nothing is left that was sent before it began. */
  readonly isEmpty: boolean;
}

const mostReceivers = 16;
const fullAnswer = 10;
/** So many answers in a row with nothing but news: each asked all of the queue, so nothing older is left. */
const freshAnswers = 3;

/**
 * Receives until nothing is left of what was sent before `startedAt` (epoch ms), or only `reserveMs` of the time is. A
 * large fleet never leaves the queue empty for the second that an answer waits. Throws what the queue does.
 */
export async function drainHeartbeats(
  queue: Pick<HeartbeatQueue, 'receive'>,
  time: { readonly startedAt: number; readonly remainingMs: RemainingTime; readonly reserveMs: number },
  telemetry: { readonly log: Log; readonly meter: MetricPort },
): Promise<Drained> {
  const newest = new Map<string, Heartbeat>();
  const probes = new Set<number>();
  const receipts: string[] = [];
  let isEmpty = true;
  let malformed = 0;
  const note = (message: QueuedHeartbeat): void => {
    receipts.push(message.receipt);
    const heard = readMessage(message);
    if (heard === undefined) malformed++;
    else if (typeof heard === 'number') probes.add(heard);
    else {
      const key = JSON.stringify([heard.report.agentId, heard.sender]);
      if ((newest.get(key)?.sentAt ?? 0) < heard.sentAt) newest.set(key, heard);
    }
  };
  let receivers = 0;
  let fresh = 0;
  const receiver = async (): Promise<void> => {
    for (;;) {
      if (time.remainingMs() <= time.reserveMs) {
        isEmpty = false;
        return;
      }
      const messages = await queue.receive();
      for (const message of messages) note(message);
      fresh = messages.every(({ sentAt }) => sentAt >= time.startedAt) ? fresh + 1 : 0;
      if (messages.length === 0 || fresh >= freshAnswers) return;
      // A small fleet is heard by one receiver; more join in while there is more than one can carry.
      if (messages.length === fullAnswer && receivers < mostReceivers) {
        receivers++;
        // Whoever fails first is waited for last: a failure nobody waits for would end the whole process.
        helpers.push(receiver().catch((error: unknown) => void failures.push(error)));
      }
    }
  };
  const helpers: Promise<void>[] = [];
  const failures: unknown[] = [];
  receivers = 1;
  await receiver().catch((error: unknown) => void failures.push(error));
  // The list grows while it is waited for.
  for (let index = 0; index < helpers.length; index++) await helpers[index];
  if (failures.length > 0) throw failures[0];
  if (malformed > 0) {
    telemetry.meter.count('MalformedHeartbeats', malformed);
    telemetry.log.warn('heartbeats could not be read; they are dropped', { malformed });
  }
  return { heard: [...newest.values()], probes, receipts, isEmpty };
}

/** A heartbeat, the time of a probe, or undefined if it is neither. */
function readMessage({ body, sentAt, sender, receipt }: QueuedHeartbeat): Heartbeat | number | undefined {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return undefined;
  }
  const probe = probeSchema.safeParse(json);
  if (probe.success) return probe.data.probe;
  const parsed = agentReportSchema.safeParse(json);
  if (!parsed.success || parsed.data.kind !== 'heartbeat') return undefined;
  const { agentId, kind, tasks } = parsed.data;
  const report = { agentId, kind, ...(tasks !== undefined && { tasks }) };
  return { id: receipt, sender, sentAt, report };
}
