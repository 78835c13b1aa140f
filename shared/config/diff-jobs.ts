// What a proposed job would change (`job diff`, spec/client-and-ui.md section 3): instances added, removed, changed and
// kept, and for each pair of configs the fields that differ.
import { contentId } from '../lib/hash.ts';
import { countInstances, formatInstances, normaliseInstances } from '../model/instance-ranges.ts';
import type { InstanceRange } from '../model/job-key.ts';
import { type TaskConfig, taskConfigSchema } from '../model/task-config.ts';

/** Instances and the config they run. */
export interface ConfiguredInstances {
  readonly instances: readonly InstanceRange[];
  readonly task: TaskConfig;
}

/** One field that differs; a side is absent when the field is. */
interface FieldChange {
  /** `resources.cpuMilli`, `processes[web].cmdline`. */
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Instances that go from one config to another. */
interface ConfigChange {
  readonly instances: InstanceRange[];
  readonly fields: FieldChange[];
}

export interface JobDiff {
  readonly added: InstanceRange[];
  readonly removed: InstanceRange[];
  readonly changed: InstanceRange[];
  readonly unchanged: InstanceRange[];
  readonly changes: ConfigChange[];
}

interface Segment {
  readonly from: number;
  readonly to: number;
  readonly id: string;
}

/** Compares by content: the same config under another order of fields is no change. */
export function diffJobs(
  current: readonly ConfiguredInstances[],
  proposed: readonly ConfiguredInstances[],
): JobDiff {
  const configs = new Map<string, TaskConfig>();
  const before = segments(current, configs);
  const after = segments(proposed, configs);
  const diff: JobDiff = { added: [], removed: [], changed: [], unchanged: [], changes: [] };
  const changes = new Map<
    string,
    { readonly from: string; readonly to: string; instances: InstanceRange[] }
  >();
  for (const { range, left, right } of overlay(before, after)) {
    if (left === undefined) diff.added.push(range);
    else if (right === undefined) diff.removed.push(range);
    else if (left === right) diff.unchanged.push(range);
    else {
      diff.changed.push(range);
      const pair = `${left} ${right}`;
      const change = changes.get(pair);
      if (change === undefined) changes.set(pair, { from: left, to: right, instances: [range] });
      else change.instances.push(range);
    }
  }
  return {
    added: normaliseInstances(diff.added),
    removed: normaliseInstances(diff.removed),
    changed: normaliseInstances(diff.changed),
    unchanged: normaliseInstances(diff.unchanged),
    changes: Array.from(changes.values(), ({ from, to, instances }) => ({
      instances: normaliseInstances(instances),
      fields: diffConfigs(configs.get(from) as TaskConfig, configs.get(to) as TaskConfig),
    })),
  };
}

/** Ranges in order, each with the id of its config. */
function segments(groups: readonly ConfiguredInstances[], configs: Map<string, TaskConfig>): Segment[] {
  return groups
    .flatMap(({ instances, task }) => {
      const config = taskConfigSchema.parse(task);
      const id = contentId(config);
      configs.set(id, config);
      return instances.map(([from, to]): Segment => ({ from, to, id }));
    })
    .toSorted((a, b) => a.from - b.from);
}

interface Overlaid {
  readonly range: InstanceRange;
  readonly left?: string;
  readonly right?: string;
}

/** Cuts both sides at every boundary of either and says what each piece runs. */
function overlay(before: readonly Segment[], after: readonly Segment[]): Overlaid[] {
  const cuts = [...new Set([...before, ...after].flatMap(({ from, to }) => [from, to + 1]))].sort(
    (a, b) => a - b,
  );
  const left = cursor(before);
  const right = cursor(after);
  return cuts.slice(0, -1).flatMap((from, index): Overlaid[] => {
    const [a, b] = [left(from), right(from)];
    if (a === undefined && b === undefined) return [];
    const range: InstanceRange = [from, (cuts[index + 1] as number) - 1];
    return [{ range, ...(a === undefined ? {} : { left: a }), ...(b === undefined ? {} : { right: b }) }];
  });
}

/** The config id at growing instance numbers. */
function cursor(list: readonly Segment[]): (instance: number) => string | undefined {
  let at = 0;
  return (instance) => {
    while (at < list.length && (list[at] as Segment).to < instance) at += 1;
    const segment = list[at];
    return segment !== undefined && segment.from <= instance ? segment.id : undefined;
  };
}

/** Every field that differs between two configs, in the order of their paths. */
function diffConfigs(before: TaskConfig, after: TaskConfig): FieldChange[] {
  const left = flatten(before);
  const right = flatten(after);
  const paths = [...new Set([...left.keys(), ...right.keys()])].sort();
  return paths.flatMap((path): FieldChange[] => {
    const [a, b] = [left.get(path), right.get(path)];
    if (JSON.stringify(a) === JSON.stringify(b)) return [];
    return [{ path, ...(left.has(path) ? { before: a } : {}), ...(right.has(path) ? { after: b } : {}) }];
  });
}

/** Leaves by path. Lists of named things are keyed by name, so that inserting one does not change all after it. */
function flatten(config: TaskConfig): Map<string, unknown> {
  const leaves = new Map<string, unknown>();
  collect(config, '', leaves);
  return leaves;
}

function collect(value: unknown, path: string, leaves: Map<string, unknown>): void {
  if (value === null || typeof value !== 'object') {
    if (value !== undefined) leaves.set(path, value);
    return;
  }
  const isList = Array.isArray(value);
  const keys = isList ? keysOf(value) : undefined;
  const entries = Object.entries(value);
  for (const [index, [key, inner]] of entries.entries()) {
    const step = isList ? `[${keys?.[index] ?? key}]` : path === '' ? key : `.${key}`;
    collect(inner, path + step, leaves);
  }
  // What a list of named things holds, and in which order; or that there is nothing.
  if (keys !== undefined) leaves.set(path, keys);
  else if (entries.length === 0) leaves.set(path, isList ? [] : {});
}

/** The names of a list's items, if each has one of its own. */
function keysOf(items: readonly unknown[]): string[] | undefined {
  const keys = items.map((item) => {
    if (item === null || typeof item !== 'object') return undefined;
    if ('name' in item && typeof item.name === 'string') return item.name;
    return 'attribute' in item && typeof item.attribute === 'string' ? item.attribute : undefined;
  });
  const named = keys.filter((key) => key !== undefined);
  return named.length > 0 && new Set(named).size === items.length ? named : undefined;
}

/** The diff as text: one line per group of instances, then `-` and `+` lines per field. */
export function formatJobDiff(diff: JobDiff): string {
  const groups: readonly [string, InstanceRange[]][] = [
    ['add', diff.added],
    ['remove', diff.removed],
    ['change', diff.changed],
    ['keep', diff.unchanged],
  ];
  const lines = groups
    .filter(([, ranges]) => ranges.length > 0)
    .map(([verb, ranges]) => `${verb} ${countInstances(ranges)}: instances ${formatInstances(ranges)}`);
  for (const { instances, fields } of diff.changes) {
    lines.push('', `instances ${formatInstances(instances)}:`);
    for (const field of fields) {
      if ('before' in field) lines.push(`- ${field.path}: ${JSON.stringify(field.before)}`);
      if ('after' in field) lines.push(`+ ${field.path}: ${JSON.stringify(field.after)}`);
    }
  }
  return lines.join('\n');
}
