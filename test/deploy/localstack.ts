// LocalStack in Docker, for those who have a licence for its HTTP APIs.
import { join } from 'node:path';
import { type Emulator, type EmulatorOptions, freePort, untilHealthy } from './emulator.ts';
import { runCommand } from './run-command.ts';

const image = 'localstack/localstack-pro:4.9.2';
const healthyWithinMs = 180_000;

/** Starts LocalStack; undefined if no engine answers or there is no licence. */
export async function createLocalStack({ env, dir }: EmulatorOptions): Promise<Emulator | undefined> {
  const token = env.LOCALSTACK_AUTH_TOKEN;
  if (!token) return undefined;
  const logFile = join(dir, 'docker.log');
  const docker = (args: readonly string[], timeoutMs: number): Promise<string> =>
    runCommand('docker', args, { logFile, timeoutMs, env });
  const answers = await docker(['version', '--format', '{{.Server.Version}}'], 10_000).then(
    () => true,
    () => false,
  );
  if (!answers) return undefined;
  const port = await freePort();
  const socket = '/var/run/docker.sock';
  const run = [
    'run',
    '--rm',
    '--detach',
    '--env',
    'LOCALSTACK_AUTH_TOKEN',
    '--volume',
    `${socket}:${socket}`,
  ];
  const container = (await docker([...run, '--publish', `127.0.0.1:${port}:4566`, image], 600_000)).trim();
  const stop = async (): Promise<void> => {
    await docker(['stop', '--time', '10', container], 60_000);
  };
  const endpoint = `http://127.0.0.1:${port}`;
  try {
    await untilHealthy(endpoint, healthyWithinMs, () => true);
    return { name: image, endpoint, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
