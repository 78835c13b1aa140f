// Commands of other services: carried out once, by the functions of the API; refused ones say why, in two places.
import type { SQSRecord } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandDeps, processCommands } from '../../../functions/commands/process-commands.ts';
import { maxCommandBytes } from '../../../shared/api/commands.ts';
import { BorealisError } from '../../../shared/lib/errors.ts';
import { eventDetailSchemas } from '../../../shared/model/events.ts';
import type { Store } from '../../../shared/store/port.ts';
import { unique } from '../../contract/fixtures.ts';
import { commandDeps } from '../support/command-deps.ts';
import { createWorld, submission, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.stop());

const deadLetters = 'commands-dlq';

function deps(over: Partial<Store> = {}): CommandDeps {
  const store = { ...world.store, ...over };
  return commandDeps(world, { store, limit: 1_000, deadLettersUrl: deadLetters });
}

interface Options {
  readonly messageId?: string;
  readonly receives?: number;
}

function message(body: unknown, { messageId = unique('m'), receives = 1 }: Options = {}): SQSRecord {
  return {
    messageId,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    attributes: { SenderId: 'AROA1:shop', ApproximateReceiveCount: String(receives) },
  } as unknown as SQSRecord;
}

/** A message as the bus puts it into the queue. */
function event(detail: { role?: string; environment?: string }, over: object = {}): SQSRecord {
  const source = `borealis/${detail.role}/${detail.environment}`;
  return message({
    version: '0',
    id: unique('event'),
    'detail-type': 'Borealis Command',
    source,
    account: '123456789012',
    detail,
    ...over,
  });
}

async function take(records: readonly SQSRecord[], over: Partial<Store> = {}): Promise<readonly string[]> {
  const { batchItemFailures } = await processCommands({ Records: [...records] }, deps(over));
  return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
}

/** What was refused since the last look: dead letters, and events. */
function refused() {
  const letters = world.messages.take(deadLetters);
  const events = world.events.published
    .splice(0)
    .flatMap((one) => (one.detailType === 'Command Rejected' ? [one.detail] : []));
  for (const detail of events) eventDetailSchemas['Command Rejected'].parse(detail);
  return { letters, events };
}

const simple = {
  task: { resources: { cpu: 0.5, ram: '64MiB', disk: '16MiB' }, processes: [{ name: 'x', cmdline: 'true' }] },
};

function submit(over: object = {}) {
  const key = { role: 'web', environment: 'prod', name: unique('job') };
  return { version: 1, ...key, action: 'submit', body: { job: simple }, ...over } as const;
}

const jobOf = ({ role, environment, name }: { role: string; environment: string; name: string }) =>
  world.store.getJob({ role, environment, name });

