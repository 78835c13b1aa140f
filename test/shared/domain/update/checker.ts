// What must hold at every evaluation of an update, worked out from the job as it was and as it shall be, by the
// plainest means: nothing of the engine's own bookkeeping is trusted but the record it wants to be judged by.
import { isDeepStrictEqual } from 'node:util';
import type { UpdateAction, UpdateEvaluation } from '../../../../shared/domain/update/act.ts';
import { applyCall } from '../../../../shared/domain/update/calls.ts';
import { evaluateUpdate } from '../../../../shared/domain/update/evaluate.ts';
import { endKind } from '../../../../shared/domain/update/failures.ts';
import { listInstances } from '../../../../shared/model/instance-ranges.ts';
import { isTerminalUpdate, type UpdateRecord } from '../../../../shared/model/update.ts';
import type { Cluster } from './cluster.ts';
import { groupNumber, largestGroup } from './groups.ts';
import { stored } from './sample-update.ts';

type Configs = ReadonlyMap<number, string>;

export class Checker {
  /** Instances of the update in the order of the way forward. */
  readonly order: number[];
  readonly #before: Configs;
  readonly #after: Configs;
  readonly #everyone: number[];
  readonly #cluster: Cluster;
  readonly #begun = { forward: -1, back: Number.POSITIVE_INFINITY };

  /** `before`: what every instance of the job ran. `after`: what it shall run, for those of the update changed. */
  constructor(cluster: Cluster, before: Configs, after: Configs) {
    const ids = [...new Set([...before.keys(), ...after.keys()])].sort((a, b) => a - b);
    const changed = ids.filter((i) => before.get(i) !== after.get(i));
    this.order = [
      ...changed.filter((i) => !before.has(i)),
      ...changed.filter((i) => before.has(i) && after.has(i)),
      ...changed.filter((i) => !after.has(i)),
    ];
    this.#cluster = cluster;
    this.#before = before;
    this.#after = after;
    this.#everyone = ids;
  }

  /** `inFlight`: instances with a kill that was asked for and may still land. Throws what does not hold. */
  evaluation(update: UpdateRecord, evaluation: UpdateEvaluation, inFlight: ReadonlySet<number>): void {
    const { next, actions } = evaluation;
    stored(next);
    this.#idempotence(evaluation);
    this.#atWork(next, actions);
    if (next.status === 'ROLLING_BACK') this.#retraces(next, actions);
    this.#availability(update, next, actions, inFlight);
    if (isTerminalUpdate(next.status)) this.ended(next);
  }

  #idempotence({ next, actions }: UpdateEvaluation): void {
    const views = this.#cluster.views(this.#everyone);
    const again = evaluateUpdate(next, views, this.#cluster.now);
    must(again.next === next, 'evaluating again changes the record');
    must(isDeepStrictEqual(again.actions, actions), 'evaluating again asks for something else');
    must(again.instanceEvents.length === 0, 'evaluating again tells of new events');
  }

