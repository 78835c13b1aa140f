// What AWS clients get as their logger. The SDK prepares its log text for every request as soon as the logger can take
// it, and its default logger, which does nothing, does exist: 5% of a busy function's CPU. Without `info` it skips that.
import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';

/** Drops what is logged; has no `info` on purpose. */
export const quietLogger = {
  trace: () => undefined,
  debug: () => undefined,
  warn: () => undefined,
  error: () => undefined,
} as unknown as NonNullable<DynamoDBClientConfig['logger']>;
