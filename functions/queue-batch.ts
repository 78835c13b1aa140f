// Batches of queue messages whose body is one small JSON document: parse each, group what means the same work, and
// answer exactly the messages whose work failed, so that only they come again.
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type * as z from 'zod';
import { BorealisError } from '../shared/lib/errors.ts';
import type { Log } from './ports.ts';
import { about } from './request-scope.ts';

/** Throws INVALID_REQUEST if the body is not JSON or not what the schema says. */
export function parseBody<S extends z.ZodType>(schema: S, record: SQSRecord): z.infer<S> {
  let body: unknown;
  try {
    body = JSON.parse(record.body);
  } catch (error) {
    throw new BorealisError('INVALID_REQUEST', `message ${record.messageId} is not JSON`, { cause: error });
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.slice(0, 5).map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new BorealisError('INVALID_REQUEST', `message ${record.messageId} is malformed: ${wrong.join('; ')}`);
}

/**
 * Runs `work` once per distinct `groupOf(message)`, with the time the newest of them was sent (epoch ms; undefined if the
 * queue does not say). A message that cannot be read, and every message of a group whose
 * work throws, is answered as failed; the others are done with.
 */
export async function processGroups<S extends z.ZodType>(
  event: SQSEvent,
  options: {
    readonly schema: S;
    readonly groupOf: (message: z.infer<S>) => string;
    /** What the log lines of this work say it is about, such as `{ job }`. */
    readonly fieldsOf?: (message: z.infer<S>) => Readonly<Record<string, string>>;
    /** What several messages of a group say together; the first one speaks for all if absent. */
    readonly merge?: (one: z.infer<S>, other: z.infer<S>) => z.infer<S>;
    readonly work: (message: z.infer<S>, newestSentAt: number | undefined) => Promise<void>;
    readonly log: Log;
  },
): Promise<SQSBatchResponse> {
  const failed: string[] = [];
  const groups = new Map<string, { message: z.infer<S>; ids: string[]; sentAt: number }>();
  for (const record of event.Records) {
    try {
      const message = parseBody(options.schema, record);
      const name = options.groupOf(message);
      const known = groups.get(name);
      const group = known ?? { message, ids: [], sentAt: 0 };
      if (known && options.merge) known.message = options.merge(known.message, message);
      group.sentAt = Math.max(group.sentAt, sentAtOf(record));
      group.ids.push(record.messageId);
      groups.set(name, group);
    } catch (error) {
      failed.push(record.messageId);
      options.log.error('a message cannot be read; it ends in the dead-letter queue', {
        messageId: record.messageId,
        error,
      });
    }
  }
  await Promise.all(
    [...groups].map(([name, { message, ids, sentAt }]) =>
      about(options.fieldsOf?.(message) ?? {}, async () => {
        try {
          await options.work(message, Number.isFinite(sentAt) ? sentAt : undefined);
        } catch (error) {
          failed.push(...ids);
          options.log.error(`work on ${name} failed; its messages come again`, { error });
        }
      }),
    ),
  );
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
}

/** Infinity if unknown, so that the newest of a group is unknown too. */
function sentAtOf({ attributes }: SQSRecord): number {
  const sentAt = Number(attributes?.SentTimestamp);
  return sentAt > 0 ? sentAt : Number.POSITIVE_INFINITY;
}
