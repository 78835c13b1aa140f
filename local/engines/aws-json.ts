// Calls an engine by the AWS JSON protocol with nothing around it. The host makes many small calls per task; the SDK's
// signing and middleware would cost more than the engines do.
import { Agent, request } from 'node:http';

/** An answer of an engine that is not success. `name` is the error's short type, such as ResourceInUseException. */
export class EngineError extends Error {
  readonly status: number;

  constructor(name: string, message: string, status: number) {
    super(message);
    this.name = name;
    this.status = status;
  }
}

export interface EngineClient {
  /** One call: `SendMessage` with its input gives its output. Throws EngineError, or what the socket says. */
  call<T>(operation: string, input: unknown, signal?: AbortSignal): Promise<T>;
  /** Closes idle connections. */
  close(): void;
}

export type EngineService = 'AmazonSQS' | 'DynamoDB_20120810' | 'DynamoDBStreams_20120810';

/** Engines check that a request looks signed, not who signed it. */
const authorization =
  'AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/local/aws4_request, SignedHeaders=host, Signature=0';

/** A client of one engine; connections are kept alive. */
export function engineClient(endpoint: string, service: EngineService): EngineClient {
  const url = new URL(endpoint);
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const call = <T>(operation: string, input: unknown, signal?: AbortSignal): Promise<T> => {
    const body = Buffer.from(JSON.stringify(input));
    return new Promise<T>((resolve, reject) => {
      const outgoing = request(
        {
          agent,
          host: url.hostname,
          port: url.port,
          method: 'POST',
          path: '/',
          headers: {
            'content-type': 'application/x-amz-json-1.0',
            'content-length': body.length,
            'x-amz-target': `${service}.${operation}`,
            'x-amz-date': '20260101T000000Z',
            authorization,
          },
          ...(signal && { signal }),
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            try {
              const text = Buffer.concat(chunks).toString('utf8');
              const status = response.statusCode ?? 500;
              if (status < 300) resolve((text === '' ? {} : JSON.parse(text)) as T);
              else reject(failure(text, status));
            } catch (error) {
              reject(error as Error);
            }
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  };
  return { call, close: () => agent.destroy() };
}

function failure(text: string, status: number): EngineError {
  try {
    const { __type: type = '', message = text } = JSON.parse(text) as { __type?: string; message?: string };
    return new EngineError(type.split('#').at(-1) ?? 'EngineError', message, status);
  } catch {
    return new EngineError('EngineError', text.slice(0, 500), status);
  }
}
