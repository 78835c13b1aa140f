// What the parts of the updater need from outside.
import type { FlappingSettings } from '../../shared/domain/task/flapping.ts';
import type { StateTimeouts } from '../../shared/domain/task/timeouts.ts';
import type { Clock, IdSource, RandomSource } from '../../shared/lib/ports.ts';
import type { Store } from '../../shared/store/port.ts';
import type { ConfigCache } from '../launch.ts';
import type { Log, MetricPort, WorkflowPort } from '../ports.ts';
import type { UpdateAlarms } from './alarms.ts';
import type { InstanceReader } from './read-instances.ts';

export interface UpdaterDeps {
  readonly store: Pick<
    Store,
    | 'getUpdate'
    | 'getJob'
    | 'writeUpdate'
    | 'transitionAll'
    | 'insertTasks'
    | 'putCallback'
    | 'getCallback'
    | 'dropCallback'
  >;
  readonly readInstances: InstanceReader;
  readonly configs: ConfigCache;
  readonly workflows: WorkflowPort;
  readonly alarms: UpdateAlarms;
  /** Verdicts after which an execution hands over to the next. */
  readonly turnsPerExecution: number;
  readonly timeouts: StateTimeouts;
  readonly flapping: FlappingSettings;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly random: RandomSource;
  readonly log: Log;
  readonly meter: MetricPort;
}
