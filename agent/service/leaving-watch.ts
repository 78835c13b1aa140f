// Watches for notices that this machine will go: a spot interruption (two minutes ahead) or a recommendation to
// rebalance. EventBridge tells the control plane the same; this is the second way, and works without the first.
import * as z from 'zod';
import type { AgentLog } from '../log.ts';
import { repeat } from '../loop/repeat.ts';
import type { InstanceMetadata } from './instance-metadata.ts';

interface Notice {
  readonly reason: string;
  /** When the machine ends, epoch ms; absent for a recommendation. */
  readonly terminatesAt?: number;
}

/** As often as AWS advises. */
const lookMs = 5000;
/** The notice is told again, for a report may get lost. */
const repeatMs = 30_000;

const interruptionSchema = z.object({ action: z.string(), time: z.iso.datetime() });
const recommendationSchema = z.object({ noticeTime: z.iso.datetime() });

/** The notice there is now, the most urgent one. */
async function readNotice(metadata: InstanceMetadata): Promise<Notice | undefined> {
  const interruption = parsed(interruptionSchema, await metadata.get('spot/instance-action'));
  if (interruption) {
    const terminatesAt = Date.parse(interruption.time);
    return { reason: `spot interruption: ${interruption.action} at ${interruption.time}`, terminatesAt };
  }
  const recommended = parsed(recommendationSchema, await metadata.get('events/recommendations/rebalance'));
  return recommended && { reason: `rebalance recommended at ${recommended.noticeTime}` };
}

function parsed<S extends z.ZodType>(schema: S, text: string | undefined): z.infer<S> | undefined {
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

export interface WatchOptions {
  readonly metadata: InstanceMetadata;
  readonly tell: (notice: Notice) => Promise<void>;
  readonly signal: AbortSignal;
  readonly log: AgentLog;
  readonly timings?: { readonly lookMs: number; readonly repeatMs: number };
}

/** Looks until the signal aborts; tells each new notice at once, and the same one now and then. */
export async function watchForLeaving(options: WatchOptions): Promise<void> {
  const { metadata, tell, signal, log } = options;
  const timings = options.timings ?? { lookMs, repeatMs };
  let toldReason: string | undefined;
  let toldAt = 0;
  const loop = repeat('a look for notices', timings.lookMs, signal, log, async () => {
    const notice = await readNotice(metadata);
    if (!notice) return;
    const isOld = notice.reason === toldReason && performance.now() - toldAt < timings.repeatMs;
    if (isOld) return;
    if (notice.reason !== toldReason) log('warn', 'this machine will go', { ...notice });
    await tell(notice);
    toldReason = notice.reason;
    toldAt = performance.now();
  });
  await loop.ended;
}
