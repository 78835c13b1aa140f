// A whole replay: trace, stack, one of the two modes, the raw writes for comparison, the report.

import type { RawWrites } from '../../local/raw-writes.ts';
import { createApiClient } from '../../shared/api/client.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Resources } from '../../shared/model/resources.ts';
import type { Io } from '../io.ts';
import { embeddedSqsEndpoint } from '../local/queues.ts';
import type { Audit } from './audit.ts';
import { type ReplayReport, round } from './report.ts';
import { type ReplayOutcome, type ReplayTarget, replayAtOnce } from './run.ts';
import { replayTimed } from './timed.ts';
import { readNodes, readTasks } from './trace.ts';

/** Written raw first and not counted, so that the first measurement runs as warm as the second. */
const warmUpTasks = 1_000;

export interface ReplayOptions {
  readonly nodesFile: string;
  readonly tasksFile: string;
  /** Follow the trace's times, compressed by this factor; absent = all at once. */
  readonly speedup?: number;
  readonly limit?: number;
  /** Absent = an embedded stack of its own. */
  readonly api?: string | undefined;
  readonly env: Io['env'];
  readonly say: (line: string) => void;
  readonly trace: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface ReplayResult {
  readonly report: ReplayReport & { readonly waitingOverTime?: readonly WaitingSample[] };
  readonly audit: Audit;
  readonly reasons: ReadonlyMap<string, number>;
  readonly raw: { readonly createMs: number; readonly assignMs: number };
}

/** How many submitted tasks had no place at a moment. */
export interface WaitingSample {
  readonly atSecs: number;
  readonly waiting: number;
}

export async function replay(options: ReplayOptions): Promise<ReplayResult> {
  const [nodes, allTasks] = await Promise.all([readNodes(options.nodesFile), readTasks(options.tasksFile)]);
  const tasks = allTasks.slice(0, options.limit ?? allTasks.length);
  options.say(`${nodes.length} nodes, ${tasks.length} tasks`);
  const resources = tasks.map((task): Resources => task.resources);
  options.say('measuring the same writes raw, once before and once after');
  const { measureRawWrites } = await import('../../local/raw-writes.ts');
  await measureRawWrites(resources.slice(0, warmUpTasks));
  const rawBefore = await measureRawWrites(resources);
  const { target, stop } = await openTarget(options);
  let outcome: ReplayOutcome & { readonly waitingOverTime?: readonly WaitingSample[] };
  try {
    const input = { target, nodes, tasks, say: options.say, signal: options.signal };
    outcome =
      options.speedup === undefined
        ? await replayAtOnce(input)
        : await replayTimed({ ...input, speedup: options.speedup });
  } finally {
    await stop();
  }
  const raw = meanOf(rawBefore, await measureRawWrites(resources));
  const { placements, unplaced, audit } = outcome;
  return {
    audit,
    raw,
    reasons: unplaced.reasons,
    report: {
      tasks: tasks.length,
      placed: placements.placed,
      neverFit: unplaced.neverFit,
      waiting: unplaced.waiting,
      allocated: outcome.allocated,
      placementsPerSecond: placements.perSecond,
      engineWritesPerSecond: round(raw.tasksPerSecond, 1),
      ratio: round(placements.perSecond / raw.tasksPerSecond, 3),
      latencyMs: placements.latencyMs,
      writeUnitsPerTask: round(outcome.writeUnitsPerTask ?? 0, 2),
      overCommittedAgents: audit.overCommitted.length,
      ...(outcome.waitingOverTime && { waitingOverTime: outcome.waitingOverTime }),
    },
  };
}

/** Both together, as if they were one run twice as long: the speed of a shared machine drifts over a minute. */
function meanOf(before: RawWrites, after: RawWrites): RawWrites {
  const rate = (run: RawWrites): number => 1 / run.tasksPerSecond;
  return {
    tasksPerSecond: 2 / (rate(before) + rate(after)),
    createMs: (before.createMs + after.createMs) / 2,
    assignMs: (before.assignMs + after.assignMs) / 2,
  };
}

interface OpenTarget {
  readonly target: ReplayTarget;
  readonly stop: () => Promise<void>;
}

async function openTarget(options: ReplayOptions): Promise<OpenTarget> {
  return options.api === undefined ? ownStack(options) : existingStack(options, options.api);
}

async function ownStack({ say, trace }: ReplayOptions): Promise<OpenTarget> {
  const { startLocalStack } = await import('../../local/stack.ts');
  const stack = await startLocalStack({ port: 0, log: trace });
  say(`embedded stack ready in ${stack.startMs.ready ?? 0} ms`);
  return {
    target: {
      client: createApiClient({ baseUrl: stack.apiUrl, timeoutMs: 60_000 }),
      cluster: stack.cluster,
      sqsEndpoint: stack.sqsEndpoint,
      writeUnits: async () => sumWriteUnits(await stack.stats()),
    },
    stop: () => stack.stop(),
  };
}

async function existingStack({ env }: ReplayOptions, api: string): Promise<OpenTarget> {
  const client = createApiClient({ baseUrl: api, timeoutMs: 60_000 });
  const { cluster } = await client.call('version');
  const sqsEndpoint = env.AWS_ENDPOINT_URL_SQS || (await embeddedSqsEndpoint(api));
  if (sqsEndpoint === undefined) {
    throw new BorealisError(
      'INVALID_REQUEST',
      `${api} does not say where its queues are; nothing was submitted. Set AWS_ENDPOINT_URL_SQS to the SQS endpoint of that stack.`,
    );
  }
  return {
    target: {
      client,
      cluster,
      sqsEndpoint,
      writeUnits: async () => {
        const response = await fetch(`${api}/_local/stats`, { signal: AbortSignal.timeout(10_000) });
        return response.ok ? sumWriteUnits((await response.json()) as object) : undefined;
      },
    },
    stop: () => Promise.resolve(),
  };
}

/** Write units of all operations; undefined when the stack doesn't count. */
export function sumWriteUnits(stats: object): number | undefined {
  const capacity: unknown = 'capacity' in stats ? stats.capacity : undefined;
  if (!Array.isArray(capacity) || capacity.length === 0) return undefined;
  return (capacity as { readonly writeUnits: number }[]).reduce((sum, { writeUnits }) => sum + writeUnits, 0);
}
