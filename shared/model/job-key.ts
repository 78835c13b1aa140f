// Job keys, instance ranges and task ids: the three ways people and programs name things.
import * as z from 'zod';

/** role, environment and name: `^[\w\-.]+$`, at most 255 characters (spec/config.md section 11). */
export const identifierSchema = z
  .string()
  .regex(/^[\w\-.]+$/)
  .max(255);

export const jobKeySchema = z.object({
  role: identifierSchema,
  environment: identifierSchema,
  name: identifierSchema,
});
/** A job within one installation; the cluster is the installation itself. */
export type JobKey = z.infer<typeof jobKeySchema>;

/** `role/environment/name`, the text form used in store keys and logs. */
export function jobPath(key: JobKey): string {
  return `${key.role}/${key.environment}/${key.name}`;
}

/** The inverse of `jobPath`; undefined if the text has fewer parts. */
export function parseJobPath(path: string): JobKey | undefined {
  const [role, environment, name] = path.split('/');
  if (role === undefined || environment === undefined || name === undefined) return undefined;
  return { role, environment, name };
}

/** Only the key of what has one, such as a job or a task. */
export function jobKeyOnly({ role, environment, name }: JobKey): JobKey {
  return { role, environment, name };
}

/** Inclusive range of instance numbers. */
export const instanceRangeSchema = z.tuple([z.number().int().min(0), z.number().int().min(0)]);
export type InstanceRange = z.infer<typeof instanceRangeSchema>;

/** The parts of a task id; everything needed to find the task's row without an index. */
export interface TaskRef extends JobKey {
  readonly instance: number;
  readonly generation: number;
  /** Random part, so that a re-created job never reuses an id. */
  readonly suffix: string;
}

/**
 * `role~environment~name~instance~generation~suffix`. Aurora replaces odd characters by `-` and so can't go back;
 * `~` is outside the identifier alphabet and unreserved in URLs, so this id can be parsed.
 */
export function formatTaskId(ref: TaskRef): string {
  return [ref.role, ref.environment, ref.name, ref.instance, ref.generation, ref.suffix].join('~');
}

const taskIdPattern = /^([\w\-.]+)~([\w\-.]+)~([\w\-.]+)~(\d{1,9})~(\d{1,9})~([0-9a-z]{1,16})$/;
export const taskIdSchema = z.string().max(900).regex(taskIdPattern);

/** The parts of a task id, or undefined if the text is not one. */
export function parseTaskId(text: string): TaskRef | undefined {
  const match = taskIdPattern.exec(text);
  if (!match) return undefined;
  const [, role, environment, name, instance, generation, suffix] = match as unknown as string[];
  return {
    role: role as string,
    environment: environment as string,
    name: name as string,
    instance: Number(instance),
    generation: Number(generation),
    suffix: suffix as string,
  };
}

/**
 * `<instance>.<suffix>`: what a ledger's `live` holds for a task instead of its whole id, which may be 900 characters.
 * The random suffix keeps it unique on an agent.
 */
export function liveId(taskId: string): string {
  const [, , , instance, , suffix] = taskId.split('~');
  return suffix === undefined ? taskId : `${instance}.${suffix}`;
}
