// What a command does: exactly what its route of the API does, by the same function.
import type { Command } from '../../shared/api/commands.ts';
import { parseJobObject } from '../../shared/config/parse-job-file.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import { contentId } from '../../shared/lib/hash.ts';
import type { JobSubmission } from '../../shared/model/job.ts';
import { type JobKey, jobKeyOnly } from '../../shared/model/job-key.ts';
import { tokenReused } from '../api/client-token.ts';
import type { DepsOf } from '../api/context.ts';
import { createJob } from '../api/create-job.ts';
import { addInstances, killJob, restartJob } from '../api/edit-job.ts';
import {
  abortUpdate,
  pauseUpdate,
  pulseUpdate,
  resumeUpdate,
  rollbackUpdate,
} from '../api/updates/call-update.ts';
import { startUpdate } from '../api/updates/start-update.ts';

/** What carrying out takes. */
export type CarryOutDeps = DepsOf<'commands'>;

/** Who asks, and the client token that makes it happen once. */
export interface Sender {
  readonly user: string;
  readonly token: string;
}

type Done = Promise<{ readonly message: string }>;

/** Answers what the API would say; throws what it would refuse. */
export async function carryOut(command: Command, sender: Sender, deps: CarryOutDeps): Promise<string> {
  const params = jobKeyOnly(command);
  const { user, token } = sender;
  // IAM has spoken for the sender already; a unique id of it does not come with an event.
  const request = { params, query: {}, headers: { 'idempotency-key': token }, user, principal: undefined };
  const once = (work: () => Done): Done => onlyOnce(command, token, work, deps);
  switch (command.action) {
    case 'submit':
      return (await createJob({ ...request, body: submissionOf(params, command.body) }, deps)).message;
    case 'kill':
      return (await killJob({ ...request, body: command.body }, deps)).message;
    case 'restart':
      return (await restartJob({ ...request, body: command.body }, deps)).message;
    case 'add':
      return (await addInstances({ ...request, body: command.body }, deps)).message;
    case 'update':
      return (await startUpdate({ ...request, body: updateOf(params, command.body) }, deps)).message;
    case 'pause':
    case 'resume':
    case 'rollback':
    case 'abort':
    case 'pulse':
      return (await once(() => callUpdate(command, request, deps))).message;
  }
}

type UpdateCall = Extract<Command, { updateId: string }>;
type CallRequest = Omit<Parameters<typeof pauseUpdate>[0], 'params' | 'body'> & { readonly params: JobKey };

async function callUpdate(command: UpdateCall, request: CallRequest, deps: CarryOutDeps): Done {
  const params = { ...request.params, updateId: command.updateId };
  switch (command.action) {
    case 'pause':
      return pauseUpdate({ ...request, params, body: command.body }, deps);
    case 'resume':
      return resumeUpdate({ ...request, params, body: command.body }, deps);
    case 'rollback':
      return rollbackUpdate({ ...request, params, body: command.body }, deps);
    case 'abort':
      return abortUpdate({ ...request, params, body: command.body }, deps);
    case 'pulse':
      return {
        message: `pulse: ${(await pulseUpdate({ ...request, params, body: command.body }, deps)).answer}`,
      };
  }
}

/**
 * For requests whose writes take no token. A crash between the work and the note makes it happen again, which changes
 * nothing unless somebody asked for the contrary in between; later repetitions change nothing whatever happened.
 */
async function onlyOnce(command: Command, value: string, work: () => Done, { store }: CarryOutDeps): Done {
  const requestHash = contentId(command);
  const used = await store.tokenUse(value);
  if (used && used.requestHash !== requestHash) throw tokenReused();
  if (used) return { message: 'This request was carried out before.' };
  const done = await work();
  await store.takeToken({ value, requestHash });
  return done;
}

type SubmitBody = Extract<Command, { action: 'submit' }>['body'];
type UpdateBody = Extract<Command, { action: 'update' }>['body'];

function submissionOf(key: JobKey, body: SubmitBody): JobSubmission {
  return 'job' in body ? fromJobForm(key, body.job) : { ...key, ...body };
}

function updateOf(key: JobKey, body: UpdateBody) {
  if (!('job' in body)) return body;
  const { job, ...rest } = body;
  return { ...rest, change: { kind: 'replace' as const, configs: fromJobForm(key, job).configs } };
}

function fromJobForm(key: JobKey, job: Readonly<Record<string, unknown>>): JobSubmission {
  const repeated = (['role', 'environment', 'name'] as const).filter((field) => field in job);
  if (repeated.length > 0) {
    throw new BorealisError(
      'INVALID_REQUEST',
      `command body.job: leave out ${repeated.join(', ')}, which the command names itself; nothing was changed`,
    );
  }
  const [submission] = parseJobObject({ ...job, ...key }, { fileName: 'body.job' }).submissions;
  if (submission) return submission;
  throw new BorealisError('INVALID_CONFIG', 'command body.job: there is no job in it; nothing was changed');
}
