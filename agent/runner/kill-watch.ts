// Tells the runner of kill requests: the agent replaces kill.json atomically; a watch makes it quick, a poll makes it
// sure.
import * as fs from 'node:fs';
import type { TaskPaths } from '../runtime/layout.ts';
import type { KillRequest } from '../runtime/spec.ts';

const pollMs = 500;

/** The present request, if any. */
export function readKillRequest(paths: TaskPaths): KillRequest | undefined {
  try {
    return JSON.parse(fs.readFileSync(paths.kill, 'utf8')) as KillRequest;
  } catch {
    return undefined; // none; a rename never shows half a file
  }
}

/** Calls back with the request whenever it changes; returns what stops the watch. */
export function watchKillRequest(paths: TaskPaths, onRequest: (request: KillRequest) => void): () => void {
  let seen: string | undefined;
  const look = () => {
    const request = readKillRequest(paths);
    const text = JSON.stringify(request);
    if (request === undefined || text === seen) return;
    seen = text;
    onRequest(request);
  };
  const timer = setInterval(look, pollMs);
  let watcher: fs.FSWatcher | undefined;
  try {
    watcher = fs.watch(paths.dir, (_event, name) => {
      if (name === 'kill.json') look();
    });
    watcher.on('error', () => {}); // the poll goes on
  } catch {
    // No watches left on this machine: the poll alone.
  }
  look();
  return () => {
    clearInterval(timer);
    watcher?.close();
  };
}
