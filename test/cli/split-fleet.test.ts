// What idle agents cost is told apart from what the roll call costs once there are any.
import { describe, expect, it } from 'vitest';
import { splitFleet } from '../../bench/split-fleet.ts';
import { nothing } from '../../cli/cost/usage.ts';

describe('what a cluster with idle agents uses', () => {
  const none = { ...nothing, invocations: 120, readUnits: 1_000, schedulerCalls: 120 };
  const all = {
    ...none,
    invocations: 136,
    readUnits: 1_100,
    writeUnits: 60,
    apiRequests: 16,
    sqsRequests: 240,
  };
  const did = { agents: 2, sent: 180, received: 360, api: { calls: 16, gbSeconds: 0.4, readUnits: 40 } };
  const { fleetHour, agentHour } = splitFleet(none, all, did);

  it('is the agents\u2019 as far as they asked for it', () => {
    expect(agentHour).toEqual({
      ...nothing,
      invocations: 8,
      apiRequests: 8,
      readUnits: 20,
      gbSeconds: 0.2,
      // 90 sent, 180 received; a receive and a delete for each ten of the 90.
      sqsRequests: 90 + 180 + 18,
    });
  });

  it('is the roll call\u2019s for the rest, and never less than nothing', () => {
    expect(fleetHour).toEqual({ ...nothing, readUnits: 60, writeUnits: 60, sqsRequests: 240 });
  });
});
