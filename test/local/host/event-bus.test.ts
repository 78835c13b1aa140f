// Rules of the embedded event bus, from the template to the target.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { EngineClient } from '../../../local/engines/aws-json.ts';
import { type DeliveryJournal, deliveryJournal } from '../../../local/host/delivery-journal.ts';
import { createEventBus, type EventBus } from '../../../local/host/event-bus.ts';
import type { StateMachines } from '../../../local/host/state-machines.ts';
import { planFrom } from '../../../local/template/plan.ts';
import type { Resource } from '../../../local/template/template.ts';
import { lambda, queue } from '../../fixtures/local/templates.ts';

const around = {
  region: 'us-east-1',
  accountId: '000000000000',
  sqsEndpoint: 'http://127.0.0.1:1',
  apiUrl: 'http://127.0.0.1:2',
};
const arnOf = (id: string) => ({ 'Fn::GetAtt': [id, 'Arn'] });

function rule(pattern: object, targets: readonly object[], more: object = {}): Resource {
  const Targets = targets.map((target, index) => ({ Id: `T${index}`, ...target }));
  return {
    Type: 'AWS::Events::Rule',
    Properties: { EventBusName: { Ref: 'Bus' }, EventPattern: pattern, Targets, ...more },
  } as Resource;
}

let bus: EventBus;
let invoked: unknown[];
let sent: Record<string, unknown>[];
let started: unknown[];
let logged: string[];
let failures: number;

function open(rules: Readonly<Record<string, Resource>>, journal?: DeliveryJournal): void {
  invoked = [];
  sent = [];
  started = [];
  logged = [];
  failures = 0;
  const plan = planFrom(
    {
      stack: {
        Resources: {
          Bus: { Type: 'AWS::Events::EventBus', Properties: { Name: 'events' } },
          F: lambda('handlers.ts'),
          Q: queue({ QueueName: 'work' }),
          Fifo: queue({ QueueName: 'work.fifo', FifoQueue: true }),
          Dead: queue({ QueueName: 'dead' }),
          M: {
            Type: 'AWS::StepFunctions::StateMachine',
            Properties: { StateMachineName: 'm', DefinitionString: '{}' },
          },
          ...rules,
        },
      },
    },
    around,
  );
  bus = createEventBus({
    rules: plan.rules,
    region: around.region,
    accountId: around.accountId,
    ...(journal && { journal }),
    log: (line) => logged.push(line),
    invoker: {
      invoke: async (_arn, event) => {
        if (failures-- > 0) throw new Error('told to fail');
        invoked.push(event);
      },
    },
    machines: {
      start: (arn: string, input: string, name?: string) => {
        started.push({ arn, input: JSON.parse(input), name });
      },
    } as unknown as StateMachines,
    sqs: {
      call: async (operation: string, input: object) => {
        sent.push({ operation, ...input });
      },
      close: () => undefined,
    } as unknown as EngineClient,
  });
}

function put(detail: object, DetailType = 'Task State Change', on = 'events'): string {
  return bus.put(on, { Source: 'borealis', DetailType, Detail: JSON.stringify(detail) });
}

afterEach(() => vi.useRealTimers());

