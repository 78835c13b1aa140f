// Events other services receive from the bus (docs/events.md). Versioned by `version` in the detail: within a version a
// field may be added, none is changed or removed. Delivered at least once and in no particular order, so each says what
// makes it the same event again, and when it happened.
import * as z from 'zod';
import { agentIdSchema, agentModes } from './agent.ts';
import { identifierSchema, jobKeySchema } from './job-key.ts';
import { taskStateSchema } from './task.ts';
import { updateIdSchema, updateStatusSchema } from './update.ts';

const isoTime = z.iso.datetime();
const common = {
  version: z.literal(1),
  cluster: identifierSchema.describe('Name of the installation.'),
};
const exampleJob = { version: 1 as const, cluster: 'prod', role: 'web', environment: 'prod', name: 'shop' };

const taskStateChangeSchema = jobKeySchema
  .extend({
    ...common,
    taskId: z.string(),
    instance: z.number().int(),
    generation: z.number().int().describe('1 for the first task of an instance; a successor has one more.'),
    from: taskStateSchema.nullable().describe('Null when the task was just created.'),
    to: z
      .union([taskStateSchema, z.literal('DELETED')])
      .describe('DELETED: the task was killed before any agent had it, and its record is gone.'),
    at: isoTime.describe('Never earlier than that of an earlier change of the same task.'),
    message: z.string().describe('For people; empty if there is nothing to say.'),
    agentId: z.string().nullable().describe('Null until assigned; kept after the end.'),
    configId: z.string(),
    failureCount: z.number().int().describe('FAILED runs over all generations of the instance.'),
  })
  .meta({
    title: 'Task State Change',
    description: 'One state change of a task. The same taskId, to and at: the same event again.',
    examples: [
      {
        ...exampleJob,
        taskId: 'web~prod~shop~0~1~k3v9x1',
        instance: 0,
        generation: 1,
        from: 'STARTING',
        to: 'RUNNING',
        at: '2026-11-22T21:10:04.120Z',
        message: '',
        agentId: 'i-0abc',
        configId: '5f2c81aa90e1b3d4',
        failureCount: 0,
      },
    ],
  });

const jobChangeSchema = jobKeySchema
  .extend({
    ...common,
    change: z
      .enum(['created', 'changed', 'reconciled', 'removed'])
      .describe('reconciled: every creation and kill the newest spec version asks for is stored.'),
    specVersion: z.number().int().describe('Grows with every accepted change of the job.'),
    reconciledVersion: z.number().int(),
    at: isoTime,
  })
  .meta({
    title: 'Job Change',
    description:
      'A job was submitted, edited or removed, or its newest version is carried out. The same job, change and ' +
      'specVersion: the same event again.',
    examples: [
      {
        ...exampleJob,
        change: 'created',
        specVersion: 1,
        reconciledVersion: 0,
        at: '2026-11-22T21:10:00.004Z',
      },
    ],
  });

const jobEndedSchema = jobKeySchema
  .extend({
    ...common,
    specVersion: z.number().int().describe('The version whose work is over; a later edit starts a new one.'),
    outcome: z
      .enum(['succeeded', 'failed', 'killed'])
      .describe(
        'By the last task of each instance: failed if any is FAILED or LOST; else killed if any is KILLED or no ' +
          'instance is desired any more; else succeeded.',
      ),
    instances: z
      .object({
        finished: z.number().int(),
        failed: z.number().int(),
        killed: z.number().int(),
        lost: z.number().int(),
      })
      .describe('How the last task of each instance ended. Records older than two days are not counted.'),
    at: isoTime.describe('End of the task that ended last.'),
  })
  .meta({
    title: 'Job Ended',
    description:
      'No task of the job runs or waits any more, and none will without a new request. The same job and ' +
      'specVersion: the same event again.',
    examples: [
      {
        ...exampleJob,
        name: 'nightly',
        specVersion: 1,
        outcome: 'succeeded',
        instances: { finished: 4, failed: 0, killed: 0, lost: 0 },
        at: '2026-11-22T21:15:31.877Z',
      },
    ],
  });

