// GET /jobs/{role}/{environment}/{name}: the job, counts of all its tasks, and a page of tasks: active ones by instance,
// then history, newest first. A page that is full names its last task in the cursor, so changes between two pages
// neither repeat nor skip what did not change.
import * as z from 'zod';
import { jobCountsSchema } from '../../shared/api/views.ts';
import { bucketOf } from '../../shared/domain/job/summary.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Job } from '../../shared/model/job.ts';
import { isActive, type Task } from '../../shared/model/task.ts';
import type { TaskConfig } from '../../shared/model/task-config.ts';
import type { ApiDeps, ResourceHandler } from './context.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { existingJob, visitTasks } from './job-tasks.ts';
import { jobViews, taskView } from './views.ts';

const defaultLimit = 1000;

/** After an active task (its instance), or after one of the history (its last event and id). Counts are taken once. */
const cursorSchema = z.object({
  counts: jobCountsSchema,
  after: z.union([
    z.object({ instance: z.number().int() }),
    z.object({ endedAt: z.number().int(), taskId: z.string() }),
    z.object({ active: z.literal('done') }),
  ]),
});
type Cursor = z.infer<typeof cursorSchema>;

export const getJob: ResourceHandler<'getJob'> = async ({ params, query }, deps) => {
  const job = await existingJob(deps.store, params);
  const limit = query.limit ?? defaultLimit;
  const withHistory = query.history !== 'false';
  const cursor = query.cursor === undefined ? undefined : decodeCursor(cursorSchema, query.cursor);
  const page = await readPage(job, { limit, withHistory, cursor }, deps);
  const [view] = await jobViews([job], deps.configs);
  if (!view) throw new BorealisError('INTERNAL', 'the job cannot be shown');
  return {
    job: view,
    counts: page.counts,
    tasks: page.tasks.map(taskView),
    configs: await configsOf(job, page.tasks, deps),
    nextCursor: page.next === undefined ? null : encodeCursor({ counts: page.counts, after: page.next }),
  };
};

interface PageOptions {
  readonly limit: number;
  readonly withHistory: boolean;
  readonly cursor: Cursor | undefined;
}

interface Page {
  readonly counts: Cursor['counts'];
  readonly tasks: readonly Task[];
  readonly next?: Cursor['after'];
}

async function readPage(job: Job, { limit, withHistory, cursor }: PageOptions, deps: ApiDeps): Promise<Page> {
  const after = cursor?.after;
  const counts = { pending: 0, active: 0, finished: 0, failed: 0 };
  const active: Task[] = [];
  const history: Task[] = [];
  const activeDone = after !== undefined && !('instance' in after);
  const from = after && 'instance' in after ? after.instance + 1 : 0;
  const visit = (tasks: readonly Task[]): 'stop' | undefined => {
    for (const task of tasks) {
      counts[bucketOf(task.state)]++;
      if (!isActive(task.state)) history.push(task);
      else if (!activeDone && task.instance >= from) active.push(task);
    }
    // The first page counts everything; a later one has its counts and reads no further than it must.
    return cursor !== undefined && active.length > limit ? 'stop' : undefined;
  };
  await visitTasks(deps.store, job, visit, { from });
  const total = cursor?.counts ?? counts;
  if (active.length > limit) {
    const tasks = active.sort(byInstance).slice(0, limit);
    return { counts: total, tasks, next: { instance: tasks.at(-1)?.instance ?? 0 } };
  }
  active.sort(byInstance);
  if (!withHistory) return { counts: total, tasks: active };
  if (from > 0) await visitTasks(deps.store, job, visit, { to: from });
  return historyPage(active, history, { limit, after, counts: total });
}

/** What is left of a page after the active tasks is filled from the history. */
function historyPage(
  active: readonly Task[],
  history: Task[],
  { limit, after, counts }: { limit: number; after: Cursor['after'] | undefined; counts: Cursor['counts'] },
): Page {
  const older = history.sort(newestFirst).filter((task) => comesAfter(task, after));
  const tasks = [...active, ...older.slice(0, limit - active.length)];
  if (older.length + active.length <= limit) return { counts, tasks };
  const last = tasks.at(-1);
  const historyBegun = last !== undefined && !isActive(last.state);
  return {
    counts,
    tasks,
    next: historyBegun ? { endedAt: endedAt(last), taskId: last.taskId } : { active: 'done' },
  };
}

function byInstance(a: Task, b: Task): number {
  return a.instance - b.instance || a.generation - b.generation;
}

function comesAfter(task: Task, after: Cursor['after'] | undefined): boolean {
  if (!after || !('taskId' in after)) return true;
  const at = endedAt(task);
  return at < after.endedAt || (at === after.endedAt && task.taskId > after.taskId);
}

function newestFirst(a: Task, b: Task): number {
  return endedAt(b) - endedAt(a) || (a.taskId < b.taskId ? -1 : 1);
}

function endedAt(task: Task): number {
  return task.events.at(-1)?.at ?? task.createdAt;
}

/** The configs that the job desires and those that the tasks of this page run. */
async function configsOf(
  job: Job,
  tasks: readonly Task[],
  deps: ApiDeps,
): Promise<Record<string, TaskConfig>> {
  const ids = new Set([...job.desired, ...tasks].map(({ configId }) => configId));
  const wanted = [...ids].map((configId) => ({ key: job, configId }));
  await deps.configs.load(wanted);
  const pairs = await Promise.all(
    wanted.map(async ({ configId }) => [configId, await deps.configs.get(job, configId)] as const),
  );
  return Object.fromEntries(pairs);
}
