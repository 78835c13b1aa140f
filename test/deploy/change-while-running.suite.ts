// A second deployment with a change, while a job runs and another is submitted. Part of `npm run test:deploy`.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { visibilityFor, workTimeout } from '../../infra/stacks/timeouts.ts';
import { type Installation, processesWith, startInstallation, until } from '../e2e/harness.ts';
import { jobFile, sleeper } from '../e2e/jobs.ts';
import { callService } from './emulated.ts';
import { DeployedInstallation } from './installation.ts';

const { BOREALIS_DEPLOY_ENDPOINT: endpoint = '', BOREALIS_DEPLOY_DIR: dir = '' } = process.env;
const cluster = 'local';
/** Between two submissions: the deployment needs the processor too. */
const pauseMs = 1000;
/**
 * The emulator kills a function's process when its code is replaced, also in the middle of a wake-up (AWS lets it finish).
 * The wake-up then comes back when its queue shows it again; what waits behind it in its group waits as long.
 */
const redeliveredMs = 60_000 + visibilityFor(workTimeout.jobs).toMilliseconds();
/** The deployment itself and, at worst, one redelivery. */
const withRedeliveryMs = 180_000 + redeliveredMs;
const deployment = new DeployedInstallation({ endpoint, cluster, dir });

let borealis: Installation;
beforeAll(async () => {
  borealis = await startInstallation(['agent-a', 'agent-b']);
});
afterAll(async () => {
  await borealis.stop();
});

async function metering(): Promise<string> {
  const path = `/2015-03-31/functions/borealis-${cluster}-matcher/configuration`;
  const text = await callService(endpoint, 'lambda', { path });
  const { Environment } = JSON.parse(text) as { Environment: { Variables: Record<string, string> } };
  return Environment.Variables.METER_CAPACITY ?? '';
}

describe('a second deployment with a change', () => {
  it(
    'loses nothing that runs, answers meanwhile, and takes effect',
    async () => {
      const steady = jobFile(borealis.dir, sleeper('steady', 3));
      expect((await borealis.cli('job', 'create', steady, '--wait-until', 'RUNNING')).code).toBe(0);
      const before = await borealis.job('steady');
      const pids = before.tasks.map(({ taskId }) => processesWith(`BOREALIS_TASK_ID=${taskId}`));
      expect(await metering()).toBe('false');

      let deployed = false;
      const deploying = deployment.deploy({ meter: 'true' }).finally(() => {
        deployed = true;
      });
      const submitted: string[] = [];
      while (!deployed) {
        const name = `during-${submitted.length}`;
        const { code, stderr } = await borealis.cli('job', 'create', jobFile(borealis.dir, sleeper(name, 1)));
        expect(stderr).not.toContain('INTERNAL');
        expect(code).toBe(0);
        submitted.push(name);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
      await deploying;

      expect(await metering()).toBe('true');
      const after = await borealis.job('steady');
      expect(after.tasks.map(({ taskId, state }) => [taskId, state])).toEqual(
        before.tasks.map(({ taskId }) => [taskId, 'RUNNING']),
      );
      expect(after.tasks.map(({ taskId }) => processesWith(`BOREALIS_TASK_ID=${taskId}`))).toEqual(pids);
      expect(submitted.length).toBeGreaterThan(0);
      for (const name of submitted) {
        const runs = async () => (await borealis.job(name)).tasks[0]?.state === 'RUNNING';
        await until(`${name} to run`, runs, redeliveredMs);
      }
    },
    withRedeliveryMs,
  );

  it('leaves what was deployed able to end and start tasks', async () => {
    const killed = await borealis.cli('job', 'killall', 'local/demo/devel/steady', '--yes', '--wait');
    expect(killed.code).toBe(0);
    const again = jobFile(borealis.dir, sleeper('steady', 2));
    expect((await borealis.cli('job', 'create', again, '--wait-until', 'RUNNING')).code).toBe(0);
  });
});

describe('dead-letter queues', () => {
  it('are empty: nothing was given up on', async () => {
    const { queues = [] } = await deployment.inventory();
    const deadLetters = queues.filter((name) => /-dlq(\.fifo)?$/.test(name));
    expect(deadLetters).toHaveLength(6);
    for (const name of deadLetters) {
      const text = await callService(endpoint, 'sqs', {
        target: 'AmazonSQS.GetQueueAttributes',
        body: { QueueUrl: `${endpoint}/000000000000/${name}`, AttributeNames: ['All'] },
      });
      const { Attributes } = JSON.parse(text) as { Attributes: Record<string, string> };
      expect([name, Attributes.ApproximateNumberOfMessages]).toEqual([name, '0']);
    }
  });
});
