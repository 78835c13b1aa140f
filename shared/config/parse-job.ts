// One job node of a file to a submission: overrides, templating, schema, conversion, rules. Collects every problem it can
// see instead of stopping at the first.
import type * as z from 'zod';
import { formatInstances, normaliseInstances, subtractInstances } from '../model/instance-ranges.ts';
import type { JobSubmission } from '../model/job.ts';
import type { InstanceRange } from '../model/job-key.ts';
import type { TaskConfig } from '../model/task-config.ts';
import type { UpdateSettingsInput } from '../model/update.ts';
import { checkSubmission, type SubmissionRules } from './check-submission.ts';
import { parseRanges } from './instance-ranges.ts';
import { type FileJob, fileJobSchema } from './job-file.ts';
import { type ConfigPath, type ConfigProblem, formatPath } from './problem.ts';
import { type RenderInput, renderJob } from './render-job.ts';
import { schemaProblems, startOf } from './schema-problems.ts';
import {
  type MapNode,
  nearestNode,
  nodeAt,
  type SourceNode,
  type TreeProblem,
  toValue,
} from './source-tree.ts';
import { filePath, toTaskConfig } from './to-task-config.ts';
import { toUpdateSettings } from './update-settings.ts';

export interface ParsedJob {
  /** What could be read of the key, to select jobs by it. */
  readonly identity: { readonly [field in 'role' | 'environment' | 'name' | 'cluster']?: string };
  readonly path: ConfigPath;
  /** Absent when there are problems. */
  readonly submission?: JobSubmission;
  /** How the job says it is updated. */
  readonly update?: UpdateSettingsInput;
  readonly problems: readonly TreeProblem[];
}

/** One version of the job: the base, or an override merged into it. */
interface Variant {
  readonly tree: MapNode;
  readonly job?: FileJob;
  readonly problems: readonly TreeProblem[];
  /** Places already reported; what rules say about them would only repeat it. */
  readonly broken: ReadonlySet<string>;
}

/** Mistakes of one job that are looked at. */
const maxIssues = 200;
/** As many as the schema allows. */
const maxOverrides = 100;

export function parseJob(input: RenderInput, rules: SubmissionRules): ParsedJob {
  const base = readVariant(input);
  const list = nodeAt(base.tree, ['overrides']);
  // Each override is the whole job once more: with too much wrong in the job itself they are not looked at.
  const isHopeless = base.problems.length >= maxIssues;
  const overrides = (list?.kind === 'list' && !isHopeless ? list.items.slice(0, maxOverrides) : []).map(
    (_item, index): Override => {
      const ranges = base.job?.overrides?.[index]?.instances;
      return {
        ranges: ranges === undefined ? [] : parseRanges(ranges),
        path: ['overrides', index, 'instances'],
        variant: readVariant({ ...input, job: withOverride(input.job, index) }),
      };
    },
  );
  const variants = [base, ...overrides.map(({ variant }) => variant)];
  const problems = variants.flatMap((variant) => variant.problems);
  const { submission, problems: semantic } = assemble(base, overrides, rules);
  problems.push(...semantic.map((problem) => ({ ...problem, path: [...input.path, ...problem.path] })));
  return {
    identity: identityOf(base.tree),
    path: input.path,
    problems: dedupe(problems),
    ...(submission === undefined || problems.length > 0 ? {} : { submission }),
    ...(base.job?.update && { update: toUpdateSettings(base.job.update) }),
  };
}

function textAt(tree: SourceNode, path: ConfigPath): string | undefined {
  const node = nodeAt(tree, path);
  return node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;
}

/** A job without a name is called after its task, a task without one after its first process. */
function nameOf(tree: SourceNode): string | undefined {
  return (
    textAt(tree, ['name']) ?? textAt(tree, ['task', 'name']) ?? textAt(tree, ['task', 'processes', 0, 'name'])
  );
}

function identityOf(tree: SourceNode): ParsedJob['identity'] {
  const identity: { [field in 'role' | 'environment' | 'name' | 'cluster']?: string } = {};
  for (const field of ['role', 'environment', 'name', 'cluster'] as const) {
    const value = field === 'name' ? nameOf(tree) : textAt(tree, [field]);
    if (value !== undefined) identity[field] = value;
  }
  return identity;
}

