// What the API says of the installation, and what stands behind it.
import * as z from 'zod';
import { isBorealisError } from '../../shared/lib/errors.ts';
import { listAllAgents } from '../client/read.ts';
import type { Session } from '../session.ts';
import type { AgentFacts, ApiFacts, EmbeddedFacts, Found } from './facts.ts';

const timeoutMs = 10_000;

/** Version, store and clock. */
export function gatherApi(session: Session, clock: () => number): Promise<Found<ApiFacts>> {
  return attempt(session, async () => {
    const { version, cluster } = await session.client.call('version', { signal: session.io.signal });
    const health = await session.client.call('health', { signal: session.io.signal });
    return { version, cluster, storeOk: health.ok, skewMs: await measureSkew(session, clock) };
  });
}

/** By the date in the head of an answer, which is of the second; half the way of the request is taken off. */
async function measureSkew(session: Session, clock: () => number): Promise<number | undefined> {
  const sentAt = clock();
  const response = await session.fetch(`${session.address.url}/version`, {
    signal: AbortSignal.timeout(timeoutMs),
  });
  const receivedAt = clock();
  await response.body?.cancel();
  const date = Date.parse(response.headers.get('date') ?? '');
  if (Number.isNaN(date)) return undefined;
  // Somewhere within that second: its middle is wrong by half a second at most.
  return (sentAt + receivedAt) / 2 - (date + 500);
}

export function gatherAgents(session: Session): Promise<Found<readonly AgentFacts[]>> {
  return attempt(session, async () => {
    const agents = await listAllAgents(session.client, { signal: session.io.signal });
    return agents.map(({ agentId, version, lastSeenAt, tasks }) => ({
      agentId,
      version,
      lastSeenAt: lastSeenAt === null ? undefined : Date.parse(lastSeenAt),
      tasks: tasks.length,
    }));
  });
}

async function attempt<T>(session: Session, ask: () => Promise<T>): Promise<Found<T>> {
  try {
    return { found: await ask() };
  } catch (error) {
    if (session.io.signal.aborted) throw error;
    const why = error instanceof Error ? error.message : String(error);
    return { failure: isBorealisError(error, 'FORBIDDEN') ? 'denied' : 'failed', why };
  }
}

const statsSchema = z.object({
  functions: z.record(
    z.string(),
    z.object({ invocations: z.number(), errors: z.number(), timeouts: z.number() }),
  ),
  streams: z.record(z.string(), z.object({ outstanding: z.number() })),
  queues: z.record(z.string(), z.object({ visible: z.number(), inFlight: z.number() })),
});

/** What an embedded stack says of itself; undefined if it isn't one. */
export async function gatherEmbedded(session: Session, cluster: string): Promise<EmbeddedFacts | undefined> {
  const response = await fetch(`${session.address.url}/_local/stats`, {
    signal: AbortSignal.timeout(timeoutMs),
  }).catch(() => undefined);
  const parsed = statsSchema.safeParse(await response?.json().catch(() => undefined));
  if (!parsed.success) return undefined;
  const { functions, streams, queues } = parsed.data;
  const ofAgents = `borealis-${cluster}-agent-`;
  return {
    cluster,
    queues: Object.entries(queues)
      .filter(([name]) => !name.startsWith(ofAgents))
      .map(([name, { visible, inFlight }]) => ({ name, visible, inFlight })),
    functions: Object.entries(functions).map(([name, { invocations, errors, timeouts }]) => ({
      name,
      invocations,
      errors: errors + timeouts,
    })),
    outstanding: Object.values(streams).reduce((sum, { outstanding }) => sum + outstanding, 0),
  };
}
