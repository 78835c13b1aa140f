// What every function needs that moves tasks from state to state: the settings of the task machine and the effects it asks
// for (time, ids, chance), and a log.
import type { FlappingSettings } from '../shared/domain/task/flapping.ts';
import type { StateTimeouts } from '../shared/domain/task/timeouts.ts';
import type { Clock, IdSource, RandomSource } from '../shared/lib/ports.ts';
import type { Log } from './ports.ts';

export interface TransitionDeps {
  readonly timeouts: StateTimeouts;
  readonly flapping: FlappingSettings;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly random: RandomSource;
  readonly log: Log;
}
