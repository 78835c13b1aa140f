// A small read-only HTTP server on the agent, for `borealis task logs` (in place of Aurora's observer,
// spec/executor.md section 12). Its address is the agent's attribute `observer`.
//
//   GET /tasks                                       tasks with a folder on this agent
//   GET /tasks/{taskId}                              one of them with its processes
//   GET /tasks/{taskId}/logs/{process}/{stream}?offset&length&run
//       bytes of stdout or stderr; the headers name the run, where the bytes begin and end, and whether the task ended
//
// There is no password: processes of this machine are known by their user (readers.ts), other machines by the network.
import { realpath } from 'node:fs/promises';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BorealisError, isBorealisError } from '../../shared/lib/errors.ts';
import { readCheckpoint } from '../runtime/checkpoint.ts';
import { processLogDir } from '../runtime/layout.ts';
import type { LocalTask } from '../tasks/local-task.ts';
import { readLog } from './read-log.ts';
import type { FindReader, Reader } from './readers.ts';

/** Most bytes of a log in one answer. */
const maxLogBytes = 1024 * 1024;

export interface ObservedTasks {
  readonly all: () => readonly LocalTask[];
  readonly find: (taskId: string) => LocalTask | undefined;
}

export interface Observer {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts the server; port 0 takes a free one. */
export async function startObserver(
  tasks: ObservedTasks,
  {
    host,
    port,
    findReader,
  }: { readonly host: string; readonly port: number; readonly findReader: FindReader },
): Promise<Observer> {
  const isLoopback = host === '127.0.0.1' || host === 'localhost' || host === '::1';
  const server = createServer((request, response) => {
    void answer({ ...tasks, findReader }, isLoopback, request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
  server.unref();
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    close: () => closeServer(server),
  };
}

interface Served extends ObservedTasks {
  readonly findReader: FindReader;
}

async function answer(
  served: Served,
  isLoopback: boolean,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    if (isLoopback) refuseForeignHost(request);
    if (request.method !== 'GET') throw new BorealisError('METHOD_NOT_ALLOWED', 'the observer only reads');
    const reader = await served.findReader(request.socket);
    await route(served, reader, new URL(request.url ?? '/', 'http://observer'), response);
  } catch (error) {
    const problem = isBorealisError(error) ? error : new BorealisError('INTERNAL', String(error));
    response.writeHead(problem.status, { 'content-type': 'application/problem+json' });
    response.end(JSON.stringify({ code: problem.code, detail: problem.message, status: problem.status }));
  }
}

/** A web page that made its own name point here must not read logs: only names of this machine are served. */
function refuseForeignHost(request: IncomingMessage): void {
  const name = (request.headers.host ?? '').replace(/:\d+$/, '');
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(name)) {
    throw new BorealisError('FORBIDDEN', `this observer answers on this machine only, not as ${name}`);
  }
}

async function route(
  tasks: ObservedTasks,
  reader: Reader,
  url: URL,
  response: ServerResponse,
): Promise<void> {
  const [root, taskId, logs, process, stream, ...rest] = url.pathname.slice(1).split('/').map(decode);
  if (root !== 'tasks' || rest.length > 0)
    throw new BorealisError('ROUTE_NOT_FOUND', `no such page: ${url.pathname}`);
  if (taskId === undefined) return sendJson(response, { tasks: await summaries(tasks.all(), reader) });
  const task = tasks.find(taskId);
  // Said before whether there is such a task, which is not theirs to know.
  if (reader.restriction !== undefined && !(task && (await reader.may(task)))) {
    throw new BorealisError('FORBIDDEN', `${reader.restriction}; this is none of them`);
  }
  if (!task) {
    throw new BorealisError(
      'NOT_FOUND',
      `this agent has no files of task ${taskId}; they are removed some time after its end`,
    );
  }
  if (logs === undefined) return sendJson(response, detailOf(task));
  if (logs === 'logs' && process !== undefined && (stream === 'stdout' || stream === 'stderr')) {
    return sendLog(response, task, process, stream, url.searchParams);
  }
  throw new BorealisError('ROUTE_NOT_FOUND', `no such page: ${url.pathname}`);
}

async function sendLog(
  response: ServerResponse,
  task: LocalTask,
  process: string,
  stream: 'stdout' | 'stderr',
  query: URLSearchParams,
): Promise<void> {
  await refuseEscape(task, process);
  const run = numberOf(query, 'run', undefined);
  // Asked before the read: if the task had ended by then, an empty piece means that nothing more will come.
  const hasEnded = task.final !== undefined;
  const piece = await readLog({
    sandbox: task.paths.sandbox,
    process,
    stream,
    ...(run === undefined ? {} : { run }),
    offset: numberOf(query, 'offset', 0),
    length: Math.min(maxLogBytes, numberOf(query, 'length', maxLogBytes)),
  });
  if (!piece) throw new BorealisError('NOT_FOUND', `process ${process} of the task has no such log yet`);
  response.writeHead(200, {
    'content-type': 'text/plain; charset=utf-8',
    'borealis-log-run': String(piece.run),
    'borealis-log-offset': String(piece.offset),
    'borealis-log-next-offset': String(piece.offset + piece.bytes.length),
    'borealis-task-ended': String(hasEnded),
  });
  response.end(piece.bytes);
}

/** Only logs: neither the name of a process nor links in the sandbox lead elsewhere. */
async function refuseEscape(task: LocalTask, process: string): Promise<void> {
  const missing = new BorealisError('NOT_FOUND', `the task has no process ${process} with logs`);
  if (!/^[^./~][^/\0]{0,127}$/.test(process)) throw missing;
  const dir = processLogDir(task.paths.sandbox, process);
  const [real, sandbox] = await Promise.all([realpath(dir), realpath(task.paths.sandbox)]).catch(() => {
    throw missing;
  });
  if (real !== sandbox + dir.slice(task.paths.sandbox.length)) throw missing;
}

async function summaries(tasks: readonly LocalTask[], reader: Reader) {
  const readable = await Promise.all(tasks.map(async (task) => ((await reader.may(task)) ? [task] : [])));
  return readable.flat().map(summaryOf);
}

function summaryOf(task: LocalTask) {
  return { taskId: task.taskId, launchedAt: task.launchedAt, final: task.final ?? null };
}

function detailOf(task: LocalTask) {
  return { ...summaryOf(task), records: readCheckpoint(task.paths.checkpoint) };
}

function numberOf<T>(query: URLSearchParams, name: string, otherwise: T): number | T {
  const text = query.get(name);
  if (text === null) return otherwise;
  const value = Number(text);
  const isGood = text !== '' && Number.isSafeInteger(value) && (value >= 0 || name === 'offset');
  if (!isGood) throw new BorealisError('INVALID_REQUEST', `${name} must be a whole number, not ${text}`);
  return value;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new BorealisError('INVALID_REQUEST', `${part} is not a part of a URL`);
  }
}

function sendJson(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
