// Calls on an update that exists: pause, resume, abort, rollback, pulse. What follows is the updater's to carry out.
import { applyCall, pulseUpdate as withPulse } from '../../../shared/domain/update/calls.ts';
import type { UpdateCall } from '../../../shared/domain/update/status-machine.ts';
import type { JobKey } from '../../../shared/model/job-key.ts';
import { isTerminalUpdate, type UpdateRecord } from '../../../shared/model/update.ts';
import { changeUpdate } from '../../updater/change-update.ts';
import type { ChangeDeps, ResourceHandler } from '../context.ts';
import { findUpdate } from './find-update.ts';
import { updateView } from './views.ts';

interface Request {
  readonly params: JobKey & { readonly updateId: string };
  readonly body: { readonly message?: string | undefined };
  readonly user: string;
}

export const pauseUpdate: ResourceHandler<'pauseUpdate', ChangeDeps> = (request, deps) =>
  call('pause', request, deps);

export const resumeUpdate: ResourceHandler<'resumeUpdate', ChangeDeps> = (request, deps) =>
  call('resume', request, deps);

export const rollbackUpdate: ResourceHandler<'rollbackUpdate', ChangeDeps> = (request, deps) =>
  call('rollback', request, deps);

export const abortUpdate: ResourceHandler<'abortUpdate', ChangeDeps> = (request, deps) =>
  call(request.body.instances === 'hold' ? 'abort' : 'rollback', request, deps);

export const pulseUpdate: ResourceHandler<'pulseUpdate', ChangeDeps> = async ({ params }, deps) => {
  const { updateId } = await findUpdate(deps.store, params, params.updateId);
  const change = (update: UpdateRecord, now: number) => withPulse(update, now).next;
  const update = await changeUpdate(params, updateId, change, deps);
  const answer = isTerminalUpdate(update.status) ? 'FINISHED' : 'OK';
  return { answer, update: updateView(update, deps.cluster) };
};

async function call(name: Exclude<UpdateCall, 'pulse'>, { params, body, user }: Request, deps: ChangeDeps) {
  const { updateId } = await findUpdate(deps.store, params, params.updateId);
  const { message } = body;
  let before: UpdateRecord | undefined;
  const change = (update: UpdateRecord, now: number) => {
    before = update;
    return applyCall(update, name, { user, message, now });
  };
  const update = await changeUpdate(params, updateId, change, deps);
  const same = update === before;
  if (!same) deps.log.info('update called', { updateId, call: name, status: update.status, user });
  return {
    update: updateView(update, deps.cluster),
    message: `update ${updateId} ${same ? 'already is' : 'is now'} ${update.status}`,
  };
}
