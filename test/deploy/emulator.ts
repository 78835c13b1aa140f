// The AWS to deploy to: the endpoint in LOCALSTACK_ENDPOINT; else LocalStack in Docker, where an engine answers and
// LOCALSTACK_AUTH_TOKEN is there (its free edition has no HTTP APIs, docs.localstack.cloud/aws/apigatewayv2); else
// MiniStack. There is no fourth way: where none of them can be had, the error says why.
import { createLocalStack } from './localstack.ts';
import { createMiniStack } from './ministack.ts';
import { probeStream } from './probe.ts';

export interface Emulator {
  /** What it is, for people. */
  readonly name: string;
  /** `http://host:port`, for all services. */
  readonly endpoint: string;
  /** Ends what was started for the test; leaves alone what was not. */
  stop(): Promise<void>;
}

export interface EmulatorOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Directory for what the emulator and its installation say and store. */
  readonly dir: string;
}

/** An emulator that answers and whose streams tell all there is to tell. */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const given = options.env.LOCALSTACK_ENDPOINT;
  const emulator = given
    ? {
        name: 'the emulator in LOCALSTACK_ENDPOINT',
        endpoint: given.replace(/\/+$/, ''),
        stop: async () => undefined,
      }
    : ((await createLocalStack(options)) ?? (await createMiniStack(options)));
  try {
    await probeStream(emulator.endpoint);
    return emulator;
  } catch (error) {
    await emulator.stop();
    throw error;
  }
}

/** Resolves when the emulator takes requests. */
export async function untilHealthy(endpoint: string, withinMs: number, alive: () => boolean): Promise<void> {
  const end = Date.now() + withinMs;
  while (Date.now() < end && alive()) {
    const answer = await fetch(`${endpoint}/_localstack/health`, { signal: AbortSignal.timeout(2000) }).catch(
      () => undefined,
    );
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`${endpoint} did not become healthy within ${withinMs / 1000} s`);
}

/** A free port on the loopback address; somebody else may take it before it is used, but hardly does. */
export async function freePort(): Promise<number> {
  const { createServer } = await import('node:net');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port on 127.0.0.1');
  return address.port;
}
