// Remembers how far a stream was consumed, so that a restart continues there. Written at most a few times a second:
// records after the last write come a second time, which every consumer must bear anyway.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';
import type { Checkpoint } from './stream-reader.ts';

const schema = z.object({ shardId: z.string(), sequenceNumber: z.string() });
const writeEveryMs = 250;

export interface CheckpointFile {
  /** Undefined when there is none, or none that can be read. */
  load(): Checkpoint | undefined;
  save(checkpoint: Checkpoint): void;
  /** Writes what is not written yet. */
  flush(): void;
}

/** A checkpoint kept in a file, or nowhere when `file` is undefined. */
export function checkpointFile(file: string | undefined): CheckpointFile {
  if (file === undefined) return { load: () => undefined, save: () => undefined, flush: () => undefined };
  let latest: Checkpoint | undefined;
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (!latest) return;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.new`, JSON.stringify(latest));
    renameSync(`${file}.new`, file);
    latest = undefined;
  };
  return {
    load: () => read(file),
    save(checkpoint) {
      latest = checkpoint;
      timer ??= setTimeout(flush, writeEveryMs);
    },
    flush,
  };
}

function read(file: string): Checkpoint | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // None yet, or torn by a crash: from the oldest record on is slower and just as right.
    return undefined;
  }
}
