// The agent as a service on an EC2 instance: what it is comes from the instance's metadata, what it belongs to from its
// environment. Bundled into one file (infra/constructs/agent-bundle.ts). Stopping it leaves the tasks running; the next
// start takes them over.
import { existsSync } from 'node:fs';
import { isSigned, lazySignedFetch } from '../../shared/api/signing.ts';
import { errorText, stderrLog } from '../log.ts';
import { type AgentOptions, runAgent } from '../main.ts';
import { accountsCalled, taskUids } from '../tasks/task-users.ts';
import { createInstanceMetadata } from './instance-metadata.ts';
import { watchForLeaving } from './leaving-watch.ts';
import { describeMachine } from './machine.ts';
import { readServiceSettings, type ServiceSettings } from './settings.ts';

async function serve(): Promise<void> {
  const settings = readServiceSettings(process.env);
  const metadata = createInstanceMetadata(settings.BOREALIS_METADATA);
  const machine = await describeMachine(metadata, process.arch);
  const region = machine.attributes.region?.[0] ?? '';
  process.env.AWS_REGION ??= region;
  const api = settings.BOREALIS_API.replace(/\/+$/, '');
  const warn = (line: string) => stderrLog('warn', line);
  const agent = await runAgent({
    agentId: machine.instanceId,
    cluster: settings.BOREALIS_CLUSTER,
    pool: settings.BOREALIS_POOL,
    host: machine.host,
    api,
    intakeQueueUrl: settings.BOREALIS_INTAKE_QUEUE_URL,
    ...(isSigned(api, 'auto') ? { fetch: lazySignedFetch({ baseUrl: api, region, warn }) } : {}),
    workDir: settings.BOREALIS_WORK_DIR,
    attributes: { ...machine.attributes, pool: [settings.BOREALIS_POOL] },
    runAsRole: true,
    ...usersOf(settings),
    cgroup: cgroupOf(settings),
    observer:
      settings.BOREALIS_LOG_PORT === undefined
        ? {}
        : { host: machine.address, port: settings.BOREALIS_LOG_PORT },
  });
  stderrLog('info', 'agent started', { agentId: agent.agentId, observer: agent.observerUrl });
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort());
  await watchForLeaving({
    metadata,
    tell: (notice) => agent.reportLeaving(notice),
    signal: stopping.signal,
    log: stderrLog,
  });
  await agent.stop();
}

/** Accounts that install.sh made for tasks, if it did; else one user for all roles that have none. */
function usersOf({
  BOREALIS_TASK_USER: name,
}: ServiceSettings): Pick<AgentOptions, 'taskUser' | 'taskAccounts'> {
  const names = accountsCalled(name);
  return names.length === 0 ? { taskUser: name } : { taskAccounts: { names, roleUids: taskUids } };
}

function cgroupOf({ BOREALIS_CGROUP_PARENT: parent }: ServiceSettings): 'auto' | { readonly parent: string } {
  return parent !== undefined && existsSync(parent) ? { parent } : 'auto';
}

serve().then(
  () => process.exit(0),
  (error: unknown) => {
    stderrLog('error', 'the agent ends', { error: errorText(error) });
    process.exit(1);
  },
);
