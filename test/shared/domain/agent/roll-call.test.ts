// Who is lost and who is not: the rules of the roll call, minute by minute.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { presenceOf } from '../../../../shared/domain/agent/presence.ts';
import {
  callRoll,
  defaultRollCall,
  type Heard,
  type RollCallResult,
} from '../../../../shared/domain/agent/roll-call.ts';
import type { Hold, Roster } from '../../../../shared/model/roster.ts';

const start = 1_000_000_000;
const minute = 60_000;

/** A fleet under roll calls every minute; `run` names who beats in each. */
class Fleet {
  roster: Roster | undefined;
  now = start;
  last: RollCallResult | undefined;
  readonly ids: readonly string[];

  constructor(size: number) {
    this.ids = Array.from({ length: size }, (_, index) => `a${index}`);
  }

  call(beating: readonly string[], over: { isComplete?: boolean; gapMs?: number } = {}): RollCallResult {
    this.now += over.gapMs ?? minute;
    const heard: Heard[] = beating.map((agentId) => ({ agentId, sentAt: this.now - 10_000 }));
    const { isComplete = this.roster !== undefined } = over;
    this.last = callRoll(this.roster, { now: this.now, heard, isComplete }, defaultRollCall);
    this.roster = this.last.roster;
    return this.last;
  }

  /** Everybody is heard until silence counts. */
  warm(): this {
    for (let i = 0; i < 4; i++) this.call(this.ids);
    return this;
  }

  without(...away: readonly string[]): string[] {
    return this.ids.filter((id) => !away.includes(id));
  }
}

describe('an agent that falls silent', () => {
  it('is lost once it was not heard for 90 s, and not before', () => {
    const fleet = new Fleet(8).warm();
    expect(fleet.call(fleet.without('a0')).newlyLost).toEqual([]);
    const at = fleet.now + minute;
    const result = fleet.call(fleet.without('a0'));
    expect(result.newlyLost).toEqual(['a0']);
    expect(result.roster.agents.get('a0')).toMatchObject({ lostAt: at });
    expect(fleet.call(fleet.without('a0')).newlyLost).toEqual([]);
  });

  it('is back when it is heard again', () => {
    const fleet = new Fleet(8).warm();
    for (let i = 0; i < 5; i++) fleet.call(fleet.without('a0'));
    expect(fleet.call(fleet.ids)).toMatchObject({ newlyLost: [], back: ['a0'] });
  });

  it('is silent before it is lost, and only measured up to the last roll call', () => {
    const fleet = new Fleet(8).warm();
    fleet.call(fleet.without('a0'));
    const agent = { agentId: 'a0', registeredAt: start };
    expect(presenceOf(agent, fleet.roster, 60_000).presence).toBe('silent');
    expect(presenceOf({ ...agent, agentId: 'a1' }, fleet.roster, 60_000).presence).toBe('present');
    fleet.call(fleet.without('a0'));
    expect(presenceOf(agent, fleet.roster, 60_000).presence).toBe('lost');
  });
});

