// What must hold of rolling updates at every commit, worked out from the tasks and the record by the plainest means: one
// update a job, turns in order and in exact reverse, never more than the group down for the update's sake, no end that
// is not the end, and an end at which every instance runs what the status says.
import { mayMove } from '../../../shared/domain/update/status-machine.ts';
import { listInstances } from '../../../shared/model/instance-ranges.ts';
import type { Job } from '../../../shared/model/job.ts';
import { jobPath } from '../../../shared/model/job-key.ts';
import { isActive, type Task } from '../../../shared/model/task.ts';
import {
  type ConfiguredInstances,
  isTerminalUpdate,
  type UpdateRecord,
} from '../../../shared/model/update.ts';
import { decodeUpdates, isUpdateHead } from '../../../shared/store/codec/update-row.ts';
import type { StoredUpdate } from '../../../shared/store/port.ts';
import { groupNumber, largestGroup } from '../../shared/domain/update/groups.ts';
import type { ItemChange } from '../model/memory-dynamo.ts';
import { Violation } from './violation.ts';

/** What the checks ask about the rest of the store, as of the commit they look at. */
export interface Surroundings {
  /** All tasks of an instance, in no order. */
  tasksOf(path: string, instance: number): Iterable<Task>;
  jobs(): ReadonlyMap<string, Job>;
}

type Configs = ReadonlyMap<number, string>;

interface Book {
  stored: StoredUpdate;
  readonly path: string;
  /** What each instance of the update ran when it began, and what it shall run. */
  readonly before: Configs;
  readonly after: Configs;
  readonly order: readonly number[];
  /** Instances that were up, were taken down for the update, and have not come up since. */
  readonly takenDown: Set<number>;
}

export class UpdateChecks {
  readonly books = new Map<string, Book>();
  /** `FROM>TO` of statuses, START included. */
  readonly pairs = new Set<string>();
  checks = 0;
  /** Nothing goes wrong, so no write is late: what is said to be done has been watched. */
  isPrompt = false;
  readonly #around: Surroundings;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  /** Updates that have not ended. */
  active(): UpdateRecord[] {
    return [...this.books.values()]
      .map(({ stored }) => stored.update)
      .filter(({ status }) => !isTerminalUpdate(status));
  }

  /** Does the update wait although all whose turn it is have been up for long enough, and for some minutes more? */
  isStuck({ updateId }: UpdateRecord): boolean {
    const book = this.books.get(updateId);
    if (!book) return false;
    const { update } = book.stored;
    const target = isBack(update) ? book.before : book.after;
    return workingOf(update).every((instance) => {
      const newest = this.#newest(book.path, instance);
      if (newest?.state !== 'RUNNING' || newest.configId !== target.get(instance)) return false;
      const upMs = Date.now() - (newest.events.at(-1)?.at ?? 0);
      return upMs > update.settings.minWaitInInstanceRunningMs + stuckMs;
    });
  }

  /** After the tasks and jobs of the same commit are known. */
  onCommit(changes: readonly ItemChange[], jobs: ReadonlySet<string>): void {
    const rows = new Map(
      changes.flatMap(({ pk, sk, after }) => (after ? [[`${pk} ${sk}`, after] as const] : [])),
    );
    const touched = new Set(jobs);
    for (const { pk, sk, after } of changes) {
      if (!isUpdateHead(pk, sk) || !after) continue;
      const plan = rows.get(`${pk} ${sk}#P`) ?? this.#plans.get(`${pk} ${sk}`);
      if (!plan) throw new Violation(`update ${sk} was written without what it was asked for`);
      this.#plans.set(`${pk} ${sk}`, plan);
      const [stored] = decodeUpdates([after, plan]);
      if (!stored) throw new Violation(`update ${sk} cannot be read`);
      touched.add(this.#changed(stored));
    }
    for (const path of touched) this.#checkLock(path);
  }
  readonly #plans = new Map<string, Readonly<Record<string, unknown>>>();

  #changed(stored: StoredUpdate): string {
    this.checks++;
    const { update } = stored;
    const book = this.books.get(update.updateId);
    if (book) this.#moved(book, stored);
    else this.#began(stored);
    const now = book ?? (this.books.get(update.updateId) as Book);
    now.stored = stored;
    this.#checkTurns(now);
    for (const instance of failedOf(update)) now.takenDown.delete(instance);
    if (isTerminalUpdate(update.status)) this.#ended(now);
    return now.path;
  }