describe('a command', () => {
  it('submits a job in the form of a job file, in the name of its source', async () => {
    const command = submit({ body: { job: { ...simple, instances: 3 } } });
    expect(await take([event(command)])).toEqual([]);
    expect(refused()).toEqual({ letters: [], events: [] });
    expect(await jobOf(command)).toMatchObject({
      desired: [{ instances: [0, 2] }],
      createdBy: 'event/123456789012/borealis/web/prod',
    });
  });

  it('submits a job in the form of the API, straight to the queue, in the name of its sender', async () => {
    const { role, environment, name, ...body } = submission();
    const command = { version: 1, role, environment, name, action: 'submit', body };
    expect(await take([message(command)])).toEqual([]);
    expect(await jobOf(command)).toMatchObject({ createdBy: 'queue/AROA1:shop' });
  });

  it('kills, restarts and adds as the API does', async () => {
    const made = submit({ body: { job: { ...simple, instances: 3, service: true } } });
    const { role, environment, name } = made;
    const edit = (action: string, body?: object) =>
      event({ version: 1, role, environment, name, action, ...(body && { body }) } as object);
    await take([event(made)]);
    await world.run();
    await take([edit('add', { count: 2 })]);
    expect(await jobOf(made)).toMatchObject({ desired: [{ instances: [0, 2] }, { instances: [3, 4] }] });
    await world.run();
    await take([edit('restart', { instances: [[1, 1]] })]);
    expect((await jobOf(made))?.restarts).toMatchObject([{ instances: [[1, 1]] }]);
    await take([edit('kill', { instances: [[0, 3]], message: 'enough' })]);
    expect(await jobOf(made)).toMatchObject({
      desired: [{ instances: [4, 4] }],
      killMessage: 'Killed by event/123456789012/borealis/web/prod.\nenough',
    });
    await take([edit('kill')]);
    expect(await jobOf(made)).toMatchObject({ desired: [] });
    expect(refused()).toEqual({ letters: [], events: [] });
  });

  it('starts an update and calls it, each once however often it is delivered', async () => {
    const made = submit({ body: { job: { ...simple, service: true } } });
    const { role, environment, name } = made;
    const key = { version: 1, role, environment, name };
    await take([event(made)]);
    await world.run();
    const job = { ...simple, service: true, priority: 7 };
    const start = event({ ...key, action: 'update', body: { job } } as object);
    await take([start]);
    await take([start]);
    const updates = async () => (await world.store.listJobUpdates(key, { limit: 10 })).items;
    expect(await updates()).toMatchObject([{ status: 'ROLLING_FORWARD' }]);
    const call = (action: string, body?: object) =>
      event({ ...key, action, updateId: 'active', ...(body && { body }) } as object);
    const pause = call('pause', { message: 'wait' });
    await take([pause]);
    expect(await updates()).toMatchObject([{ status: 'ROLL_FORWARD_PAUSED' }]);
    await take([call('resume')]);
    await take([pause]);
    expect(await updates()).toMatchObject([{ status: 'ROLLING_FORWARD' }]);
    await take([call('abort', { instances: 'hold' })]);
    const [update] = await updates();
    expect(update).toMatchObject({ status: 'ABORTED', user: 'event/123456789012/borealis/web/prod' });
    await world.run();
    const seen = world.events.published.flatMap((one) =>
      one.detailType === 'Update Change' ? [[one.detail.from, one.detail.to]] : [],
    );
    expect(seen).toEqual([
      [null, 'ROLLING_FORWARD'],
      ['ROLLING_FORWARD', 'ROLL_FORWARD_PAUSED'],
      ['ROLL_FORWARD_PAUSED', 'ROLLING_FORWARD'],
      ['ROLLING_FORWARD', 'ABORTED'],
    ]);
    await take([call('pause')]);
    expect(refused().events).toMatchObject([{ code: 'NOT_FOUND', action: 'pause' }]);
  });

  it('happens once however often its event or message is delivered', async () => {
    const made = submit();
    const add = { ...made, action: 'add', body: { count: 1 } };
    const records = [event(made), event(add), message(add, { messageId: 'once' })];
    await take(records);
    const stored = await world.dump();
    await take(records.toReversed());
    await take(records);
    expect(await world.dump()).toEqual(stored);
    expect(await jobOf(made)).toMatchObject({ instanceSpan: 3 });
    expect(refused()).toEqual({ letters: [], events: [] });
  });

  it('with an id of its own happens once however often it is sent, by whichever way', async () => {
    const made = submit();
    const add = { ...made, action: 'add', body: { count: 1 }, id: unique('id') };
    await take([event(made)]);
    await take([event(add), event(add), message(add)]);
    expect(await jobOf(made)).toMatchObject({ desired: [{ instances: [0, 0] }, { instances: [1, 1] }] });
    expect(await take([event({ ...add, body: { count: 2 } } as object)])).toEqual([]);
    expect(refused().events).toMatchObject([{ code: 'TOKEN_REUSED', commandId: add.id }]);
  });

  it('with an id that another role or environment has used is another command', async () => {
    const id = unique('id');
    const [one, two] = [submit({ id }), submit({ id, environment: 'test' })];
    await take([event(one), event(two)]);
    expect(refused().events).toEqual([]);
    expect([(await jobOf(one))?.name, (await jobOf(two))?.name]).toEqual([one.name, two.name]);
  });

  it('is carried out in the order of the batch for each job', async () => {
    const made = submit();
    const add = { ...made, action: 'add', body: { count: 1 } };
    expect(
      await take([event(made), event(add), event({ ...made, action: 'kill', body: {} } as object)]),
    ).toEqual([]);
    expect(await jobOf(made)).toMatchObject({ desired: [], instanceSpan: 2 });
  });
});

