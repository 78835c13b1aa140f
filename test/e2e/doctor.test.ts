// `borealis doctor` on a real installation: healthy, ill and gone. With BOREALIS_E2E_API it looks at a deployment and
// reads stacks, tables, queues and schedules from AWS.
import { PurgeQueueCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Finding } from '../../cli/doctor/facts.ts';
import { type Installation, startInstallation, until } from './harness.ts';

interface Answer {
  readonly ok: boolean;
  readonly findings: readonly Finding[];
}

const isDeployed = process.env.BOREALIS_E2E_API !== undefined;
let installation: Installation;
beforeAll(async () => {
  installation = await startInstallation(['agent-a']);
});
afterAll(async () => {
  // A deployed installation outlives this test, and others look at its dead letters.
  await withTimersDlq((client, QueueUrl) => client.send(new PurgeQueueCommand({ QueueUrl })));
  await installation?.stop();
});

async function examine(...args: readonly string[]): Promise<{ code: number; answer: Answer }> {
  const { code, stdout } = await installation.cli('doctor', '--json', ...args);
  return { code, answer: JSON.parse(stdout) as Answer };
}
const levelOf = ({ findings }: Answer, check: string) =>
  findings.filter((one) => one.check === check).map(({ level }) => level);

describe('borealis doctor', () => {
  it('finds nothing wrong with an installation that has just been started', async () => {
    const { code, answer } = await examine();
    expect(answer.findings.filter(({ level }) => level === 'problem')).toEqual([]);
    expect(code).toBe(0);
    expect(answer.ok).toBe(true);
    for (const check of ['api', 'version', 'clock', 'queues', 'agents'])
      expect(levelOf(answer, check)).toEqual(['ok']);
  });

  it(
    isDeployed ? 'reads from AWS what the stacks hold' : 'asks AWS nothing about a stack on this machine',
    async () => {
      const { answer } = await examine();
      if (!isDeployed) {
        const ofAws = ['credentials', 'event sources', 'schedules', 'alarms', 'stacks', 'tables'];
        expect(answer.findings.filter(({ check }) => ofAws.includes(check))).toEqual([]);
        return;
      }
      for (const check of ['credentials', 'event sources', 'schedules', 'alarms']) {
        expect(levelOf(answer, check), check).toEqual(['ok']);
      }
      expect(levelOf(answer, 'stacks')).toEqual(['ok', 'ok', 'ok']);
      // Deployed to be thrown away.
      expect(answer.findings.filter(({ check }) => check === 'tables').map(({ message }) => message)).toEqual(
        expect.arrayContaining([expect.stringContaining('can be deleted by mistake')]),
      );
    },
  );

  it('finds a dead letter, says where help is, and ends with 4', async () => {
    // As if the timers had given up on something.
    await withTimersDlq((client, QueueUrl) =>
      client.send(new SendMessageCommand({ QueueUrl, MessageBody: '{}' })),
    );
    const { answer, code } = await until('the dead letter', async () => {
      const examined = await examine();
      return examined.code === 4 && examined;
    });
    expect(code).toBe(4);
    expect(answer.ok).toBe(false);
    const problems = answer.findings.filter(({ level }) => level === 'problem');
    expect(problems).toMatchObject([
      {
        check: 'queues',
        message: 'borealis-local-timers-dlq holds 1 message: work that was given up',
        todo: expect.stringContaining('docs/runbook.md#timers-dead-letters'),
      },
    ]);
    const { stdout } = await installation.cli('doctor');
    expect(stdout).toMatch(
      /^problem +queues +borealis-local-timers-dlq holds 1 message.*\n +-> Look at the messages/m,
    );
  });

  it('says what to do where nothing answers, and ends with 7', async () => {
    const { code, answer } = await examine('--api', 'http://127.0.0.1:1');
    expect(code).toBe(7);
    expect(answer.findings).toMatchObject([
      { check: 'api', level: 'problem', todo: expect.stringContaining('npm start') },
    ]);
  });
});

async function withTimersDlq(work: (client: SQSClient, queueUrl: string) => Promise<unknown>): Promise<void> {
  const endpoint = process.env.AWS_ENDPOINT_URL_SQS ?? (await localSqs());
  const client = new SQSClient({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  await work(client, `${endpoint}/000000000000/borealis-local-timers-dlq`);
  client.destroy();
}

async function localSqs(): Promise<string> {
  const stats = (await (await fetch(`${installation.apiUrl}/_local/stats`)).json()) as {
    sqsEndpoint: string;
  };
  return stats.sqsEndpoint;
}