/** The job with one override merged into its task and no overrides of its own. */
function withOverride(job: MapNode, index: number): MapNode {
  const patch = nodeAt(job, ['overrides', index, 'task']);
  const fields = new Map(job.fields);
  fields.delete('overrides');
  const task = fields.get('task');
  if (task !== undefined && patch !== undefined) fields.set('task', merge(task, patch));
  return { ...job, fields };
}

function merge(base: SourceNode, patch: SourceNode): SourceNode {
  if (base.kind !== 'map' || patch.kind !== 'map') return patch;
  const fields = new Map(base.fields);
  for (const [key, node] of patch.fields) {
    const below = fields.get(key);
    fields.set(key, below === undefined ? node : merge(below, node));
  }
  return { ...base, fields };
}

/** Renders and type-checks; unknown fields alone don't keep the rest from being checked. */
function readVariant(input: RenderInput): Variant {
  const rendered = renderJob(input);
  const depth = input.path.length;
  const broken = new Set(rendered.problems.map((problem) => formatPath(problem.path.slice(depth))));
  const { tree, result } = checkTypes(rendered.job);
  const issues = (result.error?.issues ?? [])
    .slice(0, maxIssues)
    .filter(
      (issue) =>
        issue.code === 'unrecognized_keys' || !broken.has(formatPath(issue.path as (string | number)[])),
    );
  const problems = [
    ...rendered.problems,
    ...schemaProblems(fileJobSchema, tree, issues).map((problem) => ({
      ...problem,
      path: [...input.path, ...problem.path],
    })),
  ];
  const known = result.success
    ? result
    : fileJobSchema.safeParse(toValue(withoutUnknown(tree, result.error)));
  return { tree, problems, broken, ...(known.success ? { job: known.data } : {}) };
}

/** Type-checks; a number or boolean that came out of a template is text and becomes what the field asks for. */
function checkTypes(tree: MapNode): { tree: MapNode; result: z.ZodSafeParseResult<FileJob> } {
  const result = fileJobSchema.safeParse(toValue(tree));
  if (result.success) return { tree, result };
  let coerced = tree;
  for (const issue of result.error.issues.slice(0, maxIssues)) {
    if (issue.code !== 'invalid_type') continue;
    const path = issue.path as (string | number)[];
    const node = nodeAt(tree, path);
    if (node?.kind !== 'scalar' || node.templated !== true || typeof node.value !== 'string') continue;
    const value = coerce(node.value.trim(), issue.expected);
    if (value !== undefined) coerced = replaceAt(coerced, path, { ...node, value }) as MapNode;
  }
  return coerced === tree
    ? { tree, result }
    : { tree: coerced, result: fileJobSchema.safeParse(toValue(coerced)) };
}

