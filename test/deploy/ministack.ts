// MiniStack (PyPI): a LocalStack-compatible server that runs node functions as local processes. Installed once into a
// private virtual environment below node_modules/.cache, started on a free loopback port.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Emulator, type EmulatorOptions, freePort, untilHealthy } from './emulator.ts';
import { runCommand } from './run-command.ts';

const requirements = fileURLToPath(new URL('ministack-requirements.txt', import.meta.url));
const starter = fileURLToPath(new URL('start_ministack.py', import.meta.url));
const cache = fileURLToPath(new URL('../../node_modules/.cache/borealis/', import.meta.url));
const healthyWithinMs = 60_000;
const installWithinMs = 300_000;
const stopWithinMs = 10_000;

/** Installs (once) and starts MiniStack. Throws with what to install or to look at. */
export async function createMiniStack({ env, dir }: EmulatorOptions): Promise<Emulator> {
  const python = await install(dir);
  const port = await freePort();
  const logFile = join(dir, 'ministack.log');
  const log = openSync(logFile, 'a');
  const child = spawn(python, [starter], {
    cwd: dir,
    // A group of its own: the functions are its children, and they end together.
    detached: true,
    stdio: ['ignore', log, log],
    env: {
      ...withoutAws(env),
      GATEWAY_PORT: String(port),
      BIND_HOST: '127.0.0.1',
      // In the addresses of queues; `localhost` may mean ::1.
      MINISTACK_HOST: '127.0.0.1',
      MINISTACK_REGION: 'us-east-1',
      TMPDIR: dir,
      S3_DATA_DIR: join(dir, 's3'),
      STATE_DIR: join(dir, 'state'),
      // Functions run with the node found first: this one, not the machine's own.
      PATH: [dirname(process.execPath), env.PATH ?? ''].join(delimiter),
    },
  });
  const exited = once(child, 'exit');
  const onExit = (): void => signalGroup(child.pid, 'SIGKILL');
  process.once('exit', onExit);
  const alive = (): boolean => child.exitCode === null && child.signalCode === null;
  const stop = async (): Promise<void> => {
    signalGroup(child.pid, 'SIGTERM');
    const hard = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), stopWithinMs);
    if (alive()) await exited;
    clearTimeout(hard);
    // Functions that outlived it.
    onExit();
    process.removeListener('exit', onExit);
  };
  const endpoint = `http://127.0.0.1:${port}`;
  try {
    await untilHealthy(endpoint, healthyWithinMs, alive);
    return { name: 'MiniStack 1.5.33', endpoint, stop };
  } catch (error) {
    await stop();
    const said = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-20).join('\n');
    throw new Error(`MiniStack did not start; it said:\n${said}`, { cause: error });
  }
}

/** The Python of an environment that holds exactly the pinned packages. */
async function install(dir: string): Promise<string> {
  const version = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  const venv = join(cache, `ministack-${version}`);
  const python = join(venv, 'bin', 'python');
  const done = join(venv, 'complete');
  if (existsSync(done)) return python;
  rmSync(venv, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  const options = { logFile: join(dir, 'install.log'), timeoutMs: installWithinMs };
  try {
    await runCommand('python3', ['-m', 'venv', venv], options);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps'];
    await runCommand(python, [...pip, '-r', requirements], options);
    // A pinned list that lacks something would fail late and strangely.
    await runCommand(python, ['-m', 'pip', 'check', '--disable-pip-version-check'], options);
  } catch (cause) {
    throw new Error(
      'no emulator to deploy to: MiniStack could not be installed. It needs Python 3.10 or later with venv ' +
        '(Debian: apt-get install python3-venv) and a PyPI index that pip can reach. Or set LOCALSTACK_ENDPOINT to ' +
        `an emulator that runs. ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  writeFileSync(done, '');
  return python;
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}

/** Nothing of a real account may reach the emulator's functions. */
function withoutAws(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('AWS_')));
}
