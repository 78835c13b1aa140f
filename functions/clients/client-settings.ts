// What every SDK client of a function is made with. The addresses of the services follow the SDK's own variables
// (AWS_ENDPOINT_URL_SQS and the like, AWS_REGION).
import { type RequestLimits, requestHandlerWith } from '../../shared/lib/request-limits.ts';
import { quietLogger } from '../../shared/store/quiet-logger.ts';

/** A connection that died costs one try of ten seconds, which every function has left, and the next try takes another. */
const functionLimits: RequestLimits = { connectMs: 2_000, answerMs: 10_000, sockets: 128 };

/** Other limits, for what has less time, and for tests. */
export function clientSettings(limits: RequestLimits = functionLimits) {
  return { maxAttempts: 5, logger: quietLogger, requestHandler: requestHandlerWith(limits) };
}
