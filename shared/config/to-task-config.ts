// One job of a file, already rendered and type-checked, as the task config the system stores: units, defaults, ports.
import type { Constraint, HealthCheckConfig, ProcessConfig, TaskConfig } from '../model/task-config.ts';
import { healthCheckSchema, httpLifecycleSchema, taskConfigSchema } from '../model/task-config.ts';
import { agentReferences } from './agent-template.ts';
import { parseConstraint } from './constraint-text.ts';
import type { FileJob } from './job-file.ts';
import type { ConfigPath, ConfigProblem } from './problem.ts';
import { parseSizeMb } from './sizes.ts';

/** Port that turns on the http health check and the http shutdown steps by being asked for. */
const healthPort = 'health';

export type Converted =
  | { readonly ok: true; readonly task: TaskConfig; readonly problems: readonly ConfigProblem[] }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** Converts; the paths of problems are those of the job in the file. */
export function toTaskConfig(job: FileJob): Converted {
  const problems: ConfigProblem[] = [];
  // Rendering has taken the bindings out.
  const processes: readonly ProcessConfig[] = job.task.processes;
  const ports = requestedPorts(job);
  const healthCheck = toHealthCheck(job, ports);
  const httpLifecycle = toHttpLifecycle(job, ports);
  const candidate: TaskConfig = {
    service: job.service ?? false,
    tier: toTier(job, problems),
    priority: job.priority ?? 0,
    maxTaskFailures: job.maxTaskFailures ?? 1,
    constraints: toConstraints(job),
    pool: job.pool ?? 'default',
    ...(job.contact === undefined ? {} : { contact: job.contact }),
    metadata: job.metadata ?? {},
    resources: { ...toResources(job, problems), ports },
    maxFailures: job.task.maxFailures ?? 1,
    maxConcurrency: job.task.maxConcurrency ?? 0,
    finalizationWaitSecs: job.task.finalizationWaitSecs ?? 30,
    processes: [...processes],
    ordering: toOrdering(job, processes, problems),
    ...(healthCheck === undefined ? {} : { healthCheck }),
    ...(httpLifecycle === undefined ? {} : { httpLifecycle }),
    ...(job.partitionPolicy === undefined ? {} : { partitionPolicy: job.partitionPolicy }),
  };
  const parsed = taskConfigSchema.safeParse(candidate);
  if (parsed.success) return { ok: true, task: parsed.data, problems };
  // Only what the file's own schema can't see comes here, such as too many ports once references are counted.
  const issues = parsed.error.issues.map((issue) => ({
    path: filePath(issue.path as (string | number)[], candidate),
    message: issue.message,
  }));
  return { ok: false, problems: [...problems, ...issues] };
}

/** Where a field of a TaskConfig stands in the job file. */
export function filePath(path: ConfigPath, task: Pick<TaskConfig, 'constraints'>): ConfigPath {
  const [head, index, ...rest] = path;
  if (head === 'constraints' && typeof index === 'number') {
    return ['constraints', task.constraints[index]?.attribute ?? index, ...rest];
  }
  if (head === 'httpLifecycle') return ['lifecycle', 'http', ...path.slice(1)];
  const inJob = [
    'service',
    'tier',
    'priority',
    'maxTaskFailures',
    'constraints',
    'pool',
    'contact',
    'metadata',
    'partitionPolicy',
  ];
  return head === 'healthCheck' || inJob.includes(String(head)) ? path : ['task', ...path];
}

function toTier(job: FileJob, problems: ConfigProblem[]): TaskConfig['tier'] {
  if (job.production === undefined) return job.tier ?? 'preemptible';
  const derived = job.production ? 'preferred' : 'preemptible';
  if (job.tier !== undefined && (job.tier === 'preferred') !== job.production) {
    problems.push({
      path: ['production'],
      message: `production: ${job.production} and tier: ${job.tier} contradict each other`,
      hint: 'keep tier and remove production',
    });
  }
  return job.tier ?? derived;
}

function toConstraints(job: FileJob): Constraint[] {
  return Object.entries(job.constraints ?? {}).flatMap(([attribute, text]) => {
    const parsed = parseConstraint(attribute, text);
    return 'error' in parsed ? [] : [parsed];
  });
}

