// A machine that dies and is replaced, with everything real: what is left of it is forgotten, by itself and by hand; and
// should it come back after all, it is a new agent that runs tasks.
import { ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { agentQueueName } from '../../shared/model/names.ts';
import { type EmbeddedInstallation, startEmbedded, until } from './harness.ts';
import { jobFile, sleeper } from './jobs.ts';

const forgetAfterSecs = 10;
let borealis: EmbeddedInstallation;
beforeAll(async () => {
  borealis = await startEmbedded(['agent-a', 'agent-b'], {
    agentTimings: { heartbeatMs: 1000, reconcileMs: 2000, registerMs: 60_000, killBudgetMs: 5000 },
    environment: { AGENT_LOST_AFTER_SECS: '8', AGENT_FORGET_AFTER_SECS: String(forgetAfterSecs) },
  });
});
afterAll(async () => {
  await borealis.stop();
});

/** The minute's work again and again, while a test waits for what comes of it. */
function repeatSchedules(): void {
  let isOver = false;
  const loop = (async () => {
    while (!isOver) {
      await borealis.stack.runSchedules();
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  })();
  onTestFinished(async () => {
    isOver = true;
    await loop;
  });
}

const listed = async (): Promise<string[]> => {
  const { agents } = await borealis.api.call('listAgents', { query: {} });
  return agents.map(({ agentId, presence }) => `${agentId} ${presence}`).toSorted();
};

async function queues(): Promise<string[]> {
  const region = { region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
  const client = new SQSClient({ endpoint: borealis.endpoints.sqs, ...region });
  const QueueNamePrefix = agentQueueName(borealis.cluster, '');
  const { QueueUrls = [] } = await client.send(new ListQueuesCommand({ QueueNamePrefix }));
  client.destroy();
  return QueueUrls.map((url) => url.slice(url.lastIndexOf(QueueNamePrefix) + QueueNamePrefix.length)).sort();
}

const runsOn = async (name: string): Promise<string[]> => {
  const { tasks } = await borealis.job(name);
  return tasks.filter(({ state }) => state === 'RUNNING').map(({ agentId }) => agentId ?? '');
};

async function die(id: string): Promise<void> {
  const process = await borealis.spawnAgent(id);
  process.kill('SIGKILL');
}

describe('an agent whose machine is gone', () => {
  it('is forgotten with its queue after a while; should it return, it runs tasks again', async () => {
    repeatSchedules();
    const file = jobFile(borealis.dir, sleeper('wide', 2, 3));
    const created = await borealis.cli('job', 'create', file, '--wait-until', 'RUNNING', '--timeout', '60s');
    expect([created.code, created.stderr]).toEqual([0, expect.any(String)]);
    expect((await runsOn('wide')).toSorted()).toEqual(['agent-a', 'agent-b']);
    await die('agent-b');
    await until('agent-b to be forgotten', async () => (await listed()).join() === 'agent-a present', 90_000);
    await until('its queue to be gone', async () => (await queues()).join() === 'agent-a');
    expect(await runsOn('wide')).toEqual(['agent-a']);
    // Twice as large as what is left of agent-a.
    await borealis.startAgent('agent-b');
    await until(
      'the other instance to run again',
      async () => (await runsOn('wide')).includes('agent-b'),
      90_000,
    );
    expect(await queues()).toEqual(['agent-a', 'agent-b']);
    expect(await listed()).toEqual(['agent-a present', 'agent-b present']);
  });

  it('is forgotten by hand once it is lost, and not before', async () => {
    const heard = await borealis.cli('agent', 'forget', 'agent-b');
    expect([heard.code, heard.stderr]).toEqual([expect.any(Number), expect.stringContaining('is not lost')]);
    expect(heard.code).not.toBe(0);
    repeatSchedules();
    await die('agent-b');
    const done = await until('agent-b to be lost and forgotten', async () => {
      const { code, stderr } = await borealis.cli('agent', 'forget', 'agent-b');
      return code === 0 && stderr;
    });
    expect(done).toContain('agent agent-b is forgotten');
    await until('its queue to be gone', async () => (await queues()).join() === 'agent-a');
  });
});