const updateChangeSchema = jobKeySchema
  .extend({
    ...common,
    updateId: updateIdSchema,
    from: updateStatusSchema.nullable().describe('Null when the update was just started.'),
    to: updateStatusSchema,
    at: isoTime,
    user: z.string().nullable().describe('Who asked for it; null if the update did so by itself.'),
    message: z.string(),
  })
  .meta({
    title: 'Update Change',
    description:
      'One change of the status of an update; ROLLED_FORWARD, ROLLED_BACK, ABORTED, FAILED and ERROR are its ends. The ' +
      'same updateId, to and at: the same event again.',
    examples: [
      {
        ...exampleJob,
        updateId: '01jq3-4f7kz2',
        from: 'ROLLING_FORWARD',
        to: 'ROLLED_FORWARD',
        at: '2026-11-22T21:20:10.000Z',
        user: null,
        message: '',
      },
    ],
  });

const agentChangeSchema = z
  .object({
    ...common,
    agentId: agentIdSchema,
    change: z
      .enum(['registered', 'changed', 'lost', 'returned', 'removed'])
      .describe('lost: silent for too long; returned: heard again after that.'),
    host: z.string(),
    pool: z.string(),
    mode: z.enum(agentModes),
  })
  .meta({
    title: 'Agent Change',
    description:
      'An agent registered, changed its offer or mode, fell silent for too long, came back, or left for good. A state to ' +
      'compare with, not a step to count.',
    examples: [
      {
        version: 1 as const,
        cluster: 'prod',
        agentId: 'i-0abc',
        change: 'registered',
        host: 'ip-10-0-0-7',
        pool: 'default',
        mode: 'NONE',
      },
    ],
  });

const commandRejectedSchema = z
  .object({
    ...common,
    commandId: z
      .string()
      .describe(
        'The id the command gave itself; else the id of its event or of its message. The same again: the same event.',
      ),
    from: z.string().describe('Who sent it: `event/<account>/<source>` or `queue/<principal>`.'),
    action: z.string().nullable().describe('Null if the command could not be read that far.'),
    role: z.string().nullable(),
    environment: z.string().nullable(),
    name: z.string().nullable(),
    code: z.string().describe('An error code of the API, such as INVALID_CONFIG.'),
    message: z.string().describe('What is wrong, what is unchanged and what to do, cut at 4,000 characters.'),
    at: isoTime,
  })
  .meta({
    title: 'Command Rejected',
    description: 'A command was refused for good; it lies in the dead-letter queue of the commands.',
    examples: [
      {
        version: 1 as const,
        cluster: 'prod',
        commandId: 'order-4711',
        from: 'event/123456789012/borealis/web/prod',
        action: 'kill',
        role: 'web',
        environment: 'prod',
        name: 'shop',
        code: 'NOT_FOUND',
        message: 'there is no job web/prod/shop; GET /jobs/web lists the jobs of this role',
        at: '2026-11-22T21:10:04.120Z',
      },
    ],
  });

/** The schema of `detail` for each detail-type. */
export const eventDetailSchemas = {
  'Task State Change': taskStateChangeSchema,
  'Job Change': jobChangeSchema,
  'Job Ended': jobEndedSchema,
  'Update Change': updateChangeSchema,
  'Agent Change': agentChangeSchema,
  'Command Rejected': commandRejectedSchema,
} as const;

type EventDetailType = keyof typeof eventDetailSchemas;
export type EventDetail<T extends EventDetailType> = z.infer<(typeof eventDetailSchemas)[T]>;

/** One event as the functions publish it. */
export type BusEvent = {
  [T in EventDetailType]: { readonly detailType: T; readonly detail: EventDetail<T> };
}[EventDetailType];
