// What other services ask for without calling the API: a command on the event bus or on the commands queue. Each action
// is one route of the API with the same body, so the same things are right and wrong in both ways (docs/events.md).
import * as z from 'zod';
import { jobSubmissionSchema } from '../model/job.ts';
import { type JobKey, jobKeySchema } from '../model/job-key.ts';
import { routes } from './routes.ts';

/** Largest command, bytes of JSON: what every version of the queue takes with its attributes. */
export const maxCommandBytes = 200_000;

const envelope = {
  version: z.literal(1),
  id: z
    .string()
    .regex(/^[\w\-.:/]{1,128}$/)
    .optional()
    .describe(
      'Makes sending it again harmless for a day: the same id for the same role and environment is carried out once. ' +
        'Without it, only a repeated delivery of the same event or message is.',
    ),
  ...jobKeySchema.shape,
};

const anything = {} as const;

const jobForm = z
  .record(z.string(), z.unknown())
  .describe('A job as in a job file (docs/reference/job-file.md), without role, environment and name.');

/** The names stand above it, so neither form repeats them. */
const submitBody = z.union([
  z.strictObject({ job: jobForm }).describe('The form for people: everything has its default.'),
  jobSubmissionSchema
    .omit({ role: true, environment: true, name: true })
    .describe('The form of the API: instance ranges and complete task configs.'),
]);

/** As for a start over the API; a whole new job may stand in `job` instead of `change`, in the form for people. */
const updateBody = z.union([
  routes.startUpdate.body.omit({ change: true }).extend({ job: jobForm }),
  routes.startUpdate.body,
]);
const updateId = routes.getUpdate.params.shape.updateId.describe(
  'An id, or `active` or `latest` for the active or newest update of the job.',
);

export const commandSchema = z
  .discriminatedUnion('action', [
    z.strictObject({ ...envelope, action: z.literal('submit'), body: submitBody }),
    z.strictObject({
      ...envelope,
      action: z.literal('kill'),
      body: routes.killJob.body.default(anything),
    }),
    z.strictObject({
      ...envelope,
      action: z.literal('restart'),
      body: routes.restartJob.body.default(anything),
    }),
    z.strictObject({ ...envelope, action: z.literal('add'), body: routes.addInstances.body }),
    z.strictObject({ ...envelope, action: z.literal('update'), body: updateBody }),
    z.strictObject({
      ...envelope,
      action: z.enum(['pause', 'resume', 'rollback']),
      updateId,
      body: routes.pauseUpdate.body.default(anything),
    }),
    z.strictObject({ ...envelope, action: z.literal('abort'), updateId, body: routes.abortUpdate.body }),
    z.strictObject({
      ...envelope,
      action: z.literal('pulse'),
      updateId,
      body: routes.pulseUpdate.body.default(anything),
    }),
  ])
  .meta({
    title: 'Borealis Command',
    description:
      'A request to change a job: `detail` of an event with detail-type `Borealis Command` and source ' +
      '`borealis/<role>/<environment>`, or a message of the commands queue.',
    examples: [
      {
        version: 1 as const,
        id: 'order-4711',
        role: 'web',
        environment: 'prod',
        name: 'order-4711',
        action: 'submit' as const,
        body: {
          job: {
            task: {
              resources: { cpu: 0.5, ram: '256MiB', disk: '64MiB' },
              processes: [{ name: 'pack', cmdline: './pack order-4711' }],
            },
          },
        },
      },
      {
        version: 1 as const,
        role: 'web',
        environment: 'prod',
        name: 'shop',
        action: 'kill' as const,
        body: { instances: [[3, 5] as [number, number]], message: 'the sale is over' },
      },
      {
        version: 1 as const,
        role: 'web',
        environment: 'prod',
        name: 'shop',
        action: 'add' as const,
        body: { count: 2 },
      },
      {
        version: 1 as const,
        role: 'web',
        environment: 'prod',
        name: 'shop',
        action: 'abort' as const,
        updateId: 'active',
        body: { instances: 'rollback' as const, message: 'error rate too high' },
      },
    ],
  });
export type Command = z.infer<typeof commandSchema>;

/** The detail-type of a command on the bus. */
export const commandDetailType = 'Borealis Command';
/** Every source of a command starts with this. */
export const commandSourcePrefix = 'borealis/';

/** The only source from which commands for these jobs are taken, so that IAM can say who may send them (design D11). */
export function commandSource({ role, environment }: Pick<JobKey, 'role' | 'environment'>): string {
  return `${commandSourcePrefix}${role}/${environment}`;
}
