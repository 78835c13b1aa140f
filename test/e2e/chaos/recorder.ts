// Records a history (test/history) of an installation: every call with its answer, every event through a rule and a queue,
// every process of its tasks on this machine, every line a task wrote, every fault, and in the end what the API shows.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  DeleteMessageBatchCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import type { ApiClient } from '../../../shared/api/client.ts';
import type { JobDetail, JobView } from '../../../shared/api/views.ts';
import { isBorealisError } from '../../../shared/lib/errors.ts';
import type { BusEvent } from '../../../shared/model/events.ts';
import { jobKeyOnly, jobPath } from '../../../shared/model/job-key.ts';
import { emulated } from '../../deploy/emulated.ts';
import type { Call, Fault, FinalJob, Heard, History, Run } from '../../history/history.ts';
import type { Installation } from '../harness.ts';
import { historyQueueName } from './events-stack.ts';

const sampleEveryMs = 1000;
/** A gap between two looks at the machine that silences agents as well. */
const stallMs = 3000;
/** How long a call is repeated that had no clear answer: longer than the control plane is ever away. */
const repeatForMs = 60_000;
/** How long nothing may come before the bus counts as empty. */
const quietMs = 2500;

interface Answer {
  readonly specVersion?: number;
  readonly updateId?: string;
}

export interface Recorder {
  /**
   * Makes a call, again with the same idempotency key while there is no clear answer, and records what came of it. The
   * bus, the machine and the calls are recorded by themselves.
   */
  call(job: string, asked: Call['asked'], send: (idempotencyKey: string) => Promise<Answer>): Promise<Call>;
  /** A fault begins; what is returned ends it. */
  fault(kind: Fault['kind'], agentId?: string): () => void;
  /** The history up to now. `limits` and what else is known of the installation come from the caller. */
  history(known: Pick<History, 'limits' | 'agents'>): Promise<History>;
  /** Waits until no event has come for a while. */
  untilQuiet(): Promise<void>;
  stop(): Promise<void>;
}

export interface RecorderOptions {
  readonly installation: Installation;
  /** Jobs of this role and environment are the recorder's. */
  readonly jobs: { readonly role: string; readonly environment: string };
  /** The file into which tasks write; see `witness`. */
  readonly runsFile: string;
}

/** The command by which a task's process writes down that it began or ended; the sandbox's path names the agent. */
export function witness(what: Run['what'], runsFile: string): string {
  return `echo "${what} $BOREALIS_TASK_ID $(date +%s%3N) $HOME" >> ${runsFile}`;
}

/** Starts to record. The queue of events must be there already. */
export async function startRecorder(options: RecorderOptions): Promise<Recorder> {
  const { installation, jobs } = options;
  const from = Date.now();
  const calls: Call[] = [];
  const faults: Fault[] = [];
  const samples: History['samples'][number][] = [];
  const mark = `BOREALIS_TASK_ID=${jobs.role}~${jobs.environment}~`;
  const bus = await listen(installation, (event) => isOf(event, jobs));
  let sampledAt = Date.now();
  const look = (): void => {
    const at = Date.now();
    if (at - sampledAt > stallMs) faults.push({ kind: 'stall', from: sampledAt, to: at });
    sampledAt = at;
    samples.push({ from: at, taskIds: tasksWithProcesses(mark), to: Date.now() });
  };
  const timer = setInterval(look, sampleEveryMs);
  let keys = 0;
  return {
    async call(job, asked, send) {
      const startedAt = Date.now();
      const key = `chaos-${process.pid}-${from}-${keys++}`;
      const result = await answered(() => send(key));
      const call: Call = { job, asked, startedAt, endedAt: Date.now(), ...result };
      calls.push(call);
      return call;
    },
    fault(kind, agentId) {
      const begun = Date.now();
      const open: Fault = { kind, from: begun, to: Number.POSITIVE_INFINITY, ...(agentId && { agentId }) };
      faults.push(open);
      return () => void faults.splice(faults.indexOf(open), 1, { ...open, to: Date.now() });
    },
    async history(known) {
      const shown = await finalJobs(installation.api, jobs);
      look();
      const updateCalls = calls.filter(({ updateId }) => updateId !== undefined);
      const updates = await Promise.all(
        updateCalls.map(async ({ job, updateId = '' }) => {
          const name = job.split('/').at(-1) ?? '';
          const { status } = await installation.api.call('getUpdate', {
            params: { ...jobs, name, updateId },
          });
          return { job, updateId, status };
        }),
      );
      const runs = runsIn(options.runsFile);
      const ledgers = await finalAgents(installation.api);
      return {
        ...known,
        from,
        to: Date.now(),
        calls,
        heard: bus.heard,
        faults,
        samples,
        runs,
        jobs: shown,
        updates,
        ledgers,
      };
    },
    async untilQuiet() {
      while (Date.now() - bus.lastAt() < quietMs) await pause(200);
    },
    async stop() {
      clearInterval(timer);
      await bus.stop();
    },
  };
}

type Outcome = Pick<Call, 'outcome' | 'specVersion' | 'updateId' | 'code'>;

