// Roll calls over a world: heartbeats, and the function that hears them, minute by minute.
import { createConfigCache } from '../../../functions/launch.ts';
import type { AgentQueuesPort } from '../../../functions/roll-call/forget.ts';
import { type RollCallDeps, rollCall } from '../../../functions/roll-call/roll-call.ts';
import type { IdentityMode } from '../../../shared/domain/agent/identity.ts';
import { defaultRollCall } from '../../../shared/domain/agent/roll-call.ts';
import type { Store } from '../../../shared/store/port.ts';
import type { FakeHeartbeats } from './heartbeats.ts';
import type { World } from './world.ts';

export const forgetAfterMs = 24 * 3600_000;

/** The queues the world's agents have. */
function queuesOf(world: World): AgentQueuesPort {
  return {
    list: async () => [...world.agents.queues].map((agentId) => ({ agentId, url: agentId })),
    drop: (url) => world.agents.dropQueue(url),
  };
}

export function callRollOf(
  world: World,
  beats: FakeHeartbeats,
  over: Partial<Store> = {},
  {
    remainingMs = 55_000,
    identity = 'none',
    ...more
  }: Partial<RollCallDeps> & { readonly remainingMs?: number; readonly identity?: IdentityMode } = {},
) {
  return rollCall(() => remainingMs, {
    store: { ...world.store, ...over },
    configs: createConfigCache(world.store),
    queue: beats,
    queueUrl: 'heartbeats',
    messages: {
      send: async (_url, messages) => {
        for (const { body } of messages) beats.put(body, world.now);
      },
    },
    settings: defaultRollCall,
    forget: { forgetAfterMs, lostAfterMs: defaultRollCall.lostAfterMs, mostLost: 1000 },
    agentQueues: queuesOf(world),
    identity,
    owners: new Map(),
    ...world.common,
    ...more,
  });
}