describe('nobody is lost', () => {
  it('when a heartbeat comes late but was sent in time', () => {
    const fleet = new Fleet(2).warm();
    fleet.call(['a1']);
    const heard: Heard[] = [
      { agentId: 'a0', sentAt: fleet.now - 20_000 },
      { agentId: 'a1', sentAt: fleet.now + 50_000 },
    ];
    const call = { now: fleet.now + minute, heard, isComplete: true };
    expect(callRoll(fleet.roster, call, defaultRollCall).newlyLost).toEqual([]);
  });

  it('for 90 s after the queue was not emptied, however long they were silent', () => {
    const fleet = new Fleet(8).warm();
    fleet.call(fleet.without('a0'));
    expect(fleet.call(fleet.without('a0'), { isComplete: false })).toMatchObject({
      newlyLost: [],
      roster: { hold: { reason: 'LATE', silent: 1, agents: 8 } },
    });
    expect(fleet.call(fleet.without('a0')).newlyLost).toEqual([]);
    expect(fleet.call(fleet.without('a0')).newlyLost).toEqual(['a0']);
    expect(fleet.roster?.hold).toBeUndefined();
  });

  it('after an outage of hours of which all return, whatever the order', () => {
    const fleet = new Fleet(100).warm();
    fleet.call([], { gapMs: 3 * 3600_000 });
    expect(fleet.last?.newlyLost).toEqual([]);
    for (const many of [20, 60, 90]) fleet.call(fleet.ids.slice(0, many));
    // Four minutes in, ten have still not been heard: now these are lost.
    expect(fleet.roster?.agents.size).toBe(100);
    fleet.call(fleet.ids.slice(0, 90));
    const lost = [...(fleet.roster?.agents ?? [])].filter(([, { lostAt }]) => lostAt !== undefined);
    expect(lost.map(([agentId]) => agentId)).toEqual(fleet.ids.slice(90));
  });

  it('when more than a quarter vanish at once; it says so, and ends when they return', () => {
    const fleet = new Fleet(8).warm();
    const there = fleet.ids.slice(3);
    for (let i = 0; i < 10; i++) fleet.call(there);
    expect(fleet.last?.roster.hold).toMatchObject({ reason: 'MASS', silent: 3, agents: 8 });
    expect([...(fleet.roster?.agents.values() ?? [])].some(({ lostAt }) => lostAt !== undefined)).toBe(false);
    const one = presenceOf({ agentId: 'a0', registeredAt: start }, fleet.roster, 60_000);
    // The others are heard, so its silence is its own; it gets no tasks.
    expect(one.presence).toBe('silent');
    expect(fleet.call(fleet.without('a0', 'a1')).newlyLost).toEqual(['a0', 'a1']);
    expect(fleet.roster?.hold).toBeUndefined();
  });

  it('when the fleet vanishes bit by bit, each bit small', () => {
    const fleet = new Fleet(40).warm();
    for (let gone = 0; gone <= 30; gone += 5) fleet.call(fleet.ids.slice(gone));
    const lost = [...(fleet.roster?.agents.values() ?? [])].filter(({ lostAt }) => lostAt !== undefined);
    expect(lost.length).toBeLessThanOrEqual(10);
    expect(fleet.roster?.hold?.reason).toBe('MASS');
  });

  it('who is cut off with half of the fleet for hours, whatever returns first', () => {
    const fleet = new Fleet(100).warm();
    for (let i = 0; i < 180; i++) fleet.call(fleet.ids.slice(50));
    expect(fleet.roster?.hold).toMatchObject({ reason: 'MASS', silent: 50, agents: 100 });
    const one = presenceOf({ agentId: 'a0', registeredAt: start }, fleet.roster, 60_000);
    // Nobody knows whether half of the fleet is right or the other.
    expect(one.presence).toBe('present');
    for (const back of [30, 26, 0]) for (let i = 0; i < 5; i++) fleet.call(fleet.ids.slice(back));
    expect(lostOf(fleet)).toEqual([]);
    expect(fleet.roster?.hold).toBeUndefined();
  });

  it('in an outage of hours from which a few return long before the others', () => {
    const fleet = new Fleet(100).warm();
    for (let i = 0; i < 60; i++) fleet.call([]);
    for (let i = 0; i < 60; i++) fleet.call(fleet.ids.slice(0, 40));
    // Most are back, and not for long enough to tell the rest from machines that are gone.
    for (let i = 0; i < 14; i++) fleet.call(fleet.ids.slice(0, 70));
    expect(fleet.roster?.hold).toMatchObject({ reason: 'MASS', silent: 30 });
    for (let i = 0; i < 10; i++) fleet.call(fleet.ids);
    expect(lostOf(fleet)).toEqual([]);
  });

  it('of whom an older version wrote only that there is a hold', () => {
    const fleet = new Fleet(8).warm();
    for (let i = 0; i < 10; i++) fleet.call(fleet.ids.slice(3));
    const { steadySince: _steady, hold, ...older } = fleet.roster as Roster;
    const { seenBefore: _seen, ...bare } = hold as Hold;
    fleet.roster = { ...older, hold: bare };
    for (let i = 0; i < 14; i++) expect(fleet.call(fleet.ids.slice(3)).newlyLost).toEqual([]);
    expect(fleet.roster?.hold).toMatchObject({ reason: 'MASS', silent: 3 });
  });

  it('when the roster itself was lost', () => {
    const fleet = new Fleet(4).warm();
    const registered = fleet.ids.map((agentId) => ({ agentId, sessionAt: start }));
    const call = { now: fleet.now + minute, heard: [], isComplete: false, registered };
    const result = callRoll(undefined, call, defaultRollCall);
    expect(result.newlyLost).toEqual([]);
    expect([...result.roster.agents.keys()]).toEqual(fleet.ids);
  });
});

const lostOf = (fleet: Fleet): string[] =>
  [...(fleet.roster?.agents ?? [])].flatMap(([agentId, { lostAt }]) =>
    lostAt === undefined ? [] : [agentId],
  );

