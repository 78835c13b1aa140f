// Settings of an agent that runs as a service on an EC2 instance: environment variables from one file that the machine's
// user data writes (infra/agent-machine).
import * as z from 'zod';
import { BorealisError } from '../../shared/lib/errors.ts';

const settingsSchema = z.object({
  BOREALIS_CLUSTER: z.string().min(1),
  BOREALIS_API: z.url(),
  BOREALIS_INTAKE_QUEUE_URL: z.url(),
  BOREALIS_POOL: z.string().min(1).default('default'),
  BOREALIS_WORK_DIR: z.string().startsWith('/').default('/var/lib/borealis'),
  /** Tasks whose role has no user of its own run as users of this name and a number, or as this one if there are none. */
  BOREALIS_TASK_USER: z.string().min(1).default('borealis-task'),
  /** cgroup handed down to the agent for its tasks; without it limits are polled. */
  BOREALIS_CGROUP_PARENT: z.string().startsWith('/').optional(),
  /** Port on the private address at which task logs can be read; absent: on this machine only. */
  BOREALIS_LOG_PORT: z.coerce.number().int().min(1).max(65_535).optional(),
  /** Replaced in tests. */
  BOREALIS_METADATA: z.url().optional(),
});
export type ServiceSettings = z.infer<typeof settingsSchema>;

/** INVALID_CONFIG names each variable that is missing or wrong. */
export function readServiceSettings(env: Readonly<Record<string, string | undefined>>): ServiceSettings {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = settingsSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  throw new BorealisError('INVALID_CONFIG', `${wrong}. The agent was not started; correct its environment.`);
}
