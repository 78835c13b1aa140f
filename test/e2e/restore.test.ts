// Backup and restore, walked through (docs/backup.md): the tables are copied while jobs run, the world goes on, the
// tables are lost, the copy comes back, and the agents, which ran on all the while, are reconciled with it.
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDynamoEngine } from '../../local/engines/dynamo-engine.ts';
import { type LocalStack, startLocalStack } from '../../local/stack.ts';
import { active, type EmbeddedInstallation, processesWith, startEmbedded, until } from './harness.ts';
import { jobFile, sleeper } from './jobs.ts';

const run = promisify(execFile);
const script = (name: string): string => fileURLToPath(new URL(`../../scripts/${name}.ts`, import.meta.url));
const before = mkdtempSync(join(tmpdir(), 'borealis-before-'));
const after = mkdtempSync(join(tmpdir(), 'borealis-after-'));
const backup = mkdtempSync(join(tmpdir(), 'borealis-backup-'));
let installation: EmbeddedInstallation;
let restored: LocalStack | undefined;

/** Ids of the processes of an instance of a job of demo/devel, whatever its generation. */
function processesOf(name: string, instance: number): number[] {
  return processesWith(`demo~devel~${name}~${instance}~`).filter((pid) => isSleep(pid));
}
function isSleep(pid: number): boolean {
  return processesWith('sleep\u00001000').includes(pid);
}

async function awsScript(name: string, endpoint: string, ...args: readonly string[]): Promise<string> {
  const env = {
    ...process.env,
    AWS_ENDPOINT_URL_DYNAMODB: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
  };
  const { stdout } = await run(process.execPath, [script(name), '--cluster', 'local', ...args], { env });
  return stdout;
}

const submit = async (name: string, instances: number): Promise<void> => {
  const file = jobFile(installation.dir, sleeper(name, instances));
  const { code, stderr } = await installation.cli(
    'job',
    'create',
    `local/demo/devel/${name}`,
    file,
    '--wait',
  );
  expect(stderr).toBe(code === 0 ? stderr : '');
  expect(code).toBe(0);
};
const running = (name: string, instances: number): Promise<boolean> =>
  until(`${name} to run`, async () => {
    const detail = await installation.job(name);
    return Array.from({ length: instances }, (_, index) => active(detail, index)?.state).every(
      (state) => state === 'RUNNING',
    );
  });

beforeAll(async () => {
  installation = await startEmbedded(['agent-a', 'agent-b'], { dataDir: before });
});
afterAll(async () => {
  await installation?.stop();
  await restored?.stop();
  for (const dir of [before, after, backup]) rmSync(dir, { recursive: true, force: true });
});

describe('an installation restored from a backup', () => {
  it('goes on with the tasks that run, and makes everything else as the backup wants it', async () => {
    // As backed up: a service of three.
    await submit('steady', 3);
    const undisturbed = [0, 1].map((instance) => processesOf('steady', instance));
    expect(undisturbed.map((pids) => pids.length)).toEqual([1, 1]);
    await awsScript('backup-tables', installation.stack.dynamoEndpoint, '--out', backup);

    // What the backup does not know: one instance was replaced, a job was added.
    const [victim = 0] = processesOf('steady', 2);
    expect((await installation.cli('job', 'restart', 'local/demo/devel/steady/2', '--wait')).code).toBe(0);
    const replacement = await until('the replacement alone', () => {
      const pids = processesOf('steady', 2);
      return pids.length === 1 && pids[0] !== victim && pids[0];
    });
    await submit('younger', 2);
    const strays = [0, 1].flatMap((instance) => processesOf('younger', instance));
    expect(strays).toHaveLength(2);

    // The tables are lost, the agents live on; the backup becomes the tables of a stack at the same addresses.
    const { apiUrl, sqsEndpoint } = installation.stack;
    await installation.stack.stop();
    const report = await restoreInto(after);
    // Queues are no part of the tables, and outlive them.
    cpSync(join(before, 'sqs'), join(after, 'sqs'), { recursive: true });
    expect(report).toMatchObject({ agents: 2, tasksOnAgents: 3, homeless: [], impossible: [] });
    restored = await startLocalStack({
      port: Number(new URL(apiUrl).port),
      sqsPort: Number(new URL(sqsEndpoint).port),
      dataDir: after,
    });
    expect([restored.apiUrl, restored.sqsEndpoint]).toEqual([apiUrl, sqsEndpoint]);

    // What the backup knows and runs is left alone; the rest follows.
    await until('strays to end', () => [...strays, replacement].every((pid) => !isSleep(pid)));
    await running('steady', 3);
    await until('one process per instance', () =>
      [0, 1, 2].every((instance) => processesOf('steady', instance).length === 1),
    );
    expect([0, 1].map((instance) => processesOf('steady', instance))).toEqual(undisturbed);
    const { tasks } = await installation.job('steady');
    const third = tasks
      .filter(({ instance }) => instance === 2)
      .map(({ state, generation }) => [state, generation]);
    // The restart that the backup does not know is found out: the agent repeats how that task ended.
    expect(third).toEqual([
      ['RUNNING', 2],
      ['KILLED', 1],
    ]);
    for (const instance of [0, 1]) {
      const history = tasks.filter((task) => task.instance === instance);
      expect(history.map(({ state, generation }) => [state, generation])).toEqual([['RUNNING', 1]]);
    }
    expect((await installation.cli('job', 'status', 'local/demo/devel/younger')).code).not.toBe(0);

    // It is a whole installation again.
    await submit('younger', 2);
    const ended = await installation.cli('job', 'killall', 'local/demo/devel/steady', '--yes', '--wait');
    expect(ended.code).toBe(0);
    await until('the ledgers to be free again', async () => {
      const { agents } = await installation.api.call('listAgents', { query: {} });
      const held = agents.map(({ capacity, free }) => capacity.cpuMilli - free.cpuMilli);
      return held.reduce((sum, one) => sum + one, 0) === 200;
    });
  });
});

/** New tables from the backup, in the directory of an engine that no stack uses yet. */
async function restoreInto(dir: string): Promise<unknown> {
  const engine = await startDynamoEngine({ dataDir: join(dir, 'dynamo') });
  try {
    return JSON.parse(await awsScript('restore-tables', engine.endpoint, '--from', backup));
  } finally {
    await engine.stop();
  }
}
