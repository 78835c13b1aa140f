// The task codec: nothing is lost, a row stays under one write unit, garbage is named.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isOnAgent, type Task, taskStates } from '../../../shared/model/task.ts';
import { decodePendingRow, decodeTask, encodeTask } from '../../../shared/store/codec/task-row.ts';
import { makeTask, pendingRowOf, step, t0 } from '../../contract/fixtures.ts';
import { itemBytes } from './item-size.ts';

const historyMs = 172_800_000;

const word = fc.string({ minLength: 1, maxLength: 12 });
const resources = fc.record({
  cpuMilli: fc.integer({ min: 1, max: 1_024_000 }),
  ramMb: fc.integer({ min: 1, max: 67_108_864 }),
  diskMb: fc.nat(),
  gpus: fc.integer({ min: 0, max: 64 }),
  gpuMilli: fc.integer({ min: 0, max: 1000 }),
  gpuModels: fc.array(word, { maxLength: 3 }),
  ports: fc.array(fc.stringMatching(/^[\w-]{1,8}$/), { maxLength: 3 }),
});
const constraint = fc.oneof(
  fc.record({ kind: fc.constant('limit' as const), attribute: word, limit: fc.integer({ min: 1, max: 9 }) }),
  fc.record({
    kind: fc.constant('value' as const),
    attribute: word,
    negated: fc.boolean(),
    values: fc.array(word, { minLength: 1, maxLength: 3 }),
  }),
);
const event = fc.record(
  {
    state: fc.constantFrom(...taskStates),
    at: fc.integer({ min: 0, max: 9_999_999_999_999 }),
    message: fc.string(),
  },
  { requiredKeys: ['state', 'at'] },
);
const grant = fc.record({
  gpus: fc.array(fc.tuple(fc.nat(63), fc.integer({ min: 1, max: 1000 })), { maxLength: 3 }),
  ports: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.integer({ min: 1, max: 65_535 }), {
    maxKeys: 3,
  }),
});
const identifier = fc.stringMatching(/^[\w\-.]{1,20}$/);

/** Any task the model allows, with and without each optional part. */
const anyTask: fc.Arbitrary<Task> = fc
  .record({
    role: identifier,
    environment: identifier,
    name: identifier,
    instance: fc.nat(99_999),
    generation: fc.integer({ min: 1, max: 99_999_999 }),
    configId: word,
    spec: fc.nat(),
    state: fc.constantFrom(...taskStates),
    pool: identifier,
    service: fc.boolean(),
    priority: fc.nat(99_999),
    maxTaskFailures: fc.integer({ min: -1, max: 1000 }),
    resources,
    constraints: fc.array(constraint, { maxLength: 3 }),
    createdAt: fc.integer({ min: 0, max: 9_999_999_999_999 }),
    events: fc.array(event, { maxLength: 5 }),
    failureCount: fc.nat(),
    flapStreak: fc.nat(),
  })
  .chain((task) =>
    fc
      .record(
        {
          agentId: identifier,
          grant,
          deadlineAt: fc.integer({ min: 1, max: 9_999_999_999_999 }),
          ancestorId: fc.constantFrom(
            makeTask({ ...task, generation: Math.max(1, task.generation - 1) }).taskId,
            makeTask({ name: 'elsewhere' }).taskId,
          ),
        },
        { requiredKeys: [] },
      )
      .map((optional) => makeTask({ ...task, ...optional })),
  );

