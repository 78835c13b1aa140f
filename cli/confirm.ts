// Typed confirmation of what cannot be undone. Without a terminal nothing is asked: a script means what it says.
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { Io } from './io.ts';

/** True without a terminal, or when the person types `name`. */
export async function confirmByName(io: Io, what: string, name: string): Promise<boolean> {
  if (io.stdin.isTTY !== true || io.stderr.isTTY !== true) return true;
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      io.stderr.write(chunk.toString());
      done();
    },
  });
  const lines = createInterface({ input: io.stdin, output });
  try {
    const answer = await lines.question(`This will ${what}. Type ${name} to go on: `, { signal: io.signal });
    return answer.trim() === name;
  } finally {
    lines.close();
  }
}