describe('agents that vanish together for good', () => {
  it('are lost when the others have been heard for a quarter of an hour, a share of the fleet at a time', () => {
    const fleet = new Fleet(8).warm();
    const there = fleet.ids.slice(3);
    const lostAfter = new Map<string, number>();
    for (let minutes = 1; minutes <= 40; minutes++)
      for (const agentId of fleet.call(there).newlyLost) lostAfter.set(agentId, minutes);
    const [one = 0, two = 0, three = 0] = lostAfter.values();
    expect(lostAfter.size).toBe(3);
    expect(one).toBeGreaterThanOrEqual(15);
    expect(two).toBe(one);
    expect(three).toBeGreaterThanOrEqual(one + 5);
    expect(fleet.roster?.hold).toBeUndefined();
  });

  it('keep nobody else from being found dead meanwhile', () => {
    const fleet = new Fleet(8).warm();
    for (let i = 0; i < 9; i++) fleet.call(fleet.ids.slice(3));
    fleet.call(fleet.ids.slice(4));
    expect(fleet.call(fleet.ids.slice(4)).newlyLost).toEqual(['a3']);
    expect(fleet.roster?.hold).toMatchObject({ reason: 'MASS', silent: 3 });
  });

  it('are not told from those who follow them within minutes', () => {
    const fleet = new Fleet(8).warm();
    for (let i = 0; i < 4; i++) fleet.call(fleet.ids.slice(3));
    for (let i = 0; i < 12; i++) expect(fleet.call(fleet.ids.slice(4)).newlyLost).toEqual([]);
    expect(fleet.roster?.hold).toMatchObject({ reason: 'MASS', silent: 4 });
  });

  it('have a quarter of an hour anew when the others could not be heard in between', () => {
    const fleet = new Fleet(8).warm();
    const there = fleet.ids.slice(3);
    for (let i = 0; i < 14; i++) fleet.call(there);
    fleet.call(there, { isComplete: false });
    for (let i = 0; i < 14; i++) expect(fleet.call(there).newlyLost).toEqual([]);
    for (let i = 0; i < 4; i++) fleet.call(there);
    expect(lostOf(fleet)).toHaveLength(2);
  });

  it('stay, if they are half of the fleet or more, until somebody says that they are gone', () => {
    const fleet = new Fleet(3).warm();
    for (let i = 0; i < 600; i++) expect(fleet.call(['a2']).newlyLost).toEqual([]);
    expect(fleet.roster?.hold).toMatchObject({ reason: 'MASS', silent: 2, agents: 3 });
    // The rows of two that were removed are gone from the census.
    const call = {
      now: fleet.now + minute,
      heard: [{ agentId: 'a2', sentAt: fleet.now + 1 }],
      isComplete: true,
      registered: [{ agentId: 'a2', sessionAt: start }],
    };
    expect(callRoll(fleet.roster, call, defaultRollCall).roster.hold).toBeUndefined();
  });
});

describe('the only agent of a cluster', () => {
  it('is lost like any other, since the probe shows that the queue works', () => {
    const fleet = new Fleet(1).warm();
    fleet.call([]);
    expect(fleet.call([]).newlyLost).toEqual(['a0']);
  });
});

describe('the comparison with the rows', () => {
  it('finds agents that never sent a heartbeat, forgets removed ones and follows what the rows say', () => {
    const fleet = new Fleet(4).warm();
    const registered = [
      ...fleet
        .without('a3')
        .map((agentId) => ({ agentId, sessionAt: start, ...(agentId === 'a2' && { lostAt: 7 }) })),
      { agentId: 'mute', sessionAt: start },
    ];
    const heard = fleet.ids.slice(0, 3).map((agentId) => ({ agentId, sentAt: fleet.now + 1 }));
    const call = { now: fleet.now + minute, heard, isComplete: true, registered };
    const result = callRoll(fleet.roster, call, defaultRollCall);
    expect([...result.roster.agents.keys()].sort()).toEqual(['a0', 'a1', 'a2', 'mute']);
    expect(result.newlyLost).toEqual(['mute']);
    expect(result.back).toEqual(['a2']);
  });
});

it('never loses an agent that beats, nor more than the share in a window, whatever happens', () => {
  const steps = fc.array(
    fc.record({
      silent: fc.array(fc.integer({ min: 0, max: 19 }), { maxLength: 20 }),
      isComplete: fc.boolean(),
      gapMs: fc.constantFrom(minute, minute, minute, 61_000, 200_000, 3 * 3600_000),
    }),
    { maxLength: 25 },
  );
  fc.assert(
    fc.property(steps, (list) => {
      const fleet = new Fleet(20).warm();
      const lostAt: number[] = [];
      for (const { silent, isComplete, gapMs } of list) {
        const beating = fleet.ids.filter((_id, index) => !silent.includes(index));
        const { newlyLost } = fleet.call(beating, { isComplete, gapMs });
        expect(newlyLost.filter((id) => beating.includes(id))).toEqual([]);
        lostAt.push(...newlyLost.map(() => fleet.now));
        const recent = lostAt.filter((at) => fleet.now - at < defaultRollCall.massWindowMs);
        expect(recent.length).toBeLessThanOrEqual(5);
      }
    }),
  );
});
