// One generated life of an update: a job, an update of it, versions that misbehave, faults and calls; then the faults
// stop and the update must end. Every evaluation is put before the checker.
import fc from 'fast-check';
import type { UpdateAction } from '../../../../shared/domain/update/act.ts';
import { applyCall, pulseUpdate } from '../../../../shared/domain/update/calls.ts';
import { evaluateUpdate } from '../../../../shared/domain/update/evaluate.ts';
import { groupByConfig } from '../../../../shared/domain/update/order.ts';
import { currentConfigs } from '../../../../shared/domain/update/progress.ts';
import { planUpdate } from '../../../../shared/domain/update/start.ts';
import { isBorealisError } from '../../../../shared/lib/errors.ts';
import { toInstanceRanges } from '../../../../shared/model/instance-ranges.ts';
import {
  isTerminalUpdate,
  type UpdateRecord,
  type UpdateSettingsInput,
} from '../../../../shared/model/update.ts';
import { Checker } from './checker.ts';
import { type Behaviour, Cluster } from './cluster.ts';
import { request, stored } from './sample-update.ts';

/** What may happen between two evaluations, and to what an evaluation asks for. */
const happenings = [
  'nothing',
  'actions are lost',
  'the record is not written',
  'actions are carried out twice',
  'kills come late',
  'late kills land',
  'a task crashes',
  'a task is drained',
  'an agent dies',
  'agents come back',
  'no room',
  'room',
  'pause',
  'resume',
  'rollback',
  'abort',
  'pulse',
] as const;
type Happening = (typeof happenings)[number];

const weights: Partial<Record<Happening, number>> = { nothing: 14, resume: 3, pulse: 3 };
const happeningArb = fc.oneof(
  ...happenings.map((what) => ({ weight: weights[what] ?? 1, arbitrary: fc.constant(what) })),
);

const stepArb = fc.record({
  what: happeningArb,
  pick: fc.nat(99),
  passMs: fc.constantFrom(1000, 10_000, 30_000, 400_000),
  /** Which instances take a step. */
  mask: fc.integer({ min: 0, max: 0x3ff }),
});

const settingsArb = fc.record({
  maxPerInstanceFailures: fc.nat(2),
  maxFailedInstances: fc.nat(2),
  minWaitInInstanceRunningMs: fc.constantFrom(0, 30_000),
  rollbackOnFailure: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, fc.constant(false)),
  blockIfNoPulsesAfterMs: fc.constantFrom(0, 0, 0, 120_000),
  onPlacementDeadline: fc.constantFrom<'pause' | 'rollback'>('pause', 'rollback'),
});

const sizeArb = fc.integer({ min: 1, max: 4 });
const strategyArbs = {
  queue: fc.record({ kind: fc.constant('queue' as const), groupSize: sizeArb }),
  batch: fc.record({ kind: fc.constant('batch' as const), groupSize: sizeArb, autoPause: fc.boolean() }),
  varBatch: fc.record({
    kind: fc.constant('varBatch' as const),
    groupSizes: fc.array(sizeArb, { minLength: 1, maxLength: 3 }),
    autoPause: fc.boolean(),
  }),
};

const newBehaviours: Behaviour[] = ['good', 'good', 'crash', 'exit', 'sick', 'late', 'unplaceable'];

/** A generated job, update and script. */
export function runArb(kind: keyof typeof strategyArbs) {
  return fc.record({
    before: fc.array(fc.constantFrom('a', 'a', 'b', undefined), { minLength: 1, maxLength: 10 }),
    after: fc.array(fc.constantFrom('n', 'n', 'n', 'm', 'a', undefined), { minLength: 1, maxLength: 10 }),
    only: fc.option(fc.integer({ min: 1, max: 0x3ff }), { freq: 4, nil: undefined }),
    settings: settingsArb,
    strategy: strategyArbs[kind],
    deadlineMs: fc.constantFrom(undefined, undefined, 120_000),
    /** How the new versions behave, and in which instances. */
    newKind: fc.constantFrom(...newBehaviours),
    newMask: fc.constantFrom(0x3ff, 0x3ff, 0x10, 0x04, 0x81, 0x01),
    oldKind: fc.constantFrom<Behaviour>('good', 'good', 'good', 'good', 'late', 'exit'),
    oldMask: fc.constantFrom(0x3ff, 0x02, 0x20),
    downAtFirst: fc.constantFrom(0, 0, 0x01, 0x22, 0x80),
    script: fc.array(stepArb, { maxLength: 60 }),
  });
}
type Run = ReturnType<typeof runArb> extends fc.Arbitrary<infer Value> ? Value : never;
type Step = Run['script'][number];

const has = (mask: number, instance: number) => ((mask >> instance) & 1) === 1;

/** Plays a run to its end and answers the status in which the update ended; UNCHANGED if it had nothing to do. */
export function generatedRun(run: Run): string {
  const game = Game.begin(run);
  if (!game) return 'UNCHANGED';
  for (const step of run.script) game.play(step);
  return game.finish();
}

class Game {
  #update: UpdateRecord;
  readonly #cluster: Cluster;
  readonly #checker: Checker;
  readonly #everyone: readonly number[];
  #late: UpdateAction[] = [];