  #began(stored: StoredUpdate): void {
    const { update } = stored;
    const path = jobPath(update);
    this.pairs.add(`START>${update.status}`);
    if (!mayMove('START', update.status)) throw new Violation(`update of ${path} begins as ${update.status}`);
    const [before, after] = [configsOf(update.initial), configsOf(update.desired)];
    const wanted = this.#around.jobs().get(path)?.desired ?? [];
    for (const [instance, configId] of before) {
      // An instance that ends as the update begins still counts as running what it ran.
      const runs = this.#runs(path, instance) ?? configId;
      if (runs !== configId)
        throw new Violation(
          `update of ${path} takes instance ${instance} to run ${configId}, it runs ${runs}`,
        );
      const isWanted = wanted.some(({ instances: [low, high] }) => low <= instance && instance <= high);
      if (!isWanted)
        throw new Violation(`update of ${path} begins with instance ${instance}, which is not wanted`);
    }
    const instances = [...new Set([...before.keys(), ...after.keys()])].sort((a, b) => a - b);
    const order = [
      ...instances.filter((i) => !before.has(i)),
      ...instances.filter((i) => before.has(i) && after.has(i)),
      ...instances.filter((i) => !after.has(i)),
    ];
    this.books.set(update.updateId, { stored, path, before, after, order, takenDown: new Set() });
  }

  #moved(book: Book, fresh: StoredUpdate): void {
    const { stored } = book;
    const name = `update of ${book.path}`;
    checkVersions(name, stored, fresh);
    const [old, update] = [stored.update, fresh.update];
    if (update.status !== old.status) {
      this.pairs.add(`${old.status}>${update.status}`);
      if (!mayMove(old.status, update.status))
        throw new Violation(`${name} went from ${old.status} to ${update.status}`);
    }
    if (isTerminalUpdate(old.status) && fresh.version !== stored.version)
      throw new Violation(`${name} had ended as ${old.status} and changed`);
    checkProgress(name, old, update);
    if (this.isPrompt && sameDirection(old, update)) this.#checkWatched(book, update);
  }

  /** Whoever is done has been up for as long as was asked for. */
  #checkWatched({ path, before, after, stored }: Book, update: UpdateRecord): void {
    const still = new Set([...workingOf(update), ...failedOf(update)]);
    const target = isBack(update) ? before : after;
    for (const instance of workingOf(stored.update)) {
      if (still.has(instance) || !target.has(instance)) continue;
      const newest = this.#newest(path, instance);
      const upMs = Date.now() - (newest?.events.at(-1)?.at ?? 0);
      const { minWaitInInstanceRunningMs: wantedMs } = update.settings;
      if (newest?.state === 'RUNNING' && upMs < wantedMs - clockToleranceMs) {
        throw new Violation(
          `update of ${path} is done with instance ${instance}, which has run for ${upMs} of ${wantedMs} ms`,
        );
      }
      const since = turnOf(stored.update, instance);
      const failures = this.#failures(path, instance, target.get(instance), since);
      if (failures > update.settings.maxPerInstanceFailures) {
        throw new Violation(
          `update of ${path} is done with instance ${instance}, which failed ${failures} times`,
        );
      }
    }
  }

  /** Tasks of this config that failed by themselves since a time. */
  #failures(path: string, instance: number, configId: string | undefined, since: number): number {
    return [...this.#around.tasksOf(path, instance)].filter(
      ({ state, events, ...task }) =>
        task.configId === configId &&
        state === 'FAILED' &&
        (events.at(-1)?.at ?? 0) > since + clockToleranceMs &&
        !events.some((event) => askedFor.includes(event.state)),
    ).length;
  }

  #checkTurns({ path, order, stored: { update } }: Book): void {
    const { progress, settings } = update;
    const working = workingOf(update);
    const must = (holds: boolean, otherwise: string) => {
      if (!holds) throw new Violation(`update of ${path} (${update.status}): ${otherwise}`);
    };
    must(new Set(working).size === working.length, 'an instance has two turns');
    const most = largestGroup(settings.strategy);
    must(working.length <= most, `${working.length} instances at work, more than the ${most} of a group`);
    const positions = working.map((instance) => order.indexOf(instance));
    const groups = new Set(positions.map((position) => groupNumber(settings.strategy, position)));
    must(settings.strategy.kind === 'queue' || groups.size <= 1, 'two groups are worked on at once');
    const [from, to] = isBack(update)
      ? [progress.visited - progress.revisited, progress.visited]
      : [0, progress.visited];
    must(
      positions.every((position) => position >= from && position < to),
      'an instance is at work whose turn it is not',
    );
    const allowed = failuresAllowed(update);
    must(
      isBack(update) || isTerminalUpdate(update.status) || failedOf(update).length <= allowed,
      `${failedOf(update).length} instances failed, ${allowed} are borne, and it goes on`,
    );
  }

  /** A task of the job changed; called for each after all of the commit are known. */
  onTask(old: Task | undefined, fresh: Task | undefined): void {
    const task = fresh ?? old;
    if (!task) return;
    const path = jobPath(task);
    for (const book of this.books.values()) {
      if (book.path !== path || isTerminalUpdate(book.stored.update.status)) continue;
      const newest = this.#newest(path, task.instance);
      if (newest?.state === 'RUNNING') book.takenDown.delete(task.instance);
    }
    const ended = endedFor(old, fresh);
    if (old && ended !== undefined) this.#takenDown(old, ended);
  }

  /** A task was told to end, or was removed while it waited, for the sake of an update. */
  #takenDown(task: Task, updateId: string): void {
    this.checks++;
    const book = this.books.get(updateId);
    if (!book) throw new Violation(`${task.taskId} is ended for update ${updateId}, which there is not`);
    const { update } = book.stored;
    const { instance } = task;
    const position = book.order.indexOf(instance);
    if (position < 0 || position >= update.progress.visited) {
      throw new Violation(
        `${task.taskId} is ended for an update of which it is not the turn of its instance`,
      );
    }
    const isWayBack = isBack(update) && task.configId !== book.before.get(instance);
    if (isWayBack) this.#checkReverse(book, task, position);
    if (task.state !== 'RUNNING') return;
    book.takenDown.add(instance);
    const down = [...book.takenDown].filter((one) => this.#counts(book, one));
    const most = largestGroup(update.settings.strategy, position);
    if (this.#counts(book, instance) && down.length > most && !isTerminalUpdate(update.status)) {
      throw new Violation(
        `update of ${book.path} has taken down instances ${down.join()}, more than the ${most} of the group`,
      );
    }
  }

  /** Is it a loss to the job while the instance is down? */
  #counts({ before, after, order, stored: { update } }: Book, instance: number): boolean {
    if (!before.has(instance) || failedOf(update).includes(instance)) return false;
    if (!isBack(update)) return after.has(instance);
    const { visited, revisited } = update.progress;
    return order.indexOf(instance) >= visited - revisited;
  }

  /** Whoever had their turn after this instance has been put back, or is being put back now. */
  #checkReverse({ path, before, order, stored: { update } }: Book, task: Task, position: number): void {
    const { visited, revisited } = update.progress;
    if (position < visited - revisited) throw new Violation(`${task.taskId} is put back before its turn`);
    const [working, failed] = [new Set(workingOf(update)), new Set(failedOf(update))];
    for (const later of order.slice(position + 1, visited)) {
      if (working.has(later) || failed.has(later)) continue;
      if (this.#runs(path, later) !== before.get(later)) {
        throw new Violation(
          `${task.taskId} is put back before instance ${later} of ${path}, which came after it`,
        );
      }
    }
  }

  /** An end is only said when it is reached; and the job wants what it says. */
  #ended(book: Book): void {
    const { path, before, after, order, stored } = book;
    const { status } = stored.update;
    book.takenDown.clear();
    if (status !== 'ROLLED_FORWARD' && status !== 'ROLLED_BACK') return;
    const failed = new Set(failedOf(stored.update));
    const target = status === 'ROLLED_FORWARD' ? after : before;
    for (const instance of order) {
      if (failed.has(instance)) continue;
      const runs = this.#runs(path, instance);
      if (runs !== target.get(instance)) {
        throw new Violation(
          `update of ${path} is ${status}, but instance ${instance} runs ${runs}, not ${target.get(instance)}`,
        );
      }
    }
  }

  /** A job names its active update, and there is only one. */
  #checkLock(path: string): void {
    this.checks++;
    const active = this.active().filter((update) => jobPath(update) === path);
    const { updateId } = this.#around.jobs().get(path) ?? {};
    if (active.length > 1) throw new Violation(`job ${path} has ${active.length} updates at once`);
    if (active[0]?.updateId !== updateId) {
      throw new Violation(
        `job ${path} names update ${updateId}, but ${active[0]?.updateId ?? 'none'} is active`,
      );
    }
    const book = updateId === undefined ? undefined : this.books.get(updateId);
    if (book) this.#checkFollowed(book);
  }

  /** The job wants at every moment what the update has come to. */
  #checkFollowed({ path, before, after, order, stored: { update } }: Book): void {
    const desired = this.#around.jobs().get(path)?.desired ?? [];
    const changed = update.progress.visited - update.progress.revisited;
    for (const [position, instance] of order.entries()) {
      const wanted = (position < changed ? after : before).get(instance);
      const range = desired.find(({ instances: [low, high] }) => low <= instance && instance <= high);
      if (range?.configId !== wanted) {
        throw new Violation(
          `job ${path} wants ${range?.configId} of instance ${instance}, its update ${wanted} by now`,
        );
      }
    }
  }

  #newest(path: string, instance: number): Task | undefined {
    let newest: Task | undefined;
    for (const task of this.#around.tasksOf(path, instance)) {
      if (!newest || task.generation > newest.generation) newest = task;
    }
    return newest;
  }

  /** The config of the instance's live task; of a task that just ended and will be followed, that one's. */
  #runs(path: string, instance: number): string | undefined {
    const newest = this.#newest(path, instance);
    return newest && isActive(newest.state) ? newest.configId : undefined;
  }
}

