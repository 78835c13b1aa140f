// What the function of commands needs, on a world of the tests: its queues and bus are the world's, its clock too.
import { createAdmission } from '../../../functions/api/admission.ts';
import type { CommandDeps } from '../../../functions/commands/process-commands.ts';
import { createConfigCache } from '../../../functions/launch.ts';
import { randomIds } from '../../../shared/lib/ports.ts';
import type { Store } from '../../../shared/store/port.ts';
import type { World } from './world.ts';

/** `limit`: tasks of a pool that may wait. */
export function commandDeps(
  world: World,
  { store, limit, deadLettersUrl }: { store: Store; limit: number; deadLettersUrl: string },
): CommandDeps {
  return {
    store,
    configs: createConfigCache(store),
    admission: createAdmission({ store, clock: () => world.now, log: world.log, limit }),
    clock: () => world.now,
    ids: randomIds,
    identity: 'none',
    log: world.log,
    meter: world.meter,
    cluster: 'local',
    version: '0.0.0',
    messages: world.messages,
    events: world.events,
    deadLettersUrl,
    maxTries: 5,
  };
}
