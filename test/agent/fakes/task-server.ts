// A small HTTP server to be run as a task. In its sandbox it notes requests and signals; GET /health says what the file
// `health` holds (default ok), POST /quitquitquit ends it.
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('./task-server.mjs', import.meta.url));

/** Command line of the server. */
export function serverCommand(port: number): string {
  return `exec '${process.execPath}' '${source}' ${port}`;
}