/** One of two ways to say a size, exactly. */
function toSizeMb(
  names: readonly [string, string],
  values: readonly [number | undefined, string | undefined],
  problems: ConfigProblem[],
): number {
  const [mb, sizeText] = values;
  if ((mb === undefined) === (sizeText === undefined)) {
    const both = mb !== undefined;
    problems.push({
      path: ['task', 'resources', both ? names[1] : names[0]],
      message: both
        ? `${names[0]} and ${names[1]} are both given`
        : `neither ${names[0]} nor ${names[1]} is given`,
      hint: both ? 'keep one of them' : `write ${names[0]}: 128 or ${names[1]}: 128MB`,
    });
  }
  return mb ?? parseSizeMb(sizeText ?? '') ?? 1;
}

function toResources(job: FileJob, problems: ConfigProblem[]): Omit<TaskConfig['resources'], 'ports'> {
  const { cpu, ramMb, ram, diskMb, disk, gpuModels } = job.task.resources;
  return {
    cpuMilli: Math.max(1, Math.round(cpu * 1000)),
    ramMb: toSizeMb(['ramMb', 'ram'], [ramMb, ram], problems),
    diskMb: toSizeMb(['diskMb', 'disk'], [diskMb, disk], problems),
    ...toGpus(job, problems),
    gpuModels: gpuModels ?? [],
  };
}

function toGpus(job: FileJob, problems: ConfigProblem[]): { gpus: number; gpuMilli: number } {
  const { gpus = 0, gpuMilli } = job.task.resources;
  const path = ['task', 'resources', 'gpus'];
  if (gpus > 0 && gpus < 1) {
    const share = Math.round(gpus * 1000);
    if (gpuMilli !== undefined && gpuMilli !== share) {
      problems.push({
        path,
        message: `gpus: ${gpus} and gpuMilli: ${gpuMilli} contradict each other`,
        hint: 'keep one of them',
      });
    }
    if (share < 1)
      problems.push({ path, message: `${gpus} of a GPU is too little`, hint: 'the least share is 0.001' });
    return { gpus: 1, gpuMilli: Math.max(1, share) };
  }
  if (!Number.isInteger(gpus)) {
    problems.push({
      path,
      message: `${gpus} GPUs: only whole cards or a share below 1`,
      hint: 'for example 2, or 0.25',
    });
  }
  return { gpus: Math.floor(gpus), gpuMilli: gpuMilli ?? (gpus > 0 ? 1000 : 0) };
}

/** Ports asked for by name, then those any command refers to. */
function requestedPorts(job: FileJob): string[] {
  const texts = job.task.processes.map((process) => process.cmdline);
  const command = job.healthCheck?.shell?.command;
  if (command !== undefined && job.healthCheck?.enabled !== false) texts.push(command);
  const named = job.task.resources.ports ?? [];
  const referenced = texts.flatMap((cmdline) => agentReferences(cmdline).ports);
  return [...named, ...new Set(referenced.filter((name) => !named.includes(name)))];
}

function toHealthCheck(job: FileJob, ports: readonly string[]): HealthCheckConfig | undefined {
  if (job.healthCheck === undefined) {
    return ports.includes(healthPort) ? healthCheckSchema.parse({ http: {} }) : undefined;
  }
  const { enabled = true, ...healthCheck } = job.healthCheck;
  if (!enabled) return undefined;
  const checker = healthCheck.http === undefined && healthCheck.shell === undefined ? { http: {} } : {};
  return healthCheckSchema.parse({ ...healthCheck, ...checker });
}

function toHttpLifecycle(job: FileJob, ports: readonly string[]): TaskConfig['httpLifecycle'] {
  const { enabled = true, http } = job.lifecycle ?? {};
  if (!enabled || (http === undefined && !ports.includes(healthPort))) return undefined;
  return httpLifecycleSchema.parse(http ?? {});
}

function toOrdering(
  job: FileJob,
  processes: readonly ProcessConfig[],
  problems: ConfigProblem[],
): TaskConfig['ordering'] {
  if (job.task.order === undefined) return job.task.ordering ?? [];
  if (job.task.ordering !== undefined) {
    const message = 'order and ordering are both given';
    problems.push({ path: ['task', 'order'], message, hint: 'keep one of them' });
    return job.task.ordering;
  }
  // Final processes have a stage of their own, so each stage is a sequence.
  const stages = [processes.filter(({ final }) => !final), processes.filter(({ final }) => final)];
  return stages.filter((stage) => stage.length > 1).map((stage) => stage.map(({ name }) => name));
}