  static begin(run: Run): Game | undefined {
    const cluster = new Cluster(3, (configId, i) => {
      const [kind, mask] =
        configId === 'n' || configId === 'm' ? [run.newKind, run.newMask] : [run.oldKind, run.oldMask];
      return has(mask, i) ? kind : 'good';
    });
    const before = defined(run.before);
    for (const [instance, configId] of before) cluster.install(instance, configId);
    for (const instance of before.keys()) {
      const newest = cluster.newest(instance);
      if (newest && has(run.downAtFirst, instance)) cluster.move(newest, 'FAILED');
    }
    const update = planned(run, cluster, before);
    if (!update) return undefined;
    const after = new Map(before);
    for (const i of inScope(run)) after.delete(i);
    for (const [i, configId] of defined(run.after)) if (inScope(run).includes(i)) after.set(i, configId);
    return new Game(update, cluster, new Checker(cluster, before, after), [
      ...before.keys(),
      ...after.keys(),
    ]);
  }

  private constructor(update: UpdateRecord, cluster: Cluster, checker: Checker, everyone: number[]) {
    this.#update = update;
    this.#cluster = cluster;
    this.#checker = checker;
    this.#everyone = [...new Set(everyone)];
  }

  play(step: Step): void {
    this.#happen(step);
    this.#cluster.step(step.passMs, (instance) => has(step.mask, instance));
    this.#evaluate(step.what);
  }

  #happen({ what, pick }: Step): void {
    const cluster = this.#cluster;
    const running = cluster.active().filter(({ state }) => state === 'RUNNING');
    const chosen = running[pick % Math.max(1, running.length)];
    if (what === 'a task crashes' && chosen) cluster.move(chosen, 'FAILED');
    if (what === 'a task is drained' && chosen) cluster.move(chosen, 'DRAINING');
    if (what === 'an agent dies') cluster.killAgent(pick);
    if (what === 'agents come back') for (const agent of cluster.agents) agent.alive = true;
    if (what === 'no room') cluster.full = true;
    if (what === 'room') cluster.full = false;
    if (what === 'late kills land') this.#land();
    if (what === 'pulse') this.#pulse();
    if (what === 'pause' || what === 'resume' || what === 'rollback') this.#call(what);
    // Rarely, or few updates would come far.
    if (what === 'abort' && pick < 20) this.#call('abort');
  }

  #call(call: Parameters<typeof applyCall>[1]): void {
    try {
      this.#update = stored(applyCall(this.#update, call, { user: 'eve', now: this.#cluster.now }));
    } catch (error) {
      if (!isBorealisError(error, 'INVALID_REQUEST')) throw error;
    }
  }

  #pulse(): void {
    this.#update = pulseUpdate(this.#update, this.#cluster.now).next;
  }

  #land(): void {
    for (const action of this.#late) this.#cluster.perform(action);
    this.#late = [];
  }

  #evaluate(what: Happening): void {
    const views = this.#cluster.views(this.#everyone);
    const evaluation = evaluateUpdate(this.#update, views, this.#cluster.now);
    this.#checker.evaluation(this.#update, evaluation, this.#inFlight());
    if (what === 'the record is not written') return;
    this.#checker.turns(evaluation);
    // Whoever evaluates next has nothing but what was stored.
    this.#update = stored(evaluation.next);
    if (what === 'actions are lost') return;
    if (what === 'kills come late') {
      this.#late.push(...evaluation.actions.filter(({ kind }) => kind === 'KILL'));
      return;
    }
    const repeats = what === 'actions are carried out twice' ? 2 : 1;
    for (let i = 0; i < repeats; i++) for (const action of evaluation.actions) this.#cluster.perform(action);
  }

  #inFlight(): Set<number> {
    const live = new Set(this.#cluster.active().map(({ taskId }) => taskId));
    return new Set(
      this.#late
        .filter((action) => action.kind === 'KILL' && live.has(action.taskId))
        .map(({ instance }) => instance),
    );
  }

  /** Faults stop. Stopped updates are resumed and pulsed; bad versions stay bad. */
  finish(): string {
    this.#cluster.heal();
    for (let step = 0; !isTerminalUpdate(this.#update.status); step++) {
      if (step === 5000)
        throw new Error(`still ${this.#update.status} ${JSON.stringify(this.#update.progress)}`);
      if (this.#update.status.endsWith('_PAUSED')) this.#call('resume');
      this.#pulse();
      this.#cluster.step(15_000);
      this.#evaluate('nothing');
      // Stragglers land in the midst of it.
      if (step === 3) this.#land();
    }
    this.#land();
    for (let step = 0; step < 40; step++) this.#cluster.step(15_000);
    this.#checker.ended(this.#update);
    return this.#update.status;
  }
}

function defined(configs: readonly (string | undefined)[]): Map<number, string> {
  return new Map(
    configs.flatMap((configId, i): [number, string][] => (configId === undefined ? [] : [[i, configId]])),
  );
}

/** The instances the update may touch. */
function inScope({ only, before, after }: Run): number[] {
  return [...new Set([...defined(before).keys(), ...defined(after).keys()])].filter(
    (i) => only === undefined || has(only, i),
  );
}

function planned(run: Run, cluster: Cluster, before: ReadonlyMap<number, string>): UpdateRecord | undefined {
  const { strategy, deadlineMs } = run;
  const instanceCount = defined(run.after).size;
  const settings: UpdateSettingsInput = {
    ...run.settings,
    maxFailedInstances: Math.min(run.settings.maxFailedInstances, Math.max(0, instanceCount - 1)),
    strategy,
    ...(deadlineMs !== undefined && { placementDeadlineMs: deadlineMs }),
  };
  const proposed = groupByConfig(
    Array.from(defined(run.after), ([instance, configId]) => ({ instance, configId })),
  );
  if (proposed.length === 0) return undefined;
  const instances = cluster.views(before.keys());
  const more = {
    instances,
    now: cluster.now,
    ...(run.only !== undefined && { only: toInstanceRanges(inScope(run)) }),
  };
  const { update } = planUpdate(request(currentConfigs(instances), proposed, settings, more));
  return update && stored(update);
}
