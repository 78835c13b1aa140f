// Reports of agents: registrations and task status (heartbeats go to a queue of their own). Statuses of a batch are put
// through the task machine in order and written as one conditional change per task; only an answer that changes nothing (a kill of a task nobody
// knows) is sent from here, every other effect comes from the stream.
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { checkIdentity } from '../../shared/domain/agent/identity.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Clock } from '../../shared/lib/ports.ts';
import { lateAfterMs } from '../../shared/model/passage.ts';
import {
  type AgentReport,
  agentReportSchema,
  maxOfferBytes,
  maxReportBytes,
} from '../../shared/model/protocol.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { Store } from '../../shared/store/port.ts';
import type { Lateness } from '../lateness.ts';
import { parseBody } from '../queue-batch.ts';
import { applyStatuses, type ReportedStatus, type StatusDeps } from './apply-statuses.ts';
import { believed, refuse, type SenderDeps, type Signed } from './check-senders.ts';
import { type LeavingDeps, noteLeaving } from './leaving.ts';
import { delaysOf, notePassed, type Probe, readProbe } from './passage.ts';

export interface AgentEventsDeps extends StatusDeps, SenderDeps {
  readonly store: StatusDeps['store'] &
    SenderDeps['store'] &
    LeavingDeps['store'] &
    Pick<Store, 'registerAgent' | 'notePassage'>;
  readonly clock: Clock;
  readonly lateness: Lateness;
}

const agentsAtOnce = 16;

interface Received extends Signed {
  readonly report: AgentReport;
  /** When the queue took it, epoch ms. */
  readonly sentAt: number;
}
type Of<K extends AgentReport['kind']> = Received & { readonly report: Extract<AgentReport, { kind: K }> };

/** One batch. A message that cannot be read fails alone and ends in the dead-letter queue. */
export async function processReports(event: SQSEvent, deps: AgentEventsDeps): Promise<SQSBatchResponse> {
  const failed = new Set<string>();
  const registers: Of<'register'>[] = [];
  const others: Received[] = [];
  const probes: Probe[] = [];
  for (const record of event.Records) {
    const id = record.messageId;
    const probe = readProbe(record);
    if (probe) {
      probes.push(probe);
      continue;
    }
    const report = readReport(record, deps);
    if (!report) {
      failed.add(id);
      continue;
    }
    const sender = record.attributes?.SenderId;
    const sentAt = Number(record.attributes?.SentTimestamp ?? report.sentAt);
    if (report.kind === 'register') registers.push({ id, sender, report, sentAt });
    else others.push({ id, sender, report, sentAt });
  }
  // Registrations first: what else they brought may be of an agent that was not known before.
  await register(registers, failed, deps);
  const leavings: Of<'leaving'>[] = [];
  const statuses: ReportedStatus[] = [];
  for (const { report, ...signed } of await believed(others, failed, deps)) {
    const { id } = signed;
    if (report.kind === 'leaving') leavings.push({ ...signed, report });
    else if (report.kind === 'status') {
      const { agentId } = report;
      statuses.push(...report.statuses.map((status) => ({ messageId: id, agentId, status })));
    }
  }
  const delays = delaysOf(event, statuses, deps.clock());
  if (delays.first > lateAfterMs) await deps.lateness('reports', delays.first);
  const [isTaken] = await Promise.all([applyStatuses(statuses, failed, deps), leave(leavings, failed, deps)]);
  // Those that come again and again are not late before they are taken: they may be of a row that cannot be read.
  const retried = delays.retried.filter((id) => !failed.has(id));
  if (!isTaken || retried.length > 0) await deps.lateness('reports');
  await notePassed(probes, failed, deps);
  return { batchItemFailures: [...failed].map((itemIdentifier) => ({ itemIdentifier })) };
}

function checkBytes(what: string, text: string, maxBytes: number): void {
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return;
  throw new BorealisError('BODY_TOO_LARGE', `the ${what} has ${bytes} bytes, at most ${maxBytes} are taken`);
}