describe('a rule', () => {
  it('gives a function the whole event, with the id the sender got', async () => {
    open({
      R: rule({ 'detail-type': ['Task State Change'], detail: { to: ['LOST'] } }, [{ Arn: arnOf('F') }]),
    });
    const id = put({ to: 'LOST', instance: 3 });
    put({ to: 'RUNNING' });
    put({ to: 'LOST' }, 'Other');
    put({ to: 'LOST' }, 'Task State Change', 'default');
    await bus.idle();
    expect(invoked).toEqual([
      {
        version: '0',
        id,
        source: 'borealis',
        'detail-type': 'Task State Change',
        account: around.accountId,
        region: around.region,
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        resources: [],
        detail: { to: 'LOST', instance: 3 },
      },
    ]);
  });

  it('may match any detail-type, and several rules may match one event', async () => {
    open({
      Any: rule({ source: [{ prefix: 'bor' }] }, [{ Arn: arnOf('Q') }]),
      Prefixed: rule({ 'detail-type': [{ prefix: 'Task' }] }, [{ Arn: arnOf('M') }]),
      Off: rule({ source: ['borealis'] }, [{ Arn: arnOf('F') }], { State: 'DISABLED' }),
    });
    const id = put({ n: 1 });
    put({ n: 2 }, 'Something New');
    await bus.idle();
    expect(sent.map(({ operation, QueueUrl }) => [operation, QueueUrl])).toEqual([
      ['SendMessage', 'http://127.0.0.1:1/000000000000/work'],
      ['SendMessage', 'http://127.0.0.1:1/000000000000/work'],
    ]);
    expect(sent.map(({ MessageBody }) => JSON.parse(String(MessageBody)).detail.n)).toEqual([1, 2]);
    expect(started).toMatchObject([{ input: { id, detail: { n: 1 } }, name: id }]);
    expect(invoked).toEqual([]);
  });

  it('says what its targets get, and the group of a FIFO queue', async () => {
    open({
      R: rule({ source: ['borealis'] }, [
        { Arn: arnOf('Fifo'), SqsParameters: { MessageGroupId: 'g' }, InputPath: '$.detail.role' },
        {
          Arn: arnOf('F'),
          InputTransformer: { InputPathsMap: { r: '$.detail.role' }, InputTemplate: '{"role":"<r>"}' },
        },
      ]),
    });
    put({ role: 'web' });
    await bus.idle();
    expect(sent).toMatchObject([{ MessageBody: '"web"', MessageGroupId: 'g' }]);
    expect(invoked).toEqual([{ role: 'web' }]);
  });

  it('may pass events on to another bus as they are', async () => {
    open({
      R: rule({ 'detail-type': ['Order Placed'] }, [{ Arn: arnOf('Bus') }], { EventBusName: 'default' }),
      S: rule({ 'detail-type': ['Order Placed'] }, [{ Arn: arnOf('F') }]),
    });
    put({ order: 1 }, 'Order Placed', 'default');
    await bus.idle();
    expect(invoked).toMatchObject([
      { source: 'borealis', 'detail-type': 'Order Placed', detail: { order: 1 } },
    ]);
  });
});

describe('a target that fails', () => {
  it('is tried again', async () => {
    open({ R: rule({ source: ['borealis'] }, [{ Arn: arnOf('F') }]) });
    failures = 2;
    put({ n: 1 });
    await bus.idle();
    expect(invoked).toMatchObject([{ detail: { n: 1 } }]);
  });

  it('is given up in the end: the event goes to the dead-letter queue, and the log says why', async () => {
    vi.useFakeTimers();
    open({
      R: rule({ source: ['borealis'] }, [{ Arn: arnOf('F'), DeadLetterConfig: { Arn: arnOf('Dead') } }]),
    });
    failures = 1000;
    put({ n: 1 });
    await vi.advanceTimersByTimeAsync(60_000);
    await bus.idle();
    expect(sent).toMatchObject([{ QueueUrl: 'http://127.0.0.1:1/000000000000/dead' }]);
    expect(logged.join()).toContain('told to fail');
  });

  it('keeps nobody waiting when the stack stops', async () => {
    open({ R: rule({ source: ['borealis'] }, [{ Arn: arnOf('F') }]) });
    failures = 1000;
    put({ n: 1 });
    bus.stop();
    await bus.idle();
    expect(sent).toEqual([]);
  });
});

describe('an event that was taken and has not arrived', () => {
  const dir = mkdtempSync(join(tmpdir(), 'borealis-journal-'));
  const file = join(dir, 'events.db');
  const rules = { R: rule({ source: ['borealis'] }, [{ Arn: arnOf('F') }]) };
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('is delivered by the next run, once; that of a target that is gone is forgotten', async () => {
    // The process ends in the middle: nothing is stopped, nothing closed.
    open({ ...rules, Gone: rule({ source: ['borealis'] }, [{ Arn: arnOf('Q') }]) }, deliveryJournal(file));
    failures = 1;
    const id = put({ n: 1 });
    const journal = deliveryJournal(file);
    expect(journal.left()).toHaveLength(2);
    bus.stop();
    await bus.idle();

    open(rules, journal);
    bus.resume();
    await bus.idle();
    expect(invoked).toMatchObject([{ id, detail: { n: 1 } }]);
    expect(journal.left()).toEqual([]);
  });
});

describe('a rule nobody can carry out stops the start', () => {
  it.each<[string, Resource, string]>([
    ['a schedule', rule({}, [], { ScheduleExpression: 'rate(1 day)' }), 'ScheduleExpression'],
    ['an unknown filter', rule({ source: [{ soundsLike: 'x' }] }, []), 'soundsLike'],
    ['a target of another kind', rule({ source: ['x'] }, [{ Arn: 'arn:aws:sns:x:1:t' }]), 'arn:aws:sns'],
    ['a queue of somebody else', rule({ source: ['x'] }, [{ Arn: 'arn:aws:sqs:x:1:q' }]), 'not a queue'],
  ])('%s', (_what, resource, message) => {
    expect(() => open({ R: resource })).toThrow(message);
  });
});
