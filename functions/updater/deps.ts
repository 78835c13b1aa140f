// What the parts of the updater need from outside.
import type { Store } from '../../shared/store/port.ts';
import type { ConfigCache } from '../launch.ts';
import type { MetricPort, WorkflowPort } from '../ports.ts';
import type { TransitionDeps } from '../transition-deps.ts';
import type { UpdateAlarms } from './alarms.ts';
import type { InstanceReader } from './read-instances.ts';

export interface UpdaterDeps extends TransitionDeps {
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
  readonly meter: MetricPort;
}