describe('the task codec', () => {
  it('gives back every task it was given', () => {
    fc.assert(
      fc.property(anyTask, (task) => {
        expect(decodeTask(encodeTask(task, historyMs))).toEqual(task);
      }),
      { numRuns: 500 },
    );
  });

  it('puts into the pending index all that a pending row needs', () => {
    fc.assert(
      fc.property(anyTask, (task) => {
        const row = encodeTask({ ...task, state: 'PENDING' }, historyMs);
        const projected = ['pk', 'sk', 'gp', 'gs', 'x', 'c', 'r', 'co'];
        const entry = Object.fromEntries(Object.entries(row).filter(([name]) => projected.includes(name)));
        expect(decodePendingRow(entry)).toEqual(pendingRowOf(task));
      }),
    );
  });

  it('mends a message that was cut in the middle of a character, which no table takes', () => {
    const events = [{ state: 'PENDING' as const, at: t0, message: 'cut \ud83d' }];
    expect(decodeTask(encodeTask(makeTask({ events }), historyMs)).events).toEqual([
      { state: 'PENDING', at: t0, message: 'cut \ufffd' },
    ]);
  });

  it('marks a row for exactly the indexes of its state', () => {
    fc.assert(
      fc.property(anyTask, (task) => {
        const row = encodeTask(task, historyMs);
        expect('gp' in row).toBe(task.state === 'PENDING');
        expect('gt' in row).toBe(task.deadlineAt !== undefined);
        expect('ag' in row).toBe(isOnAgent(task.state) && task.agentId !== undefined);
      }),
    );
  });

  it.each([
    ['a missing state', { s: undefined }],
    ['an unknown state', { s: 'HAPPY' }],
    ['resources that are not JSON', { r: '[1,' }],
    ['events of another make', { e: [{ state: 'PENDING' }] }],
    ['an event without a time', { e: ['P'] }],
    ['no events', { e: undefined }],
    ['a key of another kind', { pk: 'ROLES' }],
    ['a number as text', { t: 'yesterday' }],
    ['resources that are no list', { r: '{"0":1}' }],
    ['resources without numbers', { r: '["much",1,1]' }],
    ['an agent that is no text', { ag: { toString: 'x' } }],
    ['a former agent that is no text', { a: 7 }],
  ])('refuses %s, naming the row', (_what, damage) => {
    const row = { ...encodeTask(makeTask(), historyMs), ...damage };
    expect(() => decodeTask(row)).toThrow(
      expect.objectContaining({ code: 'INTERNAL', message: expect.stringContaining('I#000000#00000001') }),
    );
  });
});

/** A whole life, ended: the row at its largest. */
function finished(over: Partial<Task>): Task {
  const assigned = step(makeTask(over), 'ASSIGNED', { agentId: 'ip-10-20-30-40-eu-central-1a' });
  const starting = step(assigned, 'STARTING', { deadlineAt: t0 });
  return step(step(starting, 'RUNNING'), 'FINISHED');
}

describe('the row of an ended task', () => {
  const cases: readonly (readonly [string, Task])[] = [
    [
      'of a hello service that was replaced',
      finished({
        name: 'hello-service',
        instance: 2,
        generation: 14,
        grant: { gpus: [], ports: { health: 31_234, http: 31_235 } },
        resources: { ...makeTask().resources, ports: ['http', 'health'] },
        constraints: [{ kind: 'limit', attribute: 'host', limit: 1 }],
        ancestorId: makeTask({ name: 'hello-service', instance: 2, generation: 13 }).taskId,
        events: [{ state: 'PENDING', at: t0, message: 'Rescheduled' }],
        failureCount: 3,
      }),
    ],
    [
      'of the openb trace',
      finished({
        role: 'openb',
        environment: 'replay',
        name: 'openb-pod-8151',
        service: false,
        grant: {
          gpus: Array.from({ length: 8 }, (_, device): [number, number] => [device, 1000]),
          ports: {},
        },
        resources: {
          cpuMilli: 96_000,
          ramMb: 786_432,
          diskMb: 0,
          gpus: 8,
          gpuMilli: 1000,
          gpuModels: ['V100M16', 'V100M32', 'P100'],
          ports: [],
        },
      }),
    ],
    [
      'with long names and messages',
      finished({
        role: 'a-team-with-a-rather-long-name',
        environment: 'production-eu-central-1',
        name: 'a-service-with-a-rather-long-name',
        grant: { gpus: [[3, 440]], ports: { http: 31_000, health: 31_001, admin: 31_002 } },
        events: [{ state: 'PENDING', at: t0, message: 'x'.repeat(120) }],
      }),
    ],
  ];
  it.each(cases)('%s is under 1 KB, one write unit', (_name, task) => {
    const bytes = itemBytes(encodeTask(task, historyMs));
    expect(bytes).toBeLessThan(1024);
  });
});