function coerce(text: string, expected: string): number | boolean | undefined {
  if (expected === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined;
  const isNumber = (expected === 'number' || expected === 'int') && /^-?\d{1,15}(\.\d{1,15})?$/.test(text);
  return isNumber ? Number(text) : undefined;
}

function replaceAt(node: SourceNode, path: ConfigPath, replacement: SourceNode): SourceNode {
  const [key, ...rest] = path;
  if (key === undefined) return replacement;
  if (node.kind === 'list') {
    return {
      ...node,
      items: node.items.map((item, at) => (at === key ? replaceAt(item, rest, replacement) : item)),
    };
  }
  if (node.kind === 'scalar') return node;
  const fields = new Map(node.fields);
  const child = fields.get(String(key));
  if (child !== undefined) fields.set(String(key), replaceAt(child, rest, replacement));
  return { ...node, fields };
}

function withoutUnknown(tree: SourceNode, error: z.ZodError): SourceNode {
  let cleaned = tree;
  for (const issue of error.issues.slice(0, maxIssues)) {
    if (issue.code !== 'unrecognized_keys') continue;
    const path = issue.path as (string | number)[];
    const node = nodeAt(cleaned, path);
    if (node?.kind !== 'map') continue;
    const unknown = new Set(issue.keys);
    const fields = new Map([...node.fields].filter(([key]) => !unknown.has(key)));
    cleaned = replaceAt(cleaned, path, { ...node, fields });
  }
  return cleaned;
}

interface Override {
  readonly ranges: readonly InstanceRange[];
  readonly path: ConfigPath;
  readonly variant: Variant;
}
interface Assembled {
  readonly submission?: JobSubmission;
  /** Paths inside the job. */
  readonly problems: readonly TreeProblem[];
}

interface Part extends Override {
  readonly task: TaskConfig;
}

/** Puts the variants together and applies the rules the API server applies too. */
function assemble(base: Variant, overrides: readonly Override[], rules: SubmissionRules): Assembled {
  if (base.job === undefined) return { problems: [] };
  const count = base.job.instances ?? 1;
  const { parts, problems } = convertVariants(base, overrides, count);
  const name = nameOf(base.tree);
  if (parts.length === 0 || name === undefined) return { problems };
  const submission: JobSubmission = {
    role: base.job.role,
    environment: base.job.environment,
    name,
    ...(base.job.cluster === undefined ? {} : { cluster: base.job.cluster }),
    configs: parts.map(({ ranges, task }) => ({ instances: [...ranges], task })),
  };
  for (const problem of checkSubmission(submission, rules)) {
    const placed = placeRule(problem, base, parts);
    // With problems so far some ranges are missing; their gaps are not the author's.
    if (placed.isRange && problems.length > 0) continue;
    if (!placed.variant.broken.has(formatPath(placed.path))) {
      problems.push(place(placed.variant, { ...problem, path: placed.path }));
    }
  }
  problems.push(...checkName(base, name));
  return { submission, problems };
}

/** Each variant as the task config of the instances it is for. */
function convertVariants(
  base: Variant,
  overrides: readonly Override[],
  count: number,
): { parts: Part[]; problems: TreeProblem[] } {
  const problems: TreeProblem[] = [];
  const all: InstanceRange[] = [[0, count - 1]];
  for (const { ranges, path } of overrides) {
    const beyond = subtractInstances(ranges, all);
    if (beyond.length === 0) continue;
    const message = `instances ${formatInstances(beyond)} do not exist: the job has ${count}`;
    problems.push(place(base, { path, message, hint: 'raise instances or shorten the range' }));
  }
  const taken = normaliseInstances(overrides.flatMap(({ ranges }) => ranges));
  const rest = { ranges: subtractInstances(all, taken), path: ['instances'], variant: base };
  const parts: Part[] = [];
  for (const part of [rest, ...overrides]) {
    if (part.variant.job === undefined) continue;
    const converted = toTaskConfig(part.variant.job);
    problems.push(...converted.problems.map((problem) => place(part.variant, problem)));
    if (converted.ok && part.ranges.length > 0) parts.push({ ...part, task: converted.task });
  }
  return { parts, problems };
}

/** Where the thing a rule complains about stands in the file. */
function placeRule(
  problem: ConfigProblem,
  base: Variant,
  parts: readonly Part[],
): { path: ConfigPath; variant: Variant; isRange: boolean } {
  const [head, index, field, ...rest] = problem.path;
  if (head !== 'configs') return { path: problem.path, variant: base, isRange: false };
  const part = typeof index === 'number' ? parts[index] : undefined;
  if (part === undefined) return { path: ['instances'], variant: base, isRange: true };
  if (field === 'task') return { path: filePath(rest, part.task), variant: part.variant, isRange: false };
  return { path: part.path, variant: base, isRange: true };
}

/** A name taken from the task follows the task's looser rule; as a job name it must be an identifier. */
function checkName(base: Variant, name: string): TreeProblem[] {
  if (base.job?.name !== undefined || (/^[\w\-.]+$/.test(name) && name.length <= 255)) return [];
  const message = `the job has no name, and that of its task (${JSON.stringify(name)}) can't be a job's name`;
  return [
    place(base, { path: ['task', 'name'], message, hint: 'add name: with letters, digits, _ - and .' }),
  ];
}

function place(variant: Variant, problem: ConfigProblem): TreeProblem {
  const ordered = problem.path[1] === 'ordering' && nodeAt(variant.tree, ['task', 'order']) !== undefined;
  const path: ConfigPath = ordered ? ['task', 'order'] : problem.path;
  return { ...problem, path, ...startOf(nearestNode(variant.tree, path)) };
}

function dedupe(problems: readonly TreeProblem[]): TreeProblem[] {
  const seen = new Map<string, TreeProblem>();
  for (const problem of problems) {
    const key = `${problem.span?.start ?? formatPath(problem.path)} ${problem.message}`;
    if (!seen.has(key)) seen.set(key, problem);
  }
  return [...seen.values()];
}
