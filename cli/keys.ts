// Job keys as people write them (spec/client-and-ui.md section 1): `cluster/role/env/name`, with instances
// `.../0-2,5`, or as a pattern `cluster[/role[/env[/name]]]` with shell globs. Pure text, no requests.
import { BorealisError } from '../shared/lib/errors.ts';
import { parseInstances } from '../shared/model/instance-ranges.ts';
import { type InstanceRange, identifierSchema, type JobKey } from '../shared/model/job-key.ts';

/** A job as named on the command line. */
export interface JobTarget {
  readonly cluster: string;
  readonly key: JobKey;
  /** Absent = all instances. */
  readonly instances?: readonly InstanceRange[];
}

/** `cluster/role/env/name`. */
export function formatKey(cluster: string, key: JobKey): string {
  return `${cluster}/${key.role}/${key.environment}/${key.name}`;
}

const partNames = ['cluster', 'role', 'environment', 'name'] as const;

/** Reads `cluster/role/env/name[/INSTANCES]`; INVALID_REQUEST (exit 6) says which part is wrong. */
export function parseTarget(text: string): JobTarget {
  const parts = text.split('/');
  if (parts.length < 4 || parts.length > 5) {
    throw wrongKey(text, 'write cluster/role/environment/name, and /0-2,5 behind it to name instances');
  }
  const [cluster, role, environment, name] = partNames.map((what, index) =>
    checkedPart(text, what, parts[index] ?? ''),
  ) as [string, string, string, string];
  const key: JobKey = { role, environment, name };
  if (parts[4] === undefined) return { cluster, key };
  const parsed = parseInstances(parts[4]);
  if (parsed.ranges === undefined) throw wrongKey(text, parsed.problem);
  return { cluster, key, instances: parsed.ranges };
}

/** Reads a key that must not name instances. */
export function parseWholeJob(text: string): JobTarget {
  const target = parseTarget(text);
  if (target.instances !== undefined)
    throw wrongKey(text, 'this command takes the whole job: leave out the instances');
  return target;
}

function checkedPart(text: string, what: string, part: string): string {
  if (identifierSchema.safeParse(part).success) return part;
  const shown = part === '' ? 'is empty' : `"${part}" may hold letters, digits, _, - and . only`;
  throw wrongKey(text, `the ${what} ${shown}`);
}

function wrongKey(text: string, problem: string): BorealisError {
  return new BorealisError('INVALID_REQUEST', `"${text}" is not a job key: ${problem}. Nothing was done.`);
}

/** A pattern over job keys. `role` and `environment` are set when they hold no glob, so that a reader can narrow down. */
export interface JobPattern {
  readonly cluster: string;
  readonly role?: string;
  readonly environment?: string;
  /** True when every part is written out: the pattern is one job's key. */
  readonly exact: boolean;
  matches(cluster: string, key: JobKey): boolean;
}

/** Reads `cluster[/role[/env[/name]]]`; missing parts match everything; `*`, `?` and `[abc]` as in a shell. */
export function parsePattern(text: string): JobPattern {
  const parts = text.split('/');
  if (parts.length > 4) {
    throw wrongKey(text, 'a pattern has at most four parts: cluster/role/environment/name');
  }
  const globs = partNames.map((what, index) => {
    const part = parts[index] ?? '*';
    if (part === '') throw wrongKey(text, `the ${what} is empty; write * for any`);
    if (!/^[\w\-.*?[\]!]+$/.test(part)) throw wrongKey(text, `the ${what} "${part}" is not a name or a glob`);
    return { part, bound: identifierSchema.safeParse(part).success, pattern: globPattern(part) };
  });
  const [, role, environment] = globs;
  return {
    cluster: globs[0]?.part ?? '*',
    ...(role?.bound && { role: role.part }),
    ...(role?.bound && environment?.bound && { environment: environment.part }),
    exact: parts.length === 4 && globs.every(({ bound }) => bound),
    matches: (cluster, key) =>
      [cluster, key.role, key.environment, key.name].every((value, index) =>
        globs[index]?.pattern.test(value),
      ),
  };
}

/** A shell glob over one part of a key as a regular expression. */
function globPattern(glob: string): RegExp {
  const source = glob
    .replaceAll(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
    .replaceAll('[!', '[^');
  try {
    return new RegExp(`^${source}$`);
  } catch (cause) {
    throw new BorealisError('INVALID_REQUEST', `"${glob}" is not a valid glob; nothing was done.`, { cause });
  }
}

const spans = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `90s`, `5m`, `1h30m`, a bare number is seconds; milliseconds. INVALID_REQUEST otherwise. */
export function parseDurationMs(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (!/^(\d+(\.\d+)?(ms|[smhd]))+$/.test(text)) {
    throw new BorealisError('INVALID_REQUEST', `"${text}" is not a time span; write e.g. 90s, 5m or 1h30m.`);
  }
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)].reduce(
    (sum, [, value, unit]) => sum + Number(value) * spans[unit as keyof typeof spans],
    0,
  );
}

/** The same for an option that may be left out. */
export function parseOptionalMs(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDurationMs(text);
}
