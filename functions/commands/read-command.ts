// A message of the commands queue as a command: who sent it, under which id, and what is asked for. A message is either an
// event that the bus put there (its source says for which role it may speak) or the command itself, from somebody who may
// send to the queue (and speaks for every role).
import { createHash } from 'node:crypto';
import type { SQSRecord } from 'aws-lambda';
import * as z from 'zod';
import {
  type Command,
  commandDetailType,
  commandSchema,
  commandSource,
  maxCommandBytes,
} from '../../shared/api/commands.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import { checked } from '../api/read-request.ts';

/** What is known of a message before its command is understood; a refusal names it. */
export interface Delivery {
  readonly commandId: string;
  /** `event/<account>/<source>` or `queue/<principal>`. */
  readonly from: string;
  /** The command as it came; undefined if the message is not even JSON. */
  readonly detail: unknown;
  /** Why there is nothing to look at. */
  readonly problem?: BorealisError;
  /** Absent for a message that came straight to the queue. */
  readonly source?: string;
  /** Same for every delivery of the same event or message. */
  readonly deliveryId: string;
}

const eventSchema = z.object({
  id: z.string(),
  'detail-type': z.string(),
  source: z.string(),
  account: z.string(),
  detail: z.unknown(),
});

const ownIdSchema = z.object({ id: z.string().max(128) });

/** Never throws. */
export function openMessage(record: SQSRecord): Delivery {
  const { messageId } = record;
  const from = `queue/${record.attributes?.SenderId ?? 'unknown'}`;
  const unread = { commandId: messageId, deliveryId: messageId, from, detail: undefined };
  const bytes = Buffer.byteLength(record.body);
  if (bytes > maxCommandBytes) {
    return { ...unread, problem: tooLarge(bytes) };
  }
  let body: unknown;
  try {
    body = JSON.parse(record.body);
  } catch (cause) {
    const problem = new BorealisError(
      'MALFORMED_BODY',
      'the message is not JSON; nothing was changed. Send one JSON document.',
      { cause },
    );
    return { ...unread, problem };
  }
  const event = eventSchema.safeParse(body);
  if (!event.success) return { ...unread, commandId: ownId(body) ?? messageId, detail: body };
  const { id, source, account, detail, 'detail-type': detailType } = event.data;
  return {
    commandId: (ownId(detail) ?? id).toWellFormed(),
    deliveryId: id,
    // Goes into updates and events, which take whole characters only.
    from: `event/${account}/${source}`.toWellFormed(),
    detail,
    source,
    ...(detailType !== commandDetailType && { problem: notACommand(detailType) }),
  };
}

/** The command of a delivery; INVALID_REQUEST or INVALID_CONFIG names every mistake, FORBIDDEN a wrong source. */
export function readCommand(delivery: Delivery): Command {
  if (delivery.problem) throw delivery.problem;
  const command = checked(commandSchema, delivery.detail, 'command') as Command;
  const expected = commandSource(command);
  if (delivery.source === undefined || delivery.source === expected) return command;
  throw new BorealisError(
    'FORBIDDEN',
    `a command for ${command.role}/${command.environment} must come from source ${expected}, this came from ${delivery.source}; nothing was changed`,
  );
}

/**
 * The client token that makes a command happen once: from its own id, which counts per role and environment, else from
 * the id of its event or message.
 */
export function commandToken(command: Command, { deliveryId }: Delivery): string {
  const { role, environment, id } = command;
  const name = id === undefined ? ['delivery', deliveryId] : ['id', role, environment, id];
  return `command-${createHash('sha256').update(JSON.stringify(name)).digest('hex').slice(0, 40)}`;
}

function ownId(detail: unknown): string | undefined {
  return ownIdSchema.safeParse(detail).data?.id;
}

function tooLarge(bytes: number): BorealisError {
  return new BorealisError(
    'BODY_TOO_LARGE',
    `the command has ${bytes} bytes, at most ${maxCommandBytes} are taken; nothing was changed. Let tasks fetch large scripts themselves.`,
  );
}

function notACommand(detailType: string): BorealisError {
  return new BorealisError(
    'INVALID_REQUEST',
    `the event has detail-type ${detailType}, commands have ${commandDetailType}; nothing was changed`,
  );
}
