// Calls on the update of a job: its active one unless an id is given.
import type { Command, OptionValues } from '@commander-js/extra-typings';
import type { RouteResponse } from '../../shared/api/routes.ts';
import type { JobKey } from '../../shared/model/job-key.ts';
import type { Cli } from '../command.ts';
import { formatKey, parseOptionalMs, parseWholeJob } from '../keys.ts';
import type { Session } from '../session.ts';
import { watchUpdate } from './watch.ts';
import { exitOfEnd } from './words.ts';

type Called = RouteResponse<'pauseUpdate'>;

interface CallOptions {
  readonly message?: string | undefined;
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

/** Options of a call after which the update goes on to an end that can be waited for. */
export function withFollowOptions<A extends unknown[], O extends OptionValues>(command: Command<A, O>) {
  return command
    .option('-m, --message <text>', 'why, kept in the history of the update')
    .option('--wait', 'follow the update to its end')
    .option('--timeout <span>', 'longest wait; default as long as it takes')
    .option('--json', 'print the update as JSON');
}

/** What every call on an update is made with. */
interface CallRequest {
  readonly params: JobKey & { readonly updateId: string };
  readonly body: { readonly message?: string };
  readonly signal: AbortSignal;
}

/** Makes the call, says what has become of the update, and follows it if asked. */
export async function runCall(
  cli: Cli,
  session: Session,
  given: { readonly key: string; readonly updateId: string | undefined; readonly options: CallOptions },
  call: (request: CallRequest) => Promise<Called>,
): Promise<void> {
  const target = parseWholeJob(given.key);
  const { message, wait, json } = given.options;
  const timeoutMs = parseOptionalMs(given.options.timeout);
  await session.checkCluster(target.cluster);
  const { key } = target;
  const called = await call({
    params: { ...key, updateId: given.updateId ?? 'active' },
    body: message === undefined ? {} : { message },
    signal: cli.io.signal,
  });
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
