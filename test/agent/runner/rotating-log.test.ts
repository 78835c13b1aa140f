import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readLog } from '../../../agent/observer/read-log.ts';
import { isRotationDue, RotatingLog, rotationRenames } from '../../../agent/runner/rotating-log.ts';
import { temporaryDir } from '../fakes/agent-fixture.ts';

describe('rotation decisions', () => {
  it.each([
    [10, 9, false],
    [10, 10, true],
    [10, 11, true],
    [0, 1_000_000, false],
  ])('a limit of %i bytes and a size of %i: due %s', (maxBytes, size, due) => {
    expect(isRotationDue({ maxBytes, backups: 1 }, size)).toBe(due);
  });

  it('shifts the oldest first', () => {
    expect(rotationRenames('out', 3)).toEqual([
      ['out.2', 'out.3'],
      ['out.1', 'out.2'],
      ['out', 'out.1'],
    ]);
  });
});

describe('a rotating log', () => {
  it('keeps the newest bytes in the given number of backups', () => {
    const path = join(temporaryDir(), 'out');
    const log = new RotatingLog(path, { maxBytes: 4, backups: 2 });
    for (const text of ['aaaa', 'bbbb', 'cccc', 'dd']) log.write(Buffer.from(text));
    log.close();
    expect(['', '.1', '.2'].map((end) => readFileSync(path + end, 'utf8'))).toEqual(['dd', 'cccc', 'bbbb']);
    expect(existsSync(`${path}.3`)).toBe(false);
  });

  it('is read by steady offsets across rotations, without a gap or a repeat', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ minLength: 1, maxLength: 9 }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 12 }),
        async (texts, maxBytes) => {
          const sandbox = temporaryDir();
          const dir = join(sandbox, '.logs', 'p', '0');
          mkdirSync(dir, { recursive: true });
          const log = new RotatingLog(join(dir, 'stdout'), { maxBytes, backups: 100 });
          const read: Buffer[] = [];
          for (const text of texts) {
            log.write(Buffer.from(text));
            // Two small pieces at most, so the reader falls behind as one over the network does.
            await follow(sandbox, read, 2);
          }
          await follow(sandbox, read, Number.POSITIVE_INFINITY);
          log.close();
          expect(Buffer.concat(read).toString('utf8')).toBe(Buffer.from(texts.join('')).toString('utf8'));
        },
      ),
      { numRuns: 25 },
    );
  });

  it('never writes through a symbolic link', () => {
    const dir = temporaryDir();
    writeFileSync(join(dir, 'precious'), 'x');
    symlinkSync(join(dir, 'precious'), join(dir, 'out'));
    expect(() => new RotatingLog(join(dir, 'out'), { maxBytes: 0, backups: 1 })).toThrow(/ELOOP/);
  });

  it('hands the error of a full disk to its owner', () => {
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    const log = new RotatingLog(join(temporaryDir(), 'out'), { maxBytes: 0, backups: 1 }, () => {
      throw full;
    });
    expect(() => log.write(Buffer.from('x'))).toThrow(full);
    log.close();
  });
});

/** Reads on from where the pieces so far end. */
async function follow(sandbox: string, pieces: Buffer[], most: number): Promise<void> {
  for (let i = 0; i < most; i++) {
    const offset = Buffer.concat(pieces).length;
    const piece = await readLog({ sandbox, process: 'p', stream: 'stdout', offset, length: 5 });
    expect(piece?.offset).toBe(offset);
    if (!piece || piece.bytes.length === 0) return;
    pieces.push(piece.bytes);
  }
}