/** One write, one version; an execution follows the one before it. */
function checkVersions(name: string, old: StoredUpdate, fresh: StoredUpdate): void {
  if (fresh.version < old.version || fresh.version > old.version + 1)
    throw new Violation(`${name} went from version ${old.version} to ${fresh.version}`);
  if (fresh.version === old.version && JSON.stringify(fresh.update) !== JSON.stringify(old.update))
    throw new Violation(`${name} changed within version ${fresh.version}`);
  if (fresh.sequence < old.sequence || fresh.sequence > old.sequence + 1)
    throw new Violation(`${name} went from execution ${old.sequence} to ${fresh.sequence}`);
}

/** Turns only go on, in the direction of the update and while it may, and no failure is forgotten. */
function checkProgress(name: string, old: UpdateRecord, update: UpdateRecord): void {
  const [was, is] = [old.progress, update.progress];
  if (is.visited < was.visited || is.revisited < was.revisited)
    throw new Violation(`${name} forgot whose turn it was`);
  if (isBack(old) && is.visited !== was.visited) throw new Violation(`${name} goes forward on its way back`);
  const isStopped = old.status.endsWith('_PAUSED') || old.status.endsWith('_AWAITING_PULSE');
  const goesOn = is.visited + is.revisited > was.visited + was.revisited;
  if (isStopped && old.status === update.status && goesOn)
    throw new Violation(`${name} goes on although it is ${old.status}`);
  if (!sameDirection(old, update)) return;
  const lost = failedOf(old).filter((instance) => !failedOf(update).includes(instance));
  if (lost.length > 0) throw new Violation(`${name} forgot that instances ${lost.join()} failed`);
}

