// Calls on the update of a job: its active one unless an id is given.
import type { Command } from '@commander-js/extra-typings';
import type { RouteResponse } from '../../shared/api/routes.ts';
import type { Cli } from '../command.ts';
import { formatKey, parseDurationMs, parseWholeJob } from '../keys.ts';
import type { Session } from '../session.ts';
import { watchUpdate } from './watch.ts';
import { exitOfEnd } from './words.ts';

export type Called = RouteResponse<'pauseUpdate'>;
export type CallParams = {
  readonly role: string;
  readonly environment: string;
  readonly name: string;
  readonly updateId: string;
};

interface CallOptions {
  readonly wait?: true | undefined;
  readonly timeout?: string | undefined;
  readonly json?: true | undefined;
}

/** `KEY [ID]` as the arguments of a command that changes an update. */
export function withUpdateArguments(command: Command) {
  return command
    .argument('<key>', 'cluster/role/environment/name')
    .argument('[update-id]', 'default the active update');
}

/** Makes the call, says what has become of the update, and follows it if asked. */
export async function runCall(
  cli: Cli,
  session: Session,
  given: { readonly key: string; readonly updateId: string | undefined; readonly options: CallOptions },
  call: (params: CallParams) => Promise<Called>,
): Promise<void> {
  const target = parseWholeJob(given.key);
  const { wait, json } = given.options;
  const timeoutMs = given.options.timeout === undefined ? undefined : parseDurationMs(given.options.timeout);
  await session.checkCluster(target.cluster);
  const { key } = target;
  const called = await call({ ...key, updateId: given.updateId ?? 'active' });
  const shown = formatKey(target.cluster, key);
  session.out.say(`${shown}: ${called.message}`);
  if (!wait) {
    if (json) session.out.json(called.update);
    return;
  }
  const { updateId } = called.update;
  const ended = await watchUpdate(session, { key, shown, updateId, timeoutMs });
  if (json) session.out.json(ended);
  cli.exit(exitOfEnd(ended.status));
}