describe('a bad command', () => {
  const command = submit();
  const { body: _body, ...bodiless } = command;
  it.each<[string, () => SQSRecord, string, RegExp]>([
    ['is not JSON', () => message('{"version":'), 'MALFORMED_BODY', /JSON/],
    ['is no object', () => message('[]'), 'INVALID_REQUEST', /command/],
    ['has no action', () => message({ ...command, action: undefined }), 'INVALID_REQUEST', /action/],
    ['has no body', () => message(bodiless), 'INVALID_REQUEST', /body/],
    ['has another version', () => message({ ...command, version: 2 }), 'INVALID_REQUEST', /version/],
    ['has an unknown field', () => message({ ...command, colour: 1 }), 'INVALID_REQUEST', /colour/],
    [
      'names no process',
      () => message(submit({ body: { job: { task: { ...simple.task, processes: [] } } } })),
      'INVALID_CONFIG',
      /processes/,
    ],
    [
      'asks for nothing',
      () => message(submit({ body: { job: { task: { ...simple.task, resources: { cpu: -1 } } } } })),
      'INVALID_CONFIG',
      /cpu/,
    ],
    [
      'repeats its role',
      () => message(submit({ body: { job: { ...simple, role: 'ops' } } })),
      'INVALID_REQUEST',
      /leave out role/,
    ],
    [
      'names another cluster',
      () => message(submit({ body: { job: { ...simple, cluster: 'other' } } })),
      'INVALID_REQUEST',
      /cluster/,
    ],
    [
      'kills what is not there',
      () => message({ ...command, name: 'nobody', action: 'kill', body: {} }),
      'NOT_FOUND',
      /no job/,
    ],
    [
      'comes from another role',
      () => event(command, { source: 'borealis/ops/prod' }),
      'FORBIDDEN',
      /borealis\/web\/prod/,
    ],
    [
      'comes from another environment',
      () => event(command, { source: 'borealis/web/test' }),
      'FORBIDDEN',
      /source/,
    ],
    [
      'is an event of another type',
      () => event(command, { 'detail-type': 'Order Placed' }),
      'INVALID_REQUEST',
      /detail-type/,
    ],
    [
      'is too large',
      () => message({ ...command, id: 'x'.repeat(maxCommandBytes) }),
      'BODY_TOO_LARGE',
      /bytes/,
    ],
  ])(
    'that %s goes to the dead-letter queue with the reason, and the bus is told',
    async (_what, make, code, reason) => {
      const before = await world.dump();
      const record = make();
      expect(await take([record])).toEqual([]);
      expect(await world.dump()).toEqual(before);
      const { letters, events } = refused();
      expect(letters).toMatchObject([{ body: record.body, attributes: { code } }]);
      expect(letters[0]?.attributes?.reason).toMatch(reason);
      expect(events).toMatchObject([
        { code, cluster: 'local', commandId: letters[0]?.attributes?.commandId },
      ]);
      expect(events[0]?.message).toMatch(reason);
    },
  );

  it('does not keep the good ones beside it from being carried out', async () => {
    const good = submit();
    expect(await take([message('nonsense'), event(good), message('more')])).toEqual([]);
    expect(await jobOf(good)).toBeDefined();
    expect(refused().letters).toHaveLength(2);
  });

  it('is told by its own id and its names as far as they can be read', async () => {
    await take([message({ id: 'order-1', action: 'explode', role: 'web', name: 7 })]);
    expect(refused().events).toMatchObject([
      {
        commandId: 'order-1',
        action: 'explode',
        role: 'web',
        environment: null,
        name: null,
        from: 'queue/AROA1:shop',
      },
    ]);
  });

  it('that is larger than a message may be is put aside as far as it fits', async () => {
    await take([message({ ...command, id: 'x'.repeat(900_000) })]);
    const [letter] = refused().letters;
    expect(Buffer.byteLength(letter?.body ?? '')).toBeLessThan(256 * 1024 - 8000);
    expect(letter?.attributes?.cut).toMatch(/bytes/);
  });

  it('comes again if it could not be put aside', async () => {
    world.messages.failing.add(deadLetters);
    const record = message('nonsense');
    expect(await take([record])).toEqual([record.messageId]);
    world.messages.failing.clear();
    world.events.failing = true;
    expect(await take([record])).toEqual([record.messageId]);
    world.events.failing = false;
    expect(await take([record])).toEqual([]);
    expect(refused().events).toHaveLength(1);
  });
});

describe('a store that is slow', () => {
  const slow = new BorealisError('UNAVAILABLE', 'the store does not answer; nothing was changed');
  const createJob = async () => {
    throw slow;
  };

  it('leaves the command in the queue', async () => {
    const record = event(submit());
    expect(await take([record], { createJob })).toEqual([record.messageId]);
    expect(refused()).toEqual({ letters: [], events: [] });
    expect(await take([record])).toEqual([]);
  });

  it('refuses it at the last try, so that the dead letter says why', async () => {
    const record = message(submit(), { receives: 5 });
    expect(await take([record], { createJob })).toEqual([]);
    expect(refused().letters).toMatchObject([{ attributes: { code: 'UNAVAILABLE' } }]);
  });

  it('tells no inside of what nobody expected', async () => {
    const broken = async () => {
      throw new Error('secret detail');
    };
    await take([message(submit(), { receives: 5 })], { createJob: broken });
    const { events } = refused();
    expect(events).toMatchObject([{ code: 'INTERNAL' }]);
    expect(events[0]?.message).not.toContain('secret');
  });
});
