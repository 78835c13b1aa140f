// Starts an update, whatever kind of change it is, and follows it if asked.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RouteBody, RouteResponse } from '../../shared/api/routes.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import { countInstances, formatInstances } from '../../shared/model/instance-ranges.ts';
import type { InstanceRange, JobKey } from '../../shared/model/job-key.ts';
import type { UpdateKind } from '../../shared/model/update.ts';
import type { Cli } from '../command.ts';
import type { Session } from '../session.ts';
import { watchUpdate } from './watch.ts';
import { exitOfEnd } from './words.ts';

type Started = RouteResponse<'startUpdate'>;
export type StartBody = RouteBody<'startUpdate'>;

/** What every command that starts an update may be told. */
interface StartWords {
  readonly message?: string | undefined;
  /** Follow it to its end. */
  readonly wait?: true | undefined;
  readonly json?: true | undefined;
}

export interface StartOptions {
  readonly key: JobKey;
  /** `cluster/role/env/name`, for messages. */
  readonly shown: string;
  readonly body: Omit<StartBody, 'message'>;
  readonly words: StartWords;
  readonly timeoutMs: number | undefined;
}

/** How long a change that is still being carried out is waited for before an update is refused. */
const settleMs = 30_000;

/** Starts the update, says what it will do, and sets the exit code of the run if it waits for the end. */
export async function runUpdate(cli: Cli, session: Session, options: StartOptions): Promise<void> {
  const { key, shown, timeoutMs } = options;
  const { message, wait, json } = options.words;
  const body = { ...options.body, ...(message !== undefined && { message }) };
  const started = await startUpdate(session, key, body);
  const { update } = started;
  if (update === null) {
    session.out.say(`${shown}: nothing to do, the job is as asked for already`);
    if (json) session.out.json(started);
    return;
  }
  for (const line of diffLines(started.diff, update.kind)) session.out.say(line);
  if (!wait) {
    session.out.say(`update ${update.updateId} has started; follow it with: borealis update wait ${shown}`);
    if (json) session.out.json(started);
    else session.out.data(update.updateId);
    return;
  }
  if (!json) session.out.data(update.updateId);
  const { updateId } = update;
  const ended = await watchUpdate(session, { key, shown, updateId, timeoutMs });
  if (json) session.out.json({ ...started, update: ended });
  cli.exit(exitOfEnd(ended.status));
}

/** One token for all tries, so that a broken connection cannot start it twice. */
async function startUpdate(session: Session, params: JobKey, body: StartBody): Promise<Started> {
  const idempotencyKey = randomUUID();
  const giveUpAt = performance.now() + settleMs;
  for (;;) {
    try {
      const { signal } = session.io;
      return await session.client.call('startUpdate', { params, body, idempotencyKey, signal });
    } catch (error) {
      if (!isSettling(error) || performance.now() > giveUpAt) throw error;
      session.out.trace('the last change of the job is still being carried out; trying again');
      await sleep(500, undefined, { signal: session.io.signal });
    }
  }
}

/** Refused only because an earlier change of the job has not been carried out yet. */
function isSettling(error: unknown): boolean {
  return error instanceof BorealisError && error.code === 'CONFLICT' && 'reconciledVersion' in error.details;
}

/** What an update does, one line for each kind of instance (spec/updates.md section 13). */
export function diffLines(diff: Started['diff'], kind: UpdateKind = 'replace'): string[] {
  const kinds: readonly [string, readonly InstanceRange[]][] = [
    ['add', diff.add],
    [kind === 'restart' ? 'restart' : 'update', diff.update],
    ['remove', diff.remove],
    ['not change', diff.unchanged],
  ];
  const lines = kinds
    .filter(([, ranges]) => ranges.length > 0)
    .map(([verb, ranges]) => `  ${verb} ${countInstances(ranges)}: instances ${formatInstances(ranges)}`);
  return ['This update will:', ...lines];
}
