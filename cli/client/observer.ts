// Reads logs from an agent's log server (agent/observer/observer.ts).
import { BorealisError } from '../../shared/lib/errors.ts';

export interface LogQuery {
  readonly taskId: string;
  readonly process: string;
  readonly stream: 'stdout' | 'stderr';
  /** From the log's first byte; negative counts from its end. */
  readonly offset: number;
  /** Absent = the last run. */
  readonly run?: number | undefined;
  readonly signal: AbortSignal;
}

export interface LogPiece {
  readonly run: number;
  readonly bytes: Uint8Array;
  readonly nextOffset: number;
  /** The task had ended before this piece was read. */
  readonly taskEnded: boolean;
}

/** The next piece of a log; undefined if the process has written none yet. UNAVAILABLE if the agent isn't reached. */
export async function readLogPiece(observerUrl: string, query: LogQuery): Promise<LogPiece | undefined> {
  const { taskId, process, stream, offset, run } = query;
  const parameters = new URLSearchParams({
    offset: String(offset),
    ...(run !== undefined && { run: String(run) }),
  });
  const path = `/tasks/${encodeURIComponent(taskId)}/logs/${encodeURIComponent(process)}/${stream}`;
  const url = `${observerUrl}${path}?${parameters.toString()}`;
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.any([query.signal, AbortSignal.timeout(15_000)]) });
  } catch (cause) {
    if (query.signal.aborted) throw cause;
    throw new BorealisError(
      'UNAVAILABLE',
      `the agent's log server at ${observerUrl} is not reachable from here. Run this on the agent's machine, or start the agent with --observer-host.`,
      { cause },
    );
  }
  if (response.status === 404) return missing(await detailOf(response));
  if (response.status === 403) throw new BorealisError('FORBIDDEN', `${await detailOf(response)}.`);
  if (!response.ok) {
    throw new BorealisError(
      'UNAVAILABLE',
      `${url} was answered ${response.status}: ${await response.text()}`,
    );
  }
  return {
    run: numberOf(response, 'borealis-log-run'),
    bytes: new Uint8Array(await response.arrayBuffer()),
    nextOffset: numberOf(response, 'borealis-log-next-offset'),
    taskEnded: response.headers.get('borealis-task-ended') === 'true',
  };
}

/** A process that has not started has no log yet; a task whose files are gone never will have. */
function missing(detail: string): undefined {
  if (/no such log yet|no process .* with logs/.test(detail)) return undefined;
  throw new BorealisError('NOT_FOUND', `${detail}.`);
}

/** The words of a problem document; general ones if it is none. */
async function detailOf(response: Response): Promise<string> {
  try {
    const { detail } = (await response.json()) as { detail?: string };
    if (detail !== undefined) return detail;
  } catch {
    // Not a problem document.
  }
  return `the agent's log server answered ${response.status}`;
}

function numberOf(response: Response, header: string): number {
  return Number(response.headers.get(header) ?? 0);
}