  #atWork({ progress, settings }: UpdateRecord, actions: readonly UpdateAction[]): void {
    const working = progress.working.flatMap(({ instances }) => listInstances(instances));
    must(new Set(working).size === working.length, 'an instance has two turns');
    must(
      working.length <= largestGroup(settings.strategy),
      `${working.length} instances at work, more than any group has`,
    );
    const groups = new Set(working.map((i) => groupNumber(settings.strategy, this.order.indexOf(i))));
    must(settings.strategy.kind === 'queue' || groups.size <= 1, 'two groups are worked on at once');
    for (const { instance } of actions) {
      must(working.includes(instance), `instance ${instance} is touched though it is not its turn`);
    }
    const touched = actions.map(({ instance }) => instance);
    must(new Set(touched).size === touched.length, 'two actions on one instance');
  }

  /**
   * Of an evaluation whose record is written: turns begin in the order of instances on the way forward, in its exact
   * reverse on the way back, once each.
   */
  turns({ instanceEvents }: UpdateEvaluation): void {
    for (const { instance, action } of instanceEvents) {
      const position = this.order.indexOf(instance);
      must(position >= 0, `instance ${instance} is not part of the update`);
      if (action === 'INSTANCE_UPDATING') {
        must(position > this.#begun.forward, `instance ${instance} has its turn too late`);
        this.#begun.forward = position;
      } else if (action === 'INSTANCE_ROLLING_BACK') {
        must(position < this.#begun.back, `instance ${instance} is put back too late`);
        this.#begun.back = position;
      }
    }
  }

  /** Whatever is put back now, all groups after its own have been put back. */
  #retraces({ progress, settings }: UpdateRecord, actions: readonly UpdateAction[]): void {
    const { strategy } = settings;
    if (strategy.kind === 'queue') return;
    const failed = new Set(listInstances(progress.failed));
    for (const { instance } of actions) {
      const group = groupNumber(strategy, this.order.indexOf(instance));
      for (const [position, other] of this.order.slice(0, progress.visited).entries()) {
        if (groupNumber(strategy, position) <= group || failed.has(other)) continue;
        must(
          this.#cluster.configOf(other) === this.#before.get(other),
          `instance ${instance} is put back before instance ${other}, which came after it`,
        );
      }
    }
  }

  /** A take-down that is decided now leaves no more of the job down than the group that is worked on has. */
  #availability(
    update: UpdateRecord,
    next: UpdateRecord,
    actions: readonly UpdateAction[],
    inFlight: ReadonlySet<number>,
  ): void {
    const cluster = this.#cluster;
    const taken = new Set(listInstances(update.progress.taken));
    const target = next.status === 'ROLLING_BACK' ? this.#before : this.#after;
    const decided = actions.filter(
      ({ kind, instance }) =>
        kind === 'KILL' && target.has(instance) && cluster.isUp(instance) && !taken.has(instance),
    );
    const exempt = this.#exempt(next);
    if (decided.every(({ instance }) => exempt.has(instance))) return;
    const killed = new Set(actions.filter(({ kind }) => kind === 'KILL').map(({ instance }) => instance));
    const down = this.#everyone.filter(
      (i) => !exempt.has(i) && (!cluster.isUp(i) || killed.has(i) || inFlight.has(i)),
    );
    const most = largestGroup(next.settings.strategy, this.order.indexOf(actions[0]?.instance ?? -1));
    must(down.length <= most, `instances ${down.join()} are down at once, more than ${most}`);
  }

  /** Instances whose being down is not held against the update (see budget.ts). */
  #exempt({ status, downAtStart, progress, createdAt }: UpdateRecord): Set<number> {
    const exempt = new Set([...listInstances(downAtStart), ...listInstances(progress.failed)]);
    const back = status === 'ROLLING_BACK';
    for (const [position, i] of this.order.entries()) {
      const [had, shallHave] = [this.#before.has(i), this.#after.has(i)];
      const begun = position < progress.visited;
      const putBack = begun && position >= progress.visited - progress.revisited;
      const unwanted = back ? !had : !shallHave || (!begun && !had);
      const cure = back && begun && !putBack && this.#cluster.newest(i)?.configId !== this.#before.get(i);
      if (unwanted || cure) exempt.add(i);
    }
    for (const [i, rows] of this.#cluster.rows) {
      const failures = rows.filter(
        (row) => endKind(row) === 'FAILURE' && (row.events.at(-1)?.at ?? 0) >= createdAt,
      );
      if (failures.length >= 2 || rows.at(-1)?.state === 'THROTTLED') exempt.add(i);
    }
    return exempt;
  }

  /** An ended update does nothing more and refuses everything; the instances run what its status says. */
  ended(update: UpdateRecord): void {
    const views = this.#cluster.views(this.#everyone);
    const evaluation = evaluateUpdate(update, views, this.#cluster.now);
    must(evaluation.next === update && evaluation.actions.length === 0, 'an ended update goes on');
    for (const call of ['pause', 'resume', 'abort', 'rollback'] as const) {
      must(after(update, call) === update, `an ended update lets itself ${call}`);
    }
    const { status, progress } = update;
    if (status !== 'ROLLED_FORWARD' && status !== 'ROLLED_BACK') return;
    const wanted = status === 'ROLLED_FORWARD' ? this.#after : this.#before;
    const failed = new Set(listInstances(progress.failed));
    for (const i of this.#everyone) {
      const runs = this.#cluster.configOf(i);
      must(failed.has(i) || runs === wanted.get(i), `${status}, but instance ${i} runs ${runs}`);
    }
  }
}

function after(update: UpdateRecord, call: Parameters<typeof applyCall>[1]): UpdateRecord {
  try {
    return applyCall(update, call, { user: 'eve', now: update.updatedAt + 1 });
  } catch {
    return update;
  }
}

function must(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
