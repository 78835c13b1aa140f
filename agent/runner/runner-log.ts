// The runner's own log, for who must find out why a runner failed.
import { writeSync } from 'node:fs';

/** Writes a line to the runner's log; a full disk must not end the runner. */
export function log(text: string): void {
  try {
    writeSync(2, `${new Date().toISOString()} ${text}\n`);
  } catch {
    // nowhere to say it
  }
}