/** A refusal after a try without answer is no clear answer: that try may be what it was refused for. */
async function answered(send: () => Promise<Answer>): Promise<Outcome> {
  const end = Date.now() + repeatForMs;
  let isUnclear = false;
  for (;;) {
    try {
      return { outcome: 'accepted', ...(await send()) };
    } catch (error) {
      if (!isBorealisError(error)) throw error;
      const status = Number(error.details.status ?? 0);
      if (status >= 400 && status < 500) {
        return isUnclear ? { outcome: 'unknown' } : { outcome: 'refused', code: error.code };
      }
      isUnclear = true;
      if (Date.now() > end) return { outcome: 'unknown', code: error.code };
      await pause(300);
    }
  }
}

function isOf(event: BusEvent, { role, environment }: RecorderOptions['jobs']): boolean {
  if (event.detailType === 'Agent Change') return true;
  return event.detail.role === role && event.detail.environment === environment;
}

interface Bus {
  readonly heard: readonly Heard[];
  /** When the last event came. */
  lastAt(): number;
  stop(): Promise<void>;
}

async function listen(installation: Installation, wanted: (event: BusEvent) => boolean): Promise<Bus> {
  const sqs = new SQSClient(emulated(installation.endpoints.sqs));
  const { QueueUrl } = await sqs.send(
    new GetQueueUrlCommand({ QueueName: historyQueueName(installation.cluster) }),
  );
  const heard: Heard[] = [];
  let lastAt = Date.now();
  let stopped = false;
  const receive = async (): Promise<void> => {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 }),
    );
    if (Messages.length === 0) return;
    const heardAt = Date.now();
    for (const { Body = '' } of Messages) {
      const { 'detail-type': detailType, detail } = JSON.parse(Body) as Record<string, unknown>;
      const event = { detailType, detail } as BusEvent;
      if (!wanted(event)) continue;
      heard.push({ heardAt, event });
      lastAt = heardAt;
    }
    const Entries = Messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
  };
  const loop = async (): Promise<void> => {
    while (!stopped) await receive().catch(() => pause(300));
  };
  const loops = [loop(), loop()];
  return {
    heard,
    lastAt: () => lastAt,
    async stop() {
      stopped = true;
      await Promise.all(loops);
      sqs.destroy();
    },
  };
}

/** Tasks whose mark is in the environment of a live process. */
function tasksWithProcesses(mark: string): string[] {
  const found = new Set<string>();
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      const variable = environment.find((one) => one.startsWith(mark));
      if (variable !== undefined) found.add(variable.slice(variable.indexOf('=') + 1));
    } catch {
      // Gone, or somebody else's.
    }
  }
  return [...found];
}

function runsIn(file: string): Run[] {
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return lines.map((line): Run => {
    const [what, taskId = '', at, sandbox = ''] = line.split(' ');
    return {
      what: what === 'end' ? 'end' : 'start',
      taskId,
      at: Number(at),
      agentId: agentOf(sandbox, dirname(file)),
    };
  });
}

/** The work directory of each agent lies beside the file and has the agent's name. */
function agentOf(sandbox: string, dir: string): string {
  return basename(join(dir, sandbox.slice(dir.length + 1).split('/')[0] ?? ''));
}

async function finalAgents(api: ApiClient): Promise<History['ledgers']> {
  const { agents } = await api.call('listAgents', { query: { limit: 100 } });
  return agents.map(({ agentId, free, tasks, presence }) => ({ agentId, ...free, taskIds: tasks, presence }));
}

async function finalJobs(
  api: ApiClient,
  { role, environment }: RecorderOptions['jobs'],
): Promise<FinalJob[]> {
  const views: JobView[] = [];
  let cursor: string | undefined;
  do {
    const page = await api.call('listEnvironmentJobs', {
      params: { role, environment },
      query: { limit: 100, ...(cursor && { cursor }) },
    });
    views.push(...page.jobs);
    cursor = page.nextCursor ?? undefined;
  } while (cursor);
  return Promise.all(views.map((view) => finalJob(api, view)));
}

async function finalJob(api: ApiClient, view: JobView): Promise<FinalJob> {
  const pages: JobDetail[] = [];
  let cursor: string | undefined;
  do {
    const page = await api.call('getJob', {
      params: jobKeyOnly(view),
      query: { history: 'true', limit: 200, ...(cursor && { cursor }) },
    });
    pages.push(page);
    cursor = page.nextCursor ?? undefined;
  } while (cursor);
  const configs = Object.assign({}, ...pages.map(({ configs: some }) => some)) as JobDetail['configs'];
  const [first] = pages;
  if (!first) throw new Error(`${jobPath(view)} has no pages`);
  return {
    job: first.job,
    tasks: pages.flatMap(({ tasks }) => tasks),
    marks: Object.fromEntries(Object.entries(configs).map(([id, { metadata }]) => [id, metadata.mark ?? ''])),
    constraints: Object.fromEntries(
      Object.entries(configs).map(([id, { constraints }]) => [id, constraints]),
    ),
    maxTaskFailures: Object.values(configs)[0]?.maxTaskFailures ?? 1,
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
