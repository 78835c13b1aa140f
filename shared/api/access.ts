// Who is meant to call which route: the example policies in docs/iam are tested against this table, and
// docs/reference/access.md shows it. A new route does not compile until its callers are named here.
import { type RouteName, routes } from './routes.ts';

/**
 * `reader` sees everything, `owner` does everything to the jobs of one role in one environment, `operator` everything,
 * `agent` what the process on a machine needs.
 */
export const audiences = ['reader', 'owner', 'operator', 'agent'] as const;
export type Audience = (typeof audiences)[number];

const everybody = audiences;
/** Of one job. */
const jobRead: readonly Audience[] = ['reader', 'owner', 'operator'];
const jobWrite: readonly Audience[] = ['owner', 'operator'];
/** Across roles or environments, or about machines. */
const wideRead: readonly Audience[] = ['reader', 'operator'];
const operate: readonly Audience[] = ['operator'];

export const routeAudiences: Readonly<Record<RouteName, readonly Audience[]>> = {
  createJob: jobWrite,
  listJobs: wideRead,
  listRoleJobs: wideRead,
  listEnvironmentJobs: jobRead,
  getJob: jobRead,
  killJob: jobWrite,
  restartJob: jobWrite,
  addInstances: jobWrite,
  whyPending: jobRead,

  startUpdate: jobWrite,
  // Changes nothing, but is a POST: to IAM it looks like what does.
  planUpdate: jobWrite,
  listJobUpdates: jobRead,
  listUpdates: wideRead,
  listRoleUpdates: wideRead,
  getUpdate: jobRead,
  listUpdateEvents: jobRead,
  pauseUpdate: jobWrite,
  resumeUpdate: jobWrite,
  abortUpdate: jobWrite,
  rollbackUpdate: jobWrite,
  pulseUpdate: jobWrite,

  getTask: jobRead,
  listAgents: wideRead,
  // Owners too: it says where the logs of a task are.
  getAgent: jobRead,
  // Holds the configs of all roles' tasks; answered to the agent itself only, whatever a policy allows (ADR 0008).
  desiredTasks: ['agent'],
  rebindAgent: operate,
  drainAgent: operate,
  undrainAgent: operate,
  drainStatus: wideRead,
  forgetAgent: operate,

  version: everybody,
  health: jobRead,
  openapi: jobRead,
};

/** docs/reference/access.md. */
export function accessDocument(): string {
  const rows = (Object.keys(routes) as RouteName[]).map((name) => {
    const { method, path } = routes[name];
    const marks = audiences.map((audience) => (routeAudiences[name].includes(audience) ? 'yes' : ''));
    return `| \`${method} ${path}\` | ${marks.join(' | ')} |`;
  });
  return `# Who may call which route

Made from \`shared/api/access.ts\` by \`node scripts/write-access.ts\`. The policies in [docs/iam](../iam) allow exactly this;
\`test/shared/api/access.test.ts\` evaluates them. For an owner, yes means: for the jobs of one role in one environment.

| Route | ${audiences.join(' | ')} |
|---|${audiences.map(() => ':-:').join('|')}|
${rows.join('\n')}
`;
}