const askedFor: readonly string[] = ['KILLING', 'DRAINING', 'PREEMPTING', 'RESTARTING'];

/** When the instance's turn began, epoch ms. */
function turnOf({ progress }: UpdateRecord, instance: number): number {
  return progress.working.find(({ instances }) => listInstances(instances).includes(instance))?.since ?? 0;
}

/** Some sweeps, ms. */
const stuckMs = 5 * 60_000;

/** Clocks of functions differ by up to this in runs in which nothing goes wrong, ms. */
const clockToleranceMs = 1_000;

const reason = /^Killed for job update (\S+)/;

/** The update for whose sake a task was ended by this change. */
function endedFor(old: Task | undefined, fresh: Task | undefined): string | undefined {
  if (!old || !fresh || fresh.events.length <= old.events.length) return undefined;
  for (const event of fresh.events.slice(old.events.length)) {
    const found = event.state === 'KILLING' ? reason.exec(event.message ?? '') : null;
    if (found) return found[1];
  }
  return undefined;
}

function configsOf(configured: readonly ConfiguredInstances[]): Map<number, string> {
  return new Map(
    configured.flatMap(({ configId, instances }) =>
      listInstances(instances).map((i) => [i, configId] as const),
    ),
  );
}

function workingOf({ progress }: UpdateRecord): number[] {
  return progress.working.flatMap(({ instances }) => listInstances(instances));
}

function failedOf({ progress }: UpdateRecord): number[] {
  return listInstances(progress.failed);
}

function isBack({ status, progress }: UpdateRecord): boolean {
  return (
    status.startsWith('ROLL_BACK') ||
    status.startsWith('ROLLING_BACK') ||
    status === 'ROLLED_BACK' ||
    progress.revisited > 0
  );
}

function sameDirection(a: UpdateRecord, b: UpdateRecord): boolean {
  return isBack(a) === isBack(b) && !isTerminalUpdate(b.status);
}

function failuresAllowed({ settings }: UpdateRecord): number {
  return settings.maxFailedInstances;
}
