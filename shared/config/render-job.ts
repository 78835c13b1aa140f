// Applies templating to one job's tree: which names each object sees, and where agent-side names may stay.
import { parseAgentReference } from './agent-template.ts';
import { type Frame, isReservedName, type Scope, type TemplateBudget, TemplateRenderer } from './bindings.ts';
import type { ConfigPath } from './problem.ts';
import { startOf } from './schema-problems.ts';
import type { MapNode, ScalarNode, SourceNode, TreeProblem } from './source-tree.ts';
import { parseAddress } from './template-syntax.ts';

export interface RenderInput {
  readonly job: MapNode;
  /** Path of the job in its file. */
  readonly path: ConfigPath;
  readonly fileBindings: SourceNode | undefined;
  readonly cliBindings: Frame;
  /** Shared by all jobs of the file. */
  readonly budget: TemplateBudget;
  /** Used for `{{cluster}}` when the job names none. */
  readonly cluster?: string;
  /** The file's text, to point at a reference inside a value. */
  readonly text?: string;
}

const text = (value: string): ScalarNode => ({ kind: 'scalar', value });

/** The job with every client-side reference replaced and its `bindings` taken out. */
export function renderJob(input: RenderInput): { readonly job: MapNode; readonly problems: TreeProblem[] } {
  const clientNames = new Map<string, SourceNode>();
  const renderer = new TemplateRenderer(clientNames, input.text, input.budget);
  const virtual: [string, SourceNode][] = [];
  if (!input.job.fields.has('instances')) virtual.push(['instances', { kind: 'scalar', value: 1 }]);
  if (!input.job.fields.has('cluster') && input.cluster !== undefined)
    virtual.push(['cluster', text(input.cluster)]);
  const scope: Scope = [
    input.cliBindings,
    bindingsOf(input.job),
    attributesOf(input.job, 'job', virtual),
    { kind: 'bindings', names: input.fileBindings?.kind === 'map' ? input.fileBindings.fields : new Map() },
  ];
  fillClientNames(clientNames, renderer, input, scope);
  const walk = new JobWalk(renderer, input.path.length);
  const job = walk.map(input.job, scope, input.path);
  return { job, problems: [...renderer.problems, ...walk.problems] };
}

/** `{{borealis.role}}` and its kin, which no binding can hide. Each may use those before it. */
function fillClientNames(
  names: Map<string, SourceNode>,
  renderer: TemplateRenderer,
  input: RenderInput,
  scope: Scope,
): void {
  const task = input.job.fields.get('task');
  const taskName = task?.kind === 'map' ? task.fields.get('name') : undefined;
  const fields: readonly [SourceNode | undefined, ConfigPath, readonly string[]][] = [
    [input.job.fields.get('role'), ['role'], ['borealis.role', 'mesos.role', 'thermos.user']],
    [
      input.job.fields.get('cluster') ?? (input.cluster === undefined ? undefined : text(input.cluster)),
      ['cluster'],
      ['borealis.cluster', 'mesos.cluster'],
    ],
    [input.job.fields.get('environment'), ['environment'], ['borealis.environment']],
    [input.job.fields.get('name') ?? taskName, ['name'], ['borealis.name']],
  ];
  for (const [node, path, aliases] of fields) {
    if (node?.kind !== 'scalar') continue;
    const rendered = renderer.renderScalar(node, scope, [...input.path, ...path], false);
    for (const alias of aliases) names.set(alias, rendered);
  }
}

function bindingsOf(node: MapNode): Frame {
  const bindings = node.fields.get('bindings');
  return { kind: 'bindings', names: bindings?.kind === 'map' ? bindings.fields : new Map() };
}

/** An object's fields as names, and the object itself as `job`, `task` or `process`. */
function attributesOf(node: MapNode, self: string, virtual: readonly [string, SourceNode][] = []): Frame {
  const names = new Map([...virtual, ...node.fields, [self, node] as const]);
  names.delete('bindings');
  return { kind: 'attributes', names };
}

class JobWalk {
  readonly problems: TreeProblem[] = [];
  private readonly renderer: TemplateRenderer;
  private readonly jobDepth: number;

  constructor(renderer: TemplateRenderer, jobDepth: number) {
    this.renderer = renderer;
    this.jobDepth = jobDepth;
  }

  map(node: MapNode, scope: Scope, path: ConfigPath): MapNode {
    const fields = new Map<string, SourceNode>();
    for (const [key, child] of node.fields) {
      const childPath = [...path, key];
      if (key === 'bindings' && child.kind === 'map' && this.hasBindings(path)) {
        this.checkBindingNames(child, childPath);
      } else fields.set(key, this.node(child, scope, childPath));
    }
    return { ...node, fields };
  }

  private node(node: SourceNode, scope: Scope, path: ConfigPath): SourceNode {
    const place = this.placeOf(path);
    if (node.kind === 'scalar') return this.renderer.renderScalar(node, scope, path, this.isAgentText(place));
    if (node.kind === 'list') {
      return { ...node, items: node.items.map((item, index) => this.node(item, scope, [...path, index])) };
    }
    // An override is rendered as part of the task it is merged into, where its names are known.
    if (place === 'overrides.#.task') return node;
    if (place === 'task')
      return this.map(node, [bindingsOf(node), attributesOf(node, 'task'), ...scope], path);
    if (place === 'task.processes.#') {
      return this.map(node, [bindingsOf(node), attributesOf(node, 'process'), ...scope], path);
    }
    return this.map(node, scope, path);
  }

  /** The place inside the job, list indexes as #. */
  private placeOf(path: ConfigPath): string {
    return path
      .slice(this.jobDepth)
      .map((key) => (typeof key === 'number' ? '#' : key))
      .join('.');
  }

  private hasBindings(path: ConfigPath): boolean {
    return ['', 'task', 'task.processes.#'].includes(this.placeOf(path));
  }

  private isAgentText(place: string): boolean {
    return place === 'task.processes.#.cmdline' || place === 'healthCheck.shell.command';
  }

  private checkBindingNames(bindings: MapNode, path: ConfigPath): void {
    this.problems.push(...checkBindingNames(bindings, path));
  }
}

/** Binding names that no reference could reach. */
export function checkBindingNames(bindings: MapNode, path: ConfigPath): TreeProblem[] {
  return Array.from(bindings.fields).flatMap(([name, node]): TreeProblem[] => {
    const message = bindingNameError(name);
    if (message === undefined) return [];
    const span = node.keySpan === undefined ? startOf(node) : { span: node.keySpan };
    return [{ path: [...path, name], ...span, message, hint: 'choose another name' }];
  });
}

/** What is wrong with a binding's name, or undefined. */
export function bindingNameError(name: string): string | undefined {
  const steps = name.isWellFormed() ? parseAddress(name) : undefined;
  if (steps === undefined) return `${JSON.stringify(name.slice(0, 60))} can't be the name of a binding`;
  if (isReservedName(steps[0]) || parseAgentReference(name) !== undefined) {
    return `${steps[0]} is reserved for names the system binds`;
  }
  return undefined;
}
