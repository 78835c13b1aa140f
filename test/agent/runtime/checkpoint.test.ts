import { appendFileSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  CheckpointWriter,
  parseRecords,
  readCheckpoint,
  reserveBallast,
} from '../../../agent/runtime/checkpoint.ts';
import { fileNameFor } from '../../../agent/runtime/layout.ts';
import { temporaryDir } from '../fakes/agent-fixture.ts';
import { canMount, smallDisk } from '../fakes/small-disk.ts';

const running = { t: 'task', at: 1, state: 'RUNNING' } as const;
const lost = { t: 'task', at: 2, state: 'LOST' } as const;

describe('the checkpoint stream', () => {
  it('leaves a line that is not whole for later', () => {
    const line = Buffer.from(`${JSON.stringify(running)}\n`);
    const torn = Buffer.concat([line, line.subarray(0, 10)]);
    expect(parseRecords(torn)).toEqual({ records: [running], used: line.length });
  });

  it('goes on in a new line after a line torn by a crash', () => {
    const path = join(temporaryDir(), 'checkpoint');
    const write = () => new CheckpointWriter(path, `${path}.ballast`, () => {});
    write().append(running);
    appendFileSync(path, '{"t":"task","at":9,"st');
    write().append(lost, true);
    expect(readCheckpoint(path)).toEqual([running, lost]);
    expect(readFileSync(path, 'utf8').endsWith('\n')).toBe(true);
  });

  it.runIf(canMount)('records an end on a full disk, and says once that it is full', () => {
    const dir = smallDisk(1);
    const path = join(dir, 'checkpoint');
    reserveBallast(`${path}.ballast`);
    let warnings = 0;
    const writer = new CheckpointWriter(path, `${path}.ballast`, () => warnings++);
    writer.append(running);
    fill(join(dir, 'filler'));
    const long = { ...lost, message: 'm'.repeat(20_000) };
    writer.append(long, true);
    writer.append(lost, true);
    expect(readCheckpoint(path)).toEqual([running, long, lost]);
    expect(warnings).toBe(1);
  });

  it.runIf(canMount)('keeps what it could not write until there is room', () => {
    const dir = smallDisk(1);
    const path = join(dir, 'checkpoint');
    const writer = new CheckpointWriter(path, `${path}.ballast`, () => {});
    fill(join(dir, 'filler'));
    writer.append({ ...lost, message: 'm'.repeat(20_000) });
    expect(writer.flush()).toBe(false);
    rmSync(join(dir, 'filler'));
    expect(writer.flush()).toBe(true);
    expect(readCheckpoint(path)).toHaveLength(1);
  });

  it('is empty where there is none', () => {
    expect(readCheckpoint(join(temporaryDir(), 'none'))).toEqual([]);
  });
});

describe('file names', () => {
  it('keeps names that fit and shortens others without mixing them up', () => {
    expect(fileNameFor('a~b~c~0~1~x')).toBe('a~b~c~0~1~x');
    const [one, two] = [`${'ü'.repeat(300)}1`, `${'ü'.repeat(300)}2`].map(fileNameFor) as [string, string];
    expect(one).not.toBe(two);
    expect(Buffer.byteLength(one)).toBeLessThan(255);
    expect(one).toMatch(/^[\w.~-]+$/);
  });
});

/** Writes until nothing more fits. */
function fill(path: string): void {
  try {
    for (;;) appendFileSync(path, Buffer.alloc(4096, 1));
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
  }
}
