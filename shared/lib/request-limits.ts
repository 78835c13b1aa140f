// How long a request of the SDK may take. Its clients wait without end unless told otherwise, and their requestTimeout by
// itself only writes a warning: one connection that died without a word would hold up a function, or all of an agent.

/** Waiting of one try of one request, milliseconds. A try that ends by it counts as failed and is repeated by the client. */
export interface RequestLimits {
  /** For a connection. */
  readonly connectMs: number;
  /** For the answer to begin, and then for each further piece of it. */
  readonly answerMs: number;
  /** Connections at once; the SDK's own 50 if absent. */
  readonly sockets?: number;
}

/** The `requestHandler` setting of an SDK client whose requests keep to the limits. */
export function requestHandlerWith({ connectMs, answerMs, sockets }: RequestLimits) {
  const agent = { keepAlive: true, ...(sockets !== undefined && { maxSockets: sockets }) };
  return {
    connectionTimeout: connectMs,
    requestTimeout: answerMs,
    throwOnRequestTimeout: true,
    // requestTimeout ends with the head of the answer; this goes on until its last byte.
    socketTimeout: answerMs,
    httpAgent: agent,
    httpsAgent: agent,
  };
}
