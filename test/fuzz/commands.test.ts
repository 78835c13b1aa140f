// Hostile messages on the queue of commands, as events of the bus and as plain messages: each is carried out or refused for
// good with a reason that is not our own failure, what is refused stores nothing, and what is told about it can be told.
import type { SQSRecord } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attributesOf } from '../../functions/clients/message-port.ts';
import { type CommandDeps, processCommands } from '../../functions/commands/process-commands.ts';
import type { OutgoingMessage } from '../../functions/ports.ts';
import { eventDetailSchemas } from '../../shared/model/events.ts';
import { commandDeps } from '../functions/support/command-deps.ts';
import { submission } from '../functions/support/world.ts';
import { below, corrupt, hostileText, type Json, mutate, pick, type Random, randomOf } from './hostile.ts';
import { carryOutAll, createInstallation, type Installation } from './installation.ts';
import { forEachSeed, timeoutMs } from './settings.ts';

let target: Installation;
let deps: CommandDeps;
beforeAll(async () => {
  target = await createInstallation();
  const { world, store } = target;
  deps = commandDeps(world, { store, limit: 1_000_000, deadLettersUrl: 'dead' });
});
afterAll(() => target.world.stop());

function goodCommand(random: Random): Json {
  const { role, environment, name } = pick(random, target.jobs);
  const key = { version: 1, role, environment, name };
  const updateId = pick(random, [...target.updateIds, 'active', 'latest']);
  const job = {
    service: true,
    task: {
      resources: { cpu: 0.5, ram: '64MiB', disk: '16MiB' },
      processes: [{ name: 'main', cmdline: 'echo {{borealis.instance}}' }],
    },
  };
  const made = { ...key, name: `made-${below(random, 1e9)}` };
  const message = pick(random, ['bye', hostileText(random).slice(0, 1024)]);
  return pick(random, [
    { ...made, id: `order-${below(random, 60)}`, action: 'submit', body: { job } },
    { ...made, action: 'submit', body: { configs: submission().configs } },
    { ...key, action: 'kill', body: { instances: [[0, 0]], message } },
    { ...key, action: 'restart', body: { message } },
    { ...key, action: 'add', body: { count: 1 } },
    { ...key, action: 'update', body: { job, message } },
    { ...key, action: 'pause', updateId, body: { message } },
    { ...key, action: 'abort', updateId, body: { instances: 'hold' } },
    { ...key, action: 'pulse', updateId },
  ]) as unknown as Json;
}

function hostileMessage(random: Random): SQSRecord {
  let detail = goodCommand(random);
  for (let left = below(random, 4); left > 0; left--) detail = mutate(random, detail);
  const { role = 'web', environment = 'prod' } = (detail ?? {}) as { role?: Json; environment?: Json };
  const event = {
    version: '0',
    id: hostileTextOr(random, `event-${below(random, 1e9)}`),
    'detail-type': hostileTextOr(random, 'Borealis Command'),
    source: hostileTextOr(random, `borealis/${textOf(role)}/${textOf(environment)}`),
    account: hostileTextOr(random, '123456789012'),
    detail,
  } as Json;
  const body = JSON.stringify(random() < 0.6 ? event : detail);
  return {
    messageId: `m-${below(random, 1e9)}`,
    body: sqsText(random() < 0.2 ? corrupt(random, body) : body) || ' ',
    attributes: { SenderId: 'AROA1:shop', ApproximateReceiveCount: '1' },
  } as unknown as SQSRecord;
}

const textOf = (value: Json) => (typeof value === 'string' ? value.slice(0, 300) : 'x');
const hostileTextOr = (random: Random, good: string) => (random() < 0.9 ? good : hostileText(random));
/** The queue would not have taken other characters in the first place. */
const sqsText = (text: string) =>
  text.toWellFormed().replaceAll(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '?');

/** What SQS and EventBridge ask of what they are given. */
function checkTold(message: OutgoingMessage): void {
  const { body } = message;
  const attributes = attributesOf(message.attributes ?? {});
  const parts = [body, ...Object.values(attributes).map(({ StringValue = '' }) => StringValue)];
  for (const part of parts) {
    if (part === '') throw new Error('an empty body or attribute is refused by the queue');
    if (part !== sqsText(part)) throw new Error(`the queue refuses ${JSON.stringify(part.slice(0, 100))}`);
  }
  const bytes = [...parts, ...Object.keys(attributes)].reduce(
    (sum, part) => sum + Buffer.byteLength(part),
    0,
  );
  if (bytes > 256 * 1024) throw new Error(`${bytes} bytes are too many for the queue`);
}

describe('hostile commands', () => {
  it('are carried out, or refused for a reason of their own without a trace', {
    timeout: timeoutMs,
  }, async () => {
    const { world } = target;
    target.takeWrites();
    const outcomes = await forEachSeed('commands', async (seed) => {
      const record = hostileMessage(randomOf(seed));
      const told = world.messages.sent.length;
      const published = world.events.published.length;
      const { batchItemFailures } = await processCommands({ Records: [record] }, deps);
      const refusals = world.messages.sent.slice(told);
      for (const { message } of refusals) checkTold(message);
      const [refusal] = refusals;
      if (batchItemFailures.length > 0) {
        const last = JSON.stringify(world.log.lines.slice(-2));
        // Another job is being changed by an update that is under way: that may pass.
        if (!last.includes('comes again')) throw new Error(`it was neither done nor refused: ${last}`);
        const writes = target.takeWrites();
        if (writes.length > 0) throw new Error(`it comes again, but wrote ${writes.join(', ')}`);
        return 'comes again';
      }
      const writes = target.takeWrites();
      if (refusal === undefined) return 'done';
      const code = refusal.message.attributes?.code ?? '';
      if (code === 'INTERNAL')
        throw new Error(
          `our own failure: ${refusal.message.attributes?.reason}; ${JSON.stringify(world.log.lines.slice(-2))}`,
        );
      if (writes.length > 0) throw new Error(`${code}, but it wrote ${writes.join(', ')}`);
      const [event] = world.events.published.slice(published);
      eventDetailSchemas['Command Rejected'].parse(event?.detail);
      if (Buffer.byteLength(JSON.stringify(event)) > 256 * 1024)
        throw new Error('the event is too large for the bus');
      return code;
    });
    expect(outcomes.size).toBeGreaterThan(0);
    await carryOutAll(target);
  });
});
