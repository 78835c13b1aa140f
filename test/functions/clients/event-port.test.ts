// Publishing: ten events a call, refused entries again.
import type { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { describe, expect, it } from 'vitest';
import { createEventPort } from '../../../functions/clients/event-port.ts';
import type { BusEvent } from '../../../shared/model/events.ts';

const event = (agentId: string): BusEvent => ({
  detailType: 'Agent Change',
  detail: {
    version: 1,
    cluster: 'local',
    agentId,
    change: 'registered',
    host: 'h',
    pool: 'default',
    mode: 'NONE',
  },
});

type Entry = { Source: string; DetailType: string; Detail: string; EventBusName: string };

function client(failing: (entry: Entry, calls: number) => boolean) {
  const calls: Entry[][] = [];
  const bus = {
    send: async ({ input }: { input: { Entries: Entry[] } }) => {
      calls.push(input.Entries);
      return {
        Entries: input.Entries.map((entry) =>
          failing(entry, calls.length) ? { ErrorCode: 'Busy', ErrorMessage: 'busy' } : {},
        ),
      };
    },
  } as unknown as EventBridgeClient;
  return { bus, calls };
}

describe('the event port', () => {
  it('publishes every event once, at most ten a call', async () => {
    const { bus, calls } = client(() => false);
    await createEventPort(bus, 'bus').publish(Array.from({ length: 23 }, (_, index) => event(`a${index}`)));
    expect(calls.map((entries) => entries.length)).toEqual([10, 10, 3]);
    expect(new Set(calls.flat().map(({ Detail }) => Detail)).size).toBe(23);
    expect(calls[0]?.[0]).toMatchObject({
      Source: 'borealis',
      DetailType: 'Agent Change',
      EventBusName: 'bus',
    });
  });

  it('publishes refused entries again, and only those', async () => {
    const { bus, calls } = client(({ Detail }, count) => count === 1 && Detail.includes('a1'));
    await createEventPort(bus, 'bus').publish([event('a0'), event('a1'), event('a2')]);
    expect(calls.map((entries) => entries.length)).toEqual([3, 1]);
  });

  it('throws UNAVAILABLE when entries stay refused', async () => {
    const { bus } = client(() => true);
    await expect(createEventPort(bus, 'bus').publish([event('a0')])).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });
});
