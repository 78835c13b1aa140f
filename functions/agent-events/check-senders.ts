// Whether the sender of a report is the agent it speaks for. SQS says who sent a message (SenderId), the agent's row says
// who owns the id. The owner is remembered for some minutes while the process is warm, so a heartbeat costs no read.
import { checkIdentity, type IdentityMode } from '../../shared/domain/agent/identity.ts';
import type { Clock } from '../../shared/lib/ports.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { Store } from '../../shared/store/port.ts';
import type { Log, MetricPort } from '../ports.ts';

/** For so long an identity that lost its agent id (`agent rebind`) may still be believed. */
export const ownerMemoryMs = 5 * 60_000;
const agentsAtOnce = 16;

/** Owners of agent ids as read last, by agent id. */
export type OwnerMemory = Map<string, { readonly owner: string | undefined; readonly readAt: number }>;

export interface SenderDeps {
  readonly store: Pick<Store, 'getAgent'>;
  readonly identity: IdentityMode;
  readonly owners: OwnerMemory;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: MetricPort;
}

/** A report as far as this check is concerned. */
export interface Signed {
  /** The queue message it came in. */
  readonly id: string;
  /** Unique id of its sender; undefined if the queue did not say. */
  readonly sender: string | undefined;
  readonly report: { readonly agentId: string; readonly kind: string };
}

/**
 * The reports that are to be believed; the others are dropped, counted and logged. What can't be decided because the
 * store fails is added to `failed` and comes again.
 */
export async function believed<T extends Signed>(
  reports: readonly T[],
  failed: Set<string>,
  deps: SenderDeps,
): Promise<T[]> {
  if (deps.identity === 'none') return [...reports];
  const groups = [...Map.groupBy(reports, ({ report, sender }) => JSON.stringify([report.agentId, sender]))];
  const kept = await mapLimit(groups, agentsAtOnce, async ([, group]) => {
    const [{ report, sender }] = group as [T, ...T[]];
    try {
      const why = await whyRefused(report.agentId, sender, deps);
      if (why === undefined) return group;
      refuse(group, why, deps);
    } catch (error) {
      for (const { id } of group) failed.add(id);
      deps.log.error(`the owner of agent ${report.agentId} could not be read; its reports come again`, {
        error,
      });
    }
    return [];
  });
  return kept.flat();
}

/** Counts and logs reports that are not believed. */
export function refuse(reports: readonly Signed[], why: string, { log, meter }: SenderDeps): void {
  meter.count('ForeignReports', reports.length);
  const [first] = reports;
  log.warn('a report in the name of an agent was not sent by it; it is dropped', {
    agentId: first?.report.agentId,
    kinds: [...new Set(reports.map(({ report }) => report.kind))],
    sender: first?.sender,
    why,
  });
}

async function whyRefused(
  agentId: string,
  caller: string | undefined,
  deps: SenderDeps,
): Promise<string | undefined> {
  const { identity: mode } = deps;
  const remembered = deps.owners.get(agentId);
  const fresh = remembered !== undefined && deps.clock() - remembered.readAt < ownerMemoryMs;
  if (fresh && checkIdentity({ agentId, caller, owner: remembered.owner, mode }).kind === 'own')
    return undefined;
  const entry = await deps.store.getAgent(agentId);
  const owner = entry?.agent.principal;
  if (owner !== undefined) deps.owners.set(agentId, { owner, readAt: deps.clock() });
  const verdict = checkIdentity({ agentId, caller, owner, mode });
  if (verdict.kind === 'refused') return verdict.why;
  // An agent that nobody registered has no tasks and nothing to say; it registers when it asks for its level.
  return entry === undefined ? `there is no agent ${agentId}; it has to register first` : undefined;
}
