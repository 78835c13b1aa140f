// What becomes of a command that is refused for good: it goes to the dead-letter queue with the reason beside it, and the
// bus is told. Nothing is stored, so the stream has no part in it: the message in the commands queue stays until both are
// done, and a repetition says the same (docs/adr/0009-rejected-commands.md).
import * as z from 'zod';
import type { BorealisError } from '../../shared/lib/errors.ts';
import type { EventDetail } from '../../shared/model/events.ts';
import type { EventPort, MessagePort, OutgoingMessage } from '../ports.ts';
import type { Delivery } from './read-command.ts';

export interface RejectDeps {
  readonly messages: MessagePort;
  readonly events: EventPort;
  readonly cluster: string;
  readonly deadLettersUrl: string;
  readonly clock: () => number;
}

/** With its attributes a message must fit 256 KiB. */
const maxBodyBytes = 240_000;
const maxReasonLength = 4000;

/** Throws if either could not be told; the message then comes again. */
export async function reject(
  body: string,
  delivery: Delivery,
  error: BorealisError,
  deps: RejectDeps,
): Promise<void> {
  await deps.messages.send(deps.deadLettersUrl, [deadLetter(body, delivery, error)]);
  await deps.events.publish([{ detailType: 'Command Rejected', detail: detailOf(delivery, error, deps) }]);
}

function deadLetter(body: string, { commandId, from }: Delivery, error: BorealisError): OutgoingMessage {
  const bytes = Buffer.from(body);
  const cut = bytes.length > maxBodyBytes;
  return {
    body: cut ? bytes.subarray(0, maxBodyBytes).toString('utf8') : body,
    attributes: {
      code: error.code,
      reason: error.message.slice(0, maxReasonLength),
      commandId,
      from,
      ...(cut && { cut: `the first ${maxBodyBytes} of ${bytes.length} bytes` }),
    },
  };
}

const short = z.string().max(255).nullable().catch(null);
const namesSchema = z
  .object({ action: short, role: short, environment: short, name: short })
  .catch({ action: null, role: null, environment: null, name: null });

function detailOf(
  { commandId, from, detail }: Delivery,
  error: BorealisError,
  { cluster, clock }: RejectDeps,
): EventDetail<'Command Rejected'> {
  return {
    version: 1,
    cluster,
    commandId,
    from,
    ...namesSchema.parse(detail),
    code: error.code,
    message: error.message.slice(0, maxReasonLength).toWellFormed(),
    at: new Date(clock()).toISOString(),
  };
}
