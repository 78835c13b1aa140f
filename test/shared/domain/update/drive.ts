import { evaluateUpdate } from '../../../../shared/domain/update/evaluate.ts';
import { listInstances } from '../../../../shared/model/instance-ranges.ts';
import {
  type ConfiguredInstances,
  type InstanceEvent,
  isTerminalUpdate,
  type UpdateRecord,
  type UpdateSettingsInput,
} from '../../../../shared/model/update.ts';
import { type Behaviour, Cluster } from './cluster.ts';
import { started, stored } from './sample-update.ts';

/** Strategies in short. */
export const batch = (groupSize: number, autoPause = false) => ({
  kind: 'batch' as const,
  groupSize,
  autoPause,
});
export const queue = (groupSize: number) => ({ kind: 'queue' as const, groupSize });

/** What came of a scenario. */
interface Driven {
  readonly update: UpdateRecord;
  readonly cluster: Cluster;
  /** "kill 3" and "create 3 new", in the order in which they were asked for, per evaluation that asked for any. */
  readonly asked: string[][];
  readonly events: InstanceEvent[];
}

interface Scenario {
  readonly current: ConfiguredInstances[];
  readonly proposed: ConfiguredInstances[];
  readonly settings?: UpdateSettingsInput;
  readonly behaviour?: (configId: string, instance: number) => Behaviour;
  readonly change?: (update: UpdateRecord) => UpdateRecord;
  /** Called before each evaluation; may act on the cluster and on the record. */
  readonly before?: (update: UpdateRecord, cluster: Cluster, step: number) => UpdateRecord | undefined;
  readonly steps?: number;
}

/** Runs an update until it ends, or until nothing happens any more. */
export function drive(scenario: Scenario): Driven {
  const { current, proposed, settings = {}, behaviour = () => 'good' } = scenario;
  const cluster = new Cluster(4, behaviour);
  const original = current.flatMap(({ configId, instances }) =>
    listInstances(instances).map((instance) => ({ instance, configId })),
  );
  for (const { instance, configId } of original) cluster.install(instance, configId);
  const known = new Set([...current, ...proposed].flatMap(({ instances }) => listInstances(instances)));
  let update = started(
    current,
    proposed,
    { minWaitInInstanceRunningMs: 0, ...settings },
    { instances: cluster.views(original.map(({ instance }) => instance)), now: cluster.now },
  );
  update = scenario.change?.(update) ?? update;
  const asked: string[][] = [];
  const events: InstanceEvent[] = [];
  for (let step = 0; step < (scenario.steps ?? 400) && !isTerminalUpdate(update.status); step++) {
    update = scenario.before?.(update, cluster, step) ?? update;
    const evaluation = evaluateUpdate(update, cluster.views(known), cluster.now);
    update = stored(evaluation.next);
    events.push(...evaluation.instanceEvents);
    if (evaluation.actions.length > 0) {
      asked.push(
        evaluation.actions.map((action) =>
          action.kind === 'KILL' ? `kill ${action.instance}` : `create ${action.instance} ${action.configId}`,
        ),
      );
    }
    for (const action of evaluation.actions) cluster.perform(action);
    cluster.step(10_000);
  }
  return { update, cluster, asked, events };
}

/** The asked-for actions of one kind, per evaluation. */
export const ofKind = (asked: string[][], kind: string) =>
  asked.map((group) => group.filter((one) => one.startsWith(kind))).filter((group) => group.length > 0);

/** Every status the update has had. */
export const statuses = (update: UpdateRecord) => update.events.map(({ status }) => status);
/** The new version misbehaves in some instances. */
export const bad =
  (behaviour: Behaviour, ...instances: number[]) =>
  (configId: string, instance: number) =>
    configId === 'new' && instances.includes(instance) ? behaviour : 'good';
