// The event source mapping of a stream: reads on, keeps the lanes fed, remembers how far it is. It looks quickly while
// functions run (only they write) and rarely while nothing happens.
import type { EngineClient } from '../engines/aws-json.ts';
import type { StreamMappingPlan } from '../template/plan.ts';
import { Alarm, pause } from './backoff.ts';
import type { CheckpointFile } from './checkpoint-file.ts';
import type { Invoker } from './invoker.ts';
import type { Poller } from './queue-poller.ts';
import { deliver } from './stream-delivery.ts';
import { StreamLanes } from './stream-lanes.ts';
import { StreamReader } from './stream-reader.ts';

export interface StreamPollerOptions {
  readonly mapping: StreamMappingPlan;
  readonly streams: EngineClient;
  readonly sqs: EngineClient;
  readonly invoker: Pick<Invoker, 'invoke' | 'inFlight' | 'onSettled'>;
  readonly checkpoint: CheckpointFile;
  readonly region: string;
  readonly log: (line: string) => void;
}

export interface StreamPoller extends Poller {
  stats(): { readonly records: number; readonly outstanding: number };
}

/** Reading between the batches costs the engine; more often than this it is not asked. */
const minGapMs = 10;
const busyPollMs = 15;
const idlePollMs = 150;
const engineRetryMs = 200;
/** Read this far ahead of the slowest lane. */
const maxOutstanding = 2_000;
/** More lanes only make smaller batches on the one thread here; Lambda would use what the template says. */
const maxLanes = 1;

/** Starts to consume one stream. */
export function startStreamPoller(options: StreamPollerOptions): StreamPoller {
  const { mapping, checkpoint, invoker, log } = options;
  const stopping = new AbortController();
  const reader = new StreamReader({ ...options, ...mapping }, checkpoint.load());
  const lanes = new StreamLanes({
    lanes: Math.min(maxLanes, Math.max(1, mapping.parallelization)),
    batchSize: mapping.batchSize,
    deliver: (records) =>
      deliver({ ...options, shardId: reader.shardId, stopping: stopping.signal, wait: pause }, records),
    onCheckpoint: (sequenceNumber) => checkpoint.save({ shardId: reader.shardId, sequenceNumber }),
  });
  const alarm = new Alarm();
  const aborted = new Promise<void>((resolve) => {
    stopping.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  invoker.onSettled(() => alarm.ring());
  let records = 0;
  const loop = async (): Promise<void> => {
    let waitMs = busyPollMs;
    while (!stopping.signal.aborted) {
      const batch = await reader.read().catch(async (error: Error) => {
        log(`stream of ${mapping.tableName}: ${error.message}`);
        await pause(engineRetryMs, stopping.signal);
        return [];
      });
      records += batch.length;
      if (batch.length > 0) {
        lanes.push(batch);
        waitMs = minGapMs;
        await Promise.race([lanes.below(maxOutstanding), aborted]);
      } else {
        waitMs = invoker.inFlight() > 0 ? busyPollMs : Math.min(idlePollMs, waitMs * 1.5);
      }
      await pause(minGapMs, stopping.signal);
      if (!stopping.signal.aborted) await alarm.wait(waitMs - minGapMs);
    }
    await lanes.settled();
  };
  const done = loop();
  return {
    stats: () => ({ records, outstanding: lanes.outstanding }),
    async stop() {
      stopping.abort();
      alarm.ring();
      await done;
      checkpoint.flush();
    },
  };
}
