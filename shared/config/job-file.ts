// The job file as people write it: friendly names and units, every field strict. Its conversion to the stored model is in
// to-submission.ts; docs/reference/job-file.md explains each field, and the JSON Schema for editors is generated from here.
import * as z from 'zod';
import { boundedMap } from '../model/bounded-map.ts';
import { maxInstances } from '../model/job.ts';
import { identifierSchema } from '../model/job-key.ts';
import { resourcesSchema } from '../model/resources.ts';
import {
  healthCheckSchema,
  httpLifecycleSchema,
  partitionPolicySchema,
  processNameSchema,
  processSchema,
  taskConfigSchema,
} from '../model/task-config.ts';
import { parseConstraint } from './constraint-text.ts';
import { parseRanges } from './instance-ranges.ts';
import { parseSizeMb } from './sizes.ts';
import { fileUpdateSchema } from './update-settings.ts';

const bindings = z
  .record(z.string(), z.unknown())
  .optional()
  .describe('Names for {{name}} in this object and everything in it; the closest binding wins.');

const size = z
  .string()
  .max(32)
  .refine((text) => parseSizeMb(text) !== undefined, {
    error: 'not a size of at least 1 MiB; write for example 512MB or 1.5GiB',
  });

const resourcesFileSchema = z.strictObject({
  cpu: z.number().min(0.001).max(1024).describe('Cores; 0.5 is half a core.'),
  ramMb: resourcesSchema.shape.ramMb.optional().describe('Memory in MiB. Or write ram.'),
  ram: size.optional().describe('Memory as text, for example 512MB or 1GiB.'),
  diskMb: resourcesSchema.shape.diskMb.optional().describe('Disk in MiB. Or write disk.'),
  disk: size.optional().describe('Disk as text, for example 10GB.'),
  gpus: z.number().min(0).max(64).optional().describe('Number of cards, or a share of one such as 0.25.'),
  gpuMilli: z
    .number()
    .int()
    .min(1)
    .max(1000)
    .optional()
    .describe('Share of the card in thousandths; needs gpus: 1.'),
  gpuModels: resourcesSchema.shape.gpuModels
    .unwrap()
    .optional()
    .describe('Acceptable models; any when absent.'),
  ports: resourcesSchema.shape.ports
    .unwrap()
    .optional()
    .describe('Names of ports to reserve. {{borealis.ports[name]}} in a command line reserves one too.'),
});

const processFileSchema = processSchema.extend({
  bindings,
  cmdline: processSchema.shape.cmdline.describe('Run by /bin/bash -c.'),
  maxFailures: processSchema.shape.maxFailures.describe(
    'Non-zero exits before it has failed for good; 0 = unlimited.',
  ),
  daemon: processSchema.shape.daemon.describe('Run again after every success.'),
  ephemeral: processSchema.shape.ephemeral.describe('The task can complete without it.'),
  final: processSchema.shape.final.describe('Run after all others have ended.'),
  minDurationSecs: processSchema.shape.minDurationSecs.describe(
    'Least seconds between the end of a run and the next.',
  ),
});

const taskFileSchema = z.strictObject({
  name: processNameSchema.optional().describe('Default: the name of the first process.'),
  bindings,
  resources: resourcesFileSchema,
  processes: z.array(processFileSchema).min(1).max(128),
  ordering: taskConfigSchema.shape.ordering
    .optional()
    .describe('Lists of process names; each list runs one after another.'),
  order: z
    .literal('sequential')
    .optional()
    .describe('All processes one after another, in the order written.'),
  maxFailures: taskConfigSchema.shape.maxFailures
    .optional()
    .describe('Processes that may fail for good before the task fails; 0 = never. Default 1.'),
  maxConcurrency: taskConfigSchema.shape.maxConcurrency
    .optional()
    .describe('Processes at once; 0 = unlimited.'),
  finalizationWaitSecs: taskConfigSchema.shape.finalizationWaitSecs
    .optional()
    .describe('Seconds for clean-up and final processes. Default 30.'),
});

const healthCheckFileSchema = healthCheckSchema.extend({
  enabled: z.boolean().optional().describe('false: no health check although there is a port named health.'),
});

const lifecycleFileSchema = z.strictObject({
  enabled: z.boolean().optional().describe('false: no http steps before SIGTERM.'),
  http: httpLifecycleSchema.optional().describe('Requests sent before SIGTERM when the task is killed.'),
});