function readReport(record: SQSEvent['Records'][number], deps: AgentEventsDeps): AgentReport | undefined {
  try {
    checkBytes('report', record.body, maxReportBytes);
    const report = parseBody(agentReportSchema, record);
    if (report.kind === 'register') checkBytes('offer', JSON.stringify(report.offer), maxOfferBytes);
    if (report.kind !== 'register' || report.offer.agentId === report.agentId) return report;
    deps.log.error('an agent registers the offer of another; the message ends in the dead-letter queue', {
      agentId: report.agentId,
      offered: report.offer.agentId,
    });
  } catch (error) {
    deps.log.error('an agent report cannot be read; it ends in the dead-letter queue', {
      messageId: record.messageId,
      error,
    });
  }
  deps.meter.count('MalformedReports', 1);
  return undefined;
}

async function register(
  registers: readonly Of<'register'>[],
  failed: Set<string>,
  deps: AgentEventsDeps,
): Promise<void> {
  // The newest of one agent and sender decides; queues may deliver out of order.
  const senders = [...Map.groupBy(registers, ({ sender }) => sender).values()];
  const newest = senders.flatMap((ofSender) => [...latest(ofSender).values()]);
  await mapLimit(newest, agentsAtOnce, async (received) => {
    const { report, sender, sentAt } = received;
    const { offer, sessionId, agentId } = report;
    const { identity: mode } = deps;
    // Whether it has another owner is for the store to say, in the same write.
    const verdict = checkIdentity({ agentId, caller: sender, owner: undefined, mode });
    if (verdict.kind === 'refused') return refuse([received], verdict.why, deps);
    await guarded(registers, agentId, failed, deps, async () => {
      const principal = mode === 'none' ? undefined : sender;
      const outcome = await deps.store.registerAgent(offer, sessionId, sentAt, principal);
      if (outcome.kind === 'foreign') {
        const judged = checkIdentity({ agentId, caller: sender, owner: outcome.owner, mode });
        return refuse([received], judged.kind === 'refused' ? judged.why : 'it has another owner', deps);
      }
      if (outcome.kind === 'superseded') return refuseSecond(report, deps);
      deps.log.info('agent registered', { agentId, pool: offer.pool, kind: outcome.kind });
    });
  });
}

function refuseSecond({ agentId, offer }: Of<'register'>['report'], { log, meter }: AgentEventsDeps): void {
  meter.count('DuplicateAgents', 1);
  // The alarm on foreign reports covers it.
  meter.count('ForeignReports', 1);
  log.error('two machines use one agent id; the one that came first is refused. Give each its own id', {
    agentId,
    host: offer.host,
  });
}

async function leave(
  leavings: readonly Of<'leaving'>[],
  failed: Set<string>,
  deps: AgentEventsDeps,
): Promise<void> {
  await mapLimit([...latest(leavings).values()], agentsAtOnce, async ({ report }) => {
    await guarded(leavings, report.agentId, failed, deps, () => noteLeaving(report.agentId, report, deps));
  });
}

/** The newest of each agent decides; queues may deliver out of order. */
function latest<T extends Received>(messages: readonly T[]): Map<string, T> {
  const newest = new Map<string, T>();
  for (const message of messages) {
    const { agentId } = message.report;
    const known = newest.get(agentId);
    if (!known || known.sentAt <= message.sentAt) newest.set(agentId, message);
  }
  return newest;
}

/** Runs the work of one agent; if it throws, every message of that agent comes again. */
async function guarded(
  messages: readonly Received[],
  agentId: string,
  failed: Set<string>,
  deps: AgentEventsDeps,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    for (const { id, report } of messages) if (report.agentId === agentId) failed.add(id);
    deps.log.error(`a report of agent ${agentId} could not be written; it comes again`, { agentId, error });
  }
}
