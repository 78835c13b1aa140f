// What an update would do, whatever kind of change it is: worked out by the API, nothing is changed.
import type { RouteBody } from '../../shared/api/routes.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { JobKey } from '../../shared/model/job-key.ts';
import type { UpdateKind } from '../../shared/model/update.ts';
import type { Cli } from '../command.ts';
import type { Session } from '../session.ts';
import { planLines } from './plan-text.ts';

export interface PlanRequest {
  readonly key: JobKey;
  /** `cluster/role/env/name`, for messages. */
  readonly shown: string;
  readonly body: RouteBody<'planUpdate'>;
  readonly json?: true | undefined;
}

/** The option of commands that start an update, beside the one of `update plan`. */
export const planOption = [
  '--plan',
  'only say what would be ended, created and kept, and where; exits 1 when there are changes',
] as const;

/** Prints the plan; the exit code of the run says whether there are changes. */
export async function showPlan(
  cli: Cli,
  session: Session,
  { key, shown, body, json }: PlanRequest,
): Promise<void> {
  const plan = await session.client.call('planUpdate', { params: key, body, signal: cli.io.signal });
  if (json) session.out.json(plan);
  else if (!plan.changed) session.out.say(`${shown}: no change, the job is as asked for already`);
  else if (!session.quiet) {
    const known = plan.version === 0 ? 'does not exist yet' : `is at version ${plan.version}`;
    session.out.data(`${shown} ${known}`);
    const kind: UpdateKind = body.change.kind;
    for (const line of planLines(plan, session.out.paint, kind)) session.out.data(line);
  }
  if (plan.changed) cli.exit(1);
}

/** INVALID_REQUEST if words that follow an update to its end are given where there will be none. */
export function checkOnlyPlan(words: {
  readonly plan?: true | undefined;
  readonly wait?: true | undefined;
}): void {
  if (!words.plan || !words.wait) return;
  throw new BorealisError(
    'INVALID_REQUEST',
    '--plan starts nothing, so there is nothing to --wait for; nothing was changed. Give one of the two.',
  );
}
