// `npm run test:deploy`: a real bootstrap and deployment of the CDK app to an emulator of AWS, the end-to-end suite
// against it, a second deployment while jobs run, and a destroy that leaves nothing behind. Fails where no emulator can
// be had; it never passes without having deployed. What was said lies in a directory named at the end of a failure.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startVitest } from 'vitest/node';
import { emulatedEnvironment } from '../test/deploy/emulated.ts';
import { type Emulator, startEmulator } from '../test/deploy/emulator.ts';
import { DeployedInstallation } from '../test/deploy/installation.ts';

const cluster = 'local';
const suite = [
  new URL('../test/e2e/main-job.test.ts', import.meta.url),
  new URL('../test/e2e/faults.test.ts', import.meta.url),
  new URL('../test/e2e/events.test.ts', import.meta.url),
  new URL('../test/e2e/update.test.ts', import.meta.url),
  new URL('../test/e2e/drain.test.ts', import.meta.url),
  new URL('../test/e2e/doctor.test.ts', import.meta.url),
  new URL('../test/e2e/chaos.test.ts', import.meta.url),
  new URL('../test/deploy/change-while-running.suite.ts', import.meta.url),
].map((file) => fileURLToPath(file));

/** The CDK app of the examples, from the top of the repository. */
const examples = 'examples/events/app.ts';

const times: [string, number][] = [];

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  process.stdout.write(`${what} ...\n`);
  const began = performance.now();
  const result = await work();
  times.push([what, (performance.now() - began) / 1000]);
  return result;
}

/** Runs the tests in this process; answers how many passed. Throws if any failed, or if there were none. */
async function runSuite(): Promise<number> {
  const vitest = await startVitest('test', [], {
    config: false,
    watch: false,
    include: suite,
    // They share one installation.
    fileParallelism: false,
  });
  const tests = vitest.state.getTestModules().flatMap((module) => [...module.children.allTests()]);
  const passed = tests.filter((test) => test.result().state === 'passed').length;
  const modules = vitest.state.getTestModules().filter((module) => module.state() === 'passed').length;
  await vitest.close();
  // The test runner sets it; the end of this script decides.
  process.exitCode = 0;
  if (modules !== suite.length || passed !== tests.length) {
    throw new Error(`${passed} of ${tests.length} tests passed, ${modules} of ${suite.length} files`);
  }
  return passed;
}

/** Throws with the names of whatever is left of the cluster. */
async function checkNothingIsLeft(installation: DeployedInstallation, destroyedAt: number): Promise<void> {
  const left = Object.entries(await installation.inventory(destroyedAt)).filter(
    ([, names]) => names.length > 0,
  );
  if (left.length === 0) return;
  const shown = left.map(([kind, names]) => `\n  ${kind}: ${names.join(', ')}`);
  throw new Error(`after the destroy there is still:${shown.join('')}`);
}

/** Throws if a kind of resource is not found while all is deployed: then its absence later would prove nothing. */
async function checkInventorySees(installation: DeployedInstallation): Promise<void> {
  const inventory = await installation.inventory();
  const unseen = Object.entries(inventory).filter(([, names]) => names.length === 0);
  if (unseen.length > 0)
    throw new Error(`not found although deployed: ${unseen.map(([kind]) => kind).join(', ')}`);
}

async function deployAndTest(emulator: Emulator, dir: string): Promise<string> {
  const { endpoint } = emulator;
  const installation = new DeployedInstallation({ endpoint, cluster, dir });
  await timed('bootstrap', () => installation.bootstrap());
  const apiUrl = await timed('deploy', () => installation.deploy());
  const resources = installation.resourceCount();
  await timed('deploy examples', () => installation.deployApp(examples));
  Object.assign(process.env, {
    ...emulatedEnvironment({}, endpoint),
    BOREALIS_E2E_API: apiUrl,
    BOREALIS_DEPLOY_ENDPOINT: endpoint,
    BOREALIS_DEPLOY_DIR: dir,
  });
  const passed = await timed('end-to-end suite', runSuite);
  await checkInventorySees(installation);
  const destroyedAt = Date.now();
  await timed('destroy examples', () => installation.destroyApp(examples));
  await timed('destroy', () => installation.destroy());
  await checkNothingIsLeft(installation, destroyedAt);
  return `${passed} tests passed against ${emulator.name}; ${resources} resources deployed and gone again`;
}

// What was started ends when the process does, in whatever way it ends.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const dir = mkdtempSync(join(tmpdir(), 'borealis-deploy-'));
try {
  const env = { ...process.env };
  const emulator = await timed('emulator', () => startEmulator({ env, dir }));
  try {
    const result = await deployAndTest(emulator, dir);
    for (const [what, seconds] of times) process.stdout.write(`${what.padEnd(18)}${seconds.toFixed(1)} s\n`);
    process.stdout.write(`${result}\n`);
  } finally {
    await emulator.stop();
  }
  rmSync(dir, { recursive: true, force: true });
  process.exit(0);
} catch (error) {
  process.stderr.write(`test:deploy failed: ${error instanceof Error ? error.message : String(error)}\n`);
  process.stderr.write(`What was said lies in ${dir}\n`);
  process.exit(1);
}
