// Machines that will go, from the real events of EC2 and EventBridge to the answer to their Auto Scaling group, which is
// an HTTP server that speaks its protocol. Store, stream consumer and drainer are real.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTerminationPort } from '../../../functions/agent-lifecycle/auto-scaling.ts';
import { followNotice } from '../../../functions/agent-lifecycle/follow-notice.ts';
import { noticeSchema } from '../../../functions/agent-lifecycle/notices.ts';
import { processGroups } from '../../../functions/queue-batch.ts';
import { sqsEvent } from '../support/fakes.ts';
import { createWorld, pathOf, registration, statusReport, submission, type World } from '../support/world.ts';

const instance = 'i-0abc1234def567890';
const queueUrl = 'lifecycle';

let world: World;
let server: Server;
let client: AutoScalingClient;
let asked: URLSearchParams[];
/** What the group answers: it waits, it does not know the action, or it is out of order. */
let answer: 'waits' | 'unknown' | 'down';

beforeEach(async () => {
  world = await createWorld();
  asked = [];
  answer = 'waits';
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const form = new URLSearchParams(Buffer.concat(chunks).toString());
      asked.push(form);
      const action = form.get('Action') ?? '';
      if (answer === 'down') return response.writeHead(400).end(problem('AccessDenied', 'no'));
      if (answer === 'unknown')
        return response.writeHead(400).end(problem('ValidationError', 'No active action'));
      return response.end(`<${action}Response><${action}Result/></${action}Response>`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = new AutoScalingClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'x', secretAccessKey: 'x' },
    maxAttempts: 1,
  });
});
afterEach(async () => {
  client.destroy();
  server.close();
  await world.stop();
});

const problem = (code: string, message: string) =>
  `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`;

/** Gives the function one message; answers how many failed. */
async function deliver(body: unknown): Promise<number> {
  const deps = {
    store: world.store,
    groups: createTerminationPort(client),
    messages: world.messages,
    queueUrl,
    maxDrainMs: 600_000,
    clock: () => world.now,
    log: world.log,
  };
  const { batchItemFailures } = await processGroups(sqsEvent([body]), {
    schema: noticeSchema,
    groupOf: (notice) => JSON.stringify(notice),
    log: world.log,
    work: (notice) => followNotice(notice, deps),
  });
  await world.run();
  return batchItemFailures.length;
}

/** As Amazon documents them, field by field. */
const events = {
  terminate: () => ({
    version: '0',
    id: '12345678-1234-1234-1234-123456789012',
    'detail-type': 'EC2 Instance-terminate Lifecycle Action',
    source: 'aws.autoscaling',
    account: '123456789012',
    time: new Date(world.now).toISOString().replace('.000Z', 'Z'),
    region: 'eu-west-1',
    resources: [
      'arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:x:autoScalingGroupName/borealis-test-agents',
    ],
    detail: {
      LifecycleActionToken: '87654321-4321-4321-4321-210987654321',
      AutoScalingGroupName: 'borealis-test-agents',
      LifecycleHookName: 'borealis-test-drain',
      EC2InstanceId: instance,
      LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
      Origin: 'AutoScalingGroup',
      Destination: 'EC2',
    },
  }),
  interruption: (id = instance) => ({
    version: '0',
    id: '12345678-1234-1234-1234-123456789013',
    'detail-type': 'EC2 Spot Instance Interruption Warning',
    source: 'aws.ec2',
    account: '123456789012',
    time: new Date(world.now).toISOString(),
    region: 'eu-west-1',
    resources: [`arn:aws:ec2:eu-west-1b:instance/${id}`],
    detail: { 'instance-id': id, 'instance-action': 'terminate' },
  }),
  rebalance: () => ({
    version: '0',
    id: '12345678-1234-1234-1234-123456789014',
    'detail-type': 'EC2 Instance Rebalance Recommendation',
    source: 'aws.ec2',
    account: '123456789012',
    time: new Date(world.now).toISOString(),
    region: 'eu-west-1',
    resources: [`arn:aws:ec2:eu-west-1b:instance/${instance}`],
    detail: { 'instance-id': instance },
  }),
};

/** A service of two instances that run on the machine. */
async function runningThere() {
  await world.report([registration(instance)]);
  const job = submission();
  await world.call('POST', pathOf(job), { body: job });
  await world.run();
  const ids = (await world.tasks(job)).map(({ taskId }) => taskId);
  await world.report([
    statusReport(
      instance,
      ids.map((taskId) => [taskId, 'RUNNING'] as const),
    ),
  ]);
  await world.run();
  world.now += 60_000;
  return job;
}

const agentNow = async () => (await world.store.getAgent(instance))?.agent;
const waiting = () => world.messages.take(queueUrl);
const lastAction = () => {
  const form = asked.at(-1);
  return [form?.get('Action'), form?.get('InstanceId'), form?.get('LifecycleActionResult')];
};