const ranges = z
  .string()
  .max(4096)
  .superRefine((text, context) => {
    try {
      parseRanges(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
    }
  });

const fileConstraintsSchema = boundedMap(z.string().min(1).max(128), z.string().max(17_000), 32).superRefine(
  (constraints, context) => {
    for (const [attribute, text] of Object.entries(constraints)) {
      const parsed = parseConstraint(attribute, text);
      if ('error' in parsed) context.addIssue({ code: 'custom', path: [attribute], message: parsed.error });
    }
  },
);

/** One job of a file, before conversion. */
export const fileJobSchema = z.strictObject({
  role: identifierSchema.describe('Owner of the job; the account its processes run as.'),
  environment: identifierSchema.describe(
    'prod, devel, test or staging, unless the installation allows others.',
  ),
  name: identifierSchema.optional().describe('Default: the name of the task.'),
  cluster: identifierSchema.optional().describe('Name of the installation; a job is refused by any other.'),
  bindings,
  instances: z.number().int().min(1).max(maxInstances).optional().describe('Default 1.'),
  service: z.boolean().optional().describe('Restart whatever ends. Default false.'),
  production: z.boolean().optional().describe('true is tier: preferred.'),
  tier: taskConfigSchema.shape.tier.optional().describe('Default preemptible.'),
  priority: taskConfigSchema.shape.priority.optional().describe('Larger goes first. Default 0.'),
  maxTaskFailures: taskConfigSchema.shape.maxTaskFailures
    .optional()
    .describe('Runs of an instance that may fail; -1 = unlimited. Default 1.'),
  constraints: fileConstraintsSchema.optional().describe('Host attribute -> a, "a,b", "!a" or limit:N.'),
  contact: taskConfigSchema.shape.contact.describe('Whom to ask about the job.'),
  metadata: taskConfigSchema.shape.metadata.optional().describe('Free labels.'),
  pool: taskConfigSchema.shape.pool.optional().describe('Pool of agents. Default "default".'),
  task: taskFileSchema,
  healthCheck: healthCheckFileSchema.optional(),
  lifecycle: lifecycleFileSchema.optional(),
  update: fileUpdateSchema
    .optional()
    .describe('How the job is updated, unless the command line says otherwise.'),
  partitionPolicy: partitionPolicySchema
    .optional()
    .describe(
      'When its agent is lost: delaySecs to wait for it before the task is replaced; reschedule false = wait until it returns. Default: replaced at once.',
    ),
  overrides: z
    .array(z.strictObject({ instances: ranges, task: z.record(z.string(), z.unknown()) }))
    .max(100)
    .optional()
    .describe('Other task settings for some instances (a canary): maps are merged into task, lists replace.'),
});
export type FileJob = z.infer<typeof fileJobSchema>;

/** A whole file: one job, a list of jobs, or this. */
export const fileSchema = z.strictObject({
  jobs: z.array(fileJobSchema).min(1).max(1000),
  bindings,
  templates: z.unknown().optional().describe('A place for YAML anchors; not read otherwise.'),
});

/** What a TypeScript job file exports as default or as `jobs`. */
export type JobDefinition = z.input<typeof fileJobSchema>;
/** The file form with shared bindings. */
export type JobFileDefinition = z.input<typeof fileSchema>;

/** Aurora's fields that later versions will have; refused so that nobody believes they work. */
export const laterFields: ReadonlyMap<string, string> = new Map([
  ['cronSchedule', 'cron schedules'],
  ['cronCollisionPolicy', 'cron schedules'],
  ['announce', 'service discovery'],
  ['container', 'containers'],
  ['slaPolicy', 'SLA policies'],
]);

/** Aurora's words (without `_`, lower case) for fields that have another name here. */
export const auroraNames: ReadonlyMap<string, string> = new Map([
  ['healthcheckconfig', 'healthCheck'],
  ['updateconfig', 'update'],
  ['waitforbatchcompletion', 'waitForBatch'],
  ['maxpershardfailures', 'maxPerInstanceFailures'],
  ['healthchecker', 'healthCheck.http or healthCheck.shell'],
  ['shellcommand', 'command'],
  ['minduration', 'minDurationSecs'],
  ['finalizationwait', 'finalizationWaitSecs'],
  ['numcpus', 'cpu'],
  ['cpus', 'cpu'],
  ['gpu', 'gpus'],
  ['env', 'environment'],
  ['cmd', 'cmdline'],
  ['order', 'ordering'],
]);
