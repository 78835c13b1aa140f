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
  if (response.status === 404) return missing(await response.text());
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
function missing(body: string): undefined {
  if (/no such log yet|no process .* with logs/.test(body)) return undefined;
  let detail = 'the agent has no files of this task';
  try {
    detail = (JSON.parse(body) as { detail?: string }).detail ?? detail;
  } catch {
    // Not a problem document; the general words will do.
  }
  throw new BorealisError('NOT_FOUND', `${detail}.`);
}

function numberOf(response: Response, header: string): number {
  return Number(response.headers.get(header) ?? 0);
}