describe('a termination by the Auto Scaling group', () => {
  it('waits while the machine is emptied, and goes on when it is empty', async () => {
    const job = await runningThere();
    await world.report([registration('a2')]);
    expect(await deliver(events.terminate())).toBe(0);
    expect(await agentNow()).toMatchObject({
      mode: 'DRAINING',
      drain: { reason: 'terminated by its Auto Scaling group', deadlineAt: world.now + 600_000 - 75_000 },
    });
    expect(lastAction()).toEqual(['RecordLifecycleActionHeartbeat', instance, null]);
    expect(asked.at(-1)?.get('LifecycleActionToken')).toBe('87654321-4321-4321-4321-210987654321');

    for (let looks = 0; looks < 20 && (await agentNow())?.mode !== 'DRAINED'; looks++) {
      const [again] = waiting();
      expect(again?.delaySeconds).toBe(15);
      await world.drain();
      await world.run();
      for (const agentId of [instance, 'a2']) {
        const own = (await world.tasks(job)).filter((task) => task.agentId === agentId);
        const ended = own
          .filter(({ state }) => state === 'DRAINING')
          .map(({ taskId }) => [taskId, 'KILLED'] as const);
        const begun = own
          .filter(({ state }) => state === 'ASSIGNED')
          .map(({ taskId }) => [taskId, 'RUNNING'] as const);
        if (ended.length + begun.length > 0)
          await world.report([statusReport(agentId, [...ended, ...begun])]);
        await world.run();
      }
      world.now += 30_000;
      expect(await deliver(JSON.parse(again?.body ?? '{}'))).toBe(0);
    }
    const [last] = waiting();
    if (last) await deliver(JSON.parse(last.body));
    expect(lastAction()).toEqual(['CompleteLifecycleAction', instance, 'CONTINUE']);
    expect(waiting()).toEqual([]);
    const live = (await world.tasks(job)).filter(({ state }) => state === 'RUNNING');
    expect(live.map(({ agentId }) => agentId)).toEqual(['a2', 'a2', 'a2']);
  });

  it('goes on when the longest time has passed, whatever still runs', async () => {
    await runningThere();
    await deliver(events.terminate());
    const [again] = waiting();
    world.now += 600_000;
    await deliver(JSON.parse(again?.body ?? '{}'));
    expect(lastAction()).toEqual(['CompleteLifecycleAction', instance, 'CONTINUE']);
    expect(waiting()).toEqual([]);
  });

  it('goes on at once for a machine that never became an agent', async () => {
    await deliver(events.terminate());
    expect(asked.map((form) => form.get('Action'))).toEqual(['CompleteLifecycleAction']);
  });

  it('is forgotten when the group no longer waits for it', async () => {
    await runningThere();
    answer = 'unknown';
    expect(await deliver(events.terminate())).toBe(0);
    expect(waiting()).toEqual([]);
  });

  it('comes again when the group cannot be reached', async () => {
    await runningThere();
    answer = 'down';
    expect(await deliver(events.terminate())).toBe(1);
    answer = 'waits';
    expect(await deliver(events.terminate())).toBe(0);
    expect(waiting()).toHaveLength(1);
  });

  it('comes again when the next look could not be asked for', async () => {
    await runningThere();
    world.messages.failing.add(queueUrl);
    expect(await deliver(events.terminate())).toBe(1);
    expect(await agentNow()).toMatchObject({ mode: 'DRAINING' });
    world.messages.failing.clear();
    expect(await deliver(events.terminate())).toBe(0);
    expect(waiting()).toHaveLength(1);
  });

  it('empties a machine again that somebody took back meanwhile', async () => {
    await runningThere();
    await deliver(events.terminate());
    await world.call('POST', `/agents/${instance}/undrain`, { body: {} });
    const [again] = waiting();
    await deliver(JSON.parse(again?.body ?? '{}'));
    expect((await agentNow())?.mode).toBe('DRAINING');
  });
});

describe('a notice of EC2', () => {
  it('of a spot interruption gives 45 seconds within the budget', async () => {
    await runningThere();
    expect(await deliver(events.interruption())).toBe(0);
    expect(await agentNow()).toMatchObject({
      mode: 'DRAINING',
      drain: { deadlineAt: world.now + 45_000, reason: 'spot interruption', requestedBy: 'EC2' },
    });
    expect(asked).toEqual([]);
  });

  it('that rebalancing is advised gives half an hour', async () => {
    await runningThere();
    await deliver(events.rebalance());
    expect((await agentNow())?.drain?.deadlineAt).toBe(world.now + 30 * 60_000);
  });

  it('of a machine that is no agent changes nothing', async () => {
    await runningThere();
    const before = await world.dump();
    expect(await deliver(events.interruption('i-0000000000000000f'))).toBe(0);
    expect(await world.dump()).toEqual(before);
  });

  it('that cannot be read ends in the dead-letter queue', async () => {
    expect(await deliver({ 'detail-type': 'Something else', detail: {} })).toBe(1);
  });
});
