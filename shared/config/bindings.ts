// Client-side templating (spec/config.md section 1): replaces `{{...}}` in a job's tree by bindings and attributes, the
// closest first, and leaves the references that only the agent knows. Reports every reference that nothing binds.
import { agentReferenceNames, parseAgentReference } from './agent-template.ts';
import type { ConfigPath } from './problem.ts';
import { childOf, describeValue, type ScalarNode, type SourceNode, type TreeProblem } from './source-tree.ts';
import { didYouMean } from './suggest.ts';
import { parseAddress, parseTemplate, type TemplatePart } from './template-syntax.ts';

/** One level of names. Attributes are evaluated where they stand, bindings where they are used. */
export interface Frame {
  readonly kind: 'bindings' | 'attributes';
  readonly names: ReadonlyMap<string, SourceNode>;
}
/** Innermost first. */
export type Scope = readonly Frame[];

/** Deepest nesting of references in one text, and longest chain of bindings that name bindings. */
const maxNesting = 16;
/** Longest text a template may expand to, characters. */
const maxRenderedLength = 262_144;
/** Most references evaluated for one file. */
const maxExpansions = 50_000;
/** Most characters of bound values read while expanding one file. */
const maxExpandedLength = 16 * 1024 * 1024;

/** Failures reported for one text. */
const maxFailures = 20;
/** Failures reported for one file; nothing more is expanded after that. */
const maxProblems = 200;
/** Among more names no similar one is looked for. */
const maxSuggestible = 500;

/** What expanding one file has used up so far, all its jobs and their overrides together. */
export interface TemplateBudget {
  expansions: number;
  expandedLength: number;
  problems: number;
}

export function newTemplateBudget(): TemplateBudget {
  return { expansions: 0, expandedLength: 0, problems: 0 };
}
const inValueOf = ' (in the value of ';
const toItself = ' refers to itself: ';

const reservedNamespaces = new Set(['borealis', 'mesos', 'thermos', 'docker']);

/** True for the first word of names that the system binds. */
export function isReservedName(head: string): boolean {
  return reservedNamespaces.has(head);
}

/** A reference that can't be evaluated; carried to the text it stands in. */
class TemplateFailure extends Error {
  readonly source: string;
  readonly hint: string;
  constructor(source: string, message: string, hint: string) {
    super(message);
    // Thousands of them may be made for one file.
    this.stack = '';
    this.source = source;
    this.hint = hint;
  }
}

interface Evaluation {
  readonly scope: Scope;
  /** Values being expanded, outermost first, to find circles. */
  readonly active: readonly { readonly node: SourceNode; readonly name: string }[];
  readonly agentAllowed: boolean;
}

/** The values of `borealis.role` and its kin, known to the client. */
export type ClientNames = ReadonlyMap<string, SourceNode>;

export class TemplateRenderer {
  readonly problems: TreeProblem[] = [];
  private readonly clientNames: ClientNames;
  private readonly text: string | undefined;
  private readonly budget: TemplateBudget;

  constructor(clientNames: ClientNames, text: string | undefined, budget: TemplateBudget) {
    this.clientNames = clientNames;
    this.text = text;
    this.budget = budget;
  }

  /** The value with its references replaced; a text that fails is kept as it is and reported. */
  renderScalar(node: ScalarNode, scope: Scope, path: ConfigPath, agentAllowed: boolean): ScalarNode {
    if (typeof node.value !== 'string' || !node.value.includes('{{')) return node;
    if (this.budget.problems >= maxProblems) return node;
    const parts = parseTemplate(node.value);
    if (parts.every((part) => part.kind === 'text')) return node;
    const evaluation: Evaluation = {
      scope,
      active: [{ node, name: String(path.at(-1) ?? '') }],
      agentAllowed,
    };
    const failures: TemplateFailure[] = [];
    const value = this.renderParts(parts, evaluation, failures, maxFailures);
    if (value.length > maxRenderedLength) {
      const message = `expands to more than ${maxRenderedLength} characters`;
      failures.push(new TemplateFailure('{{', message, 'shorten the bindings'));
    }
    for (const failure of failures) this.report(node, path, failure);
    this.budget.problems += failures.length;
    return failures.length > 0 ? node : { ...node, value, templated: true };
  }

  private report(node: ScalarNode, path: ConfigPath, failure: TemplateFailure): void {
    // The exact spot if the reference stands in the file as it is; the value's beginning if it came from a binding.
    const at = node.span === undefined ? -1 : (this.text?.indexOf(failure.source, node.span.start) ?? -1);
    const found = at !== -1 && node.span !== undefined && at < node.span.end;
    const span = found ? { start: at, end: at + failure.source.length } : node.span;
    this.problems.push({
      path,
      message: failure.message,
      hint: failure.hint,
      ...(span === undefined ? {} : { span }),
    });
  }

  private renderParts(
    parts: readonly TemplatePart[],
    evaluation: Evaluation,
    failures: TemplateFailure[],
    enough: number,
  ): string {
    let rendered = '';
    for (const part of parts) {
      if (part.kind === 'text') rendered += part.text;
      // The escape stays in what the agent renders again, and is resolved where it doesn't.
      else if (part.kind === 'escape')
        rendered += evaluation.agentAllowed ? `{{&${part.text}}}` : `{{${part.text}}}`;
      else {
        try {
          rendered += this.renderReference(part, evaluation);
        } catch (error) {
          if (!(error instanceof TemplateFailure)) throw error;
          // A failure below belongs to the reference that stands in this text.
          failures.push(new TemplateFailure(part.source, error.message, error.hint));
        }
      }
      if (rendered.length > maxRenderedLength || failures.length >= enough) break;
    }
    return rendered;
  }

  private renderReference(part: TemplatePart & { kind: 'reference' }, evaluation: Evaluation): string {
    const { budget } = this;
    budget.expansions += 1;
    const exhausted = budget.expansions > maxExpansions || budget.expandedLength > maxExpandedLength;
    if (exhausted || part.depth > maxNesting || evaluation.active.length > maxNesting) {
      const message = `${shorten(part.source)} needs too many steps to expand`;
      throw new TemplateFailure(
        part.source,
        message,
        'simplify the bindings: they refer to each other too often',
      );
    }
    const address = this.addressOf(part, evaluation);
    const steps = parseAddress(address);
    if (steps === undefined) {
      throw new TemplateFailure(
        part.source,
        `${shorten(part.source)} is not a name: names look like {{name}}, {{profile.field}} or {{list[0]}}`,
        'write {{&...}} if the braces are meant literally',
      );
    }
    if (reservedNamespaces.has(steps[0])) return this.renderReserved(part.source, address, evaluation);
    const { node, scope } = this.resolve(part.source, address, steps, evaluation);
    return this.renderValue(part.source, address, node, { ...evaluation, scope });
  }

  /** The text between the braces with nested references replaced; only the client can do that. */
  private addressOf(part: TemplatePart & { kind: 'reference' }, evaluation: Evaluation): string {
    if (part.depth === 1) return part.source.slice(2, -2).trim();
    const failures: TemplateFailure[] = [];
    // One failure below is enough for the one above: all of them would be a tree of failures.
    const address = this.renderParts(part.inner, evaluation, failures, 1).trim();
    if (failures[0] !== undefined) throw failures[0];
    if (address.includes('{{')) {
      throw new TemplateFailure(
        part.source,
        `unexpected unbound refs: ${shorten(part.source)} nests a name that is only known on the agent`,
        'nest only names that are bound in the file or with --bind',
      );
    }
    return address;
  }

  private renderReserved(source: string, address: string, evaluation: Evaluation): string {
    const known = this.clientNames.get(address);
    if (known !== undefined) return this.renderValue(source, address, known, evaluation);
    const reference = parseAgentReference(address);
    if (reference === undefined) {
      const names = [...agentReferenceNames, ...this.clientNames.keys()];
      throw new TemplateFailure(
        source,
        `unknown name ${shorten(source)}${didYouMean(address, names)}`,
        address.startsWith('docker')
          ? 'docker images are not supported yet'
          : `reserved names are ${names.filter((name) => name.startsWith('borealis')).join(', ')}`,
      );
    }
    if (!evaluation.agentAllowed) {
      throw new TemplateFailure(
        source,
        `${source} is only known on the agent and can't be used here`,
        'use it in the cmdline of a process or in the command of a shell health check',
      );
    }
    return `{{${address}}}`;
  }

  private renderValue(source: string, address: string, node: SourceNode, evaluation: Evaluation): string {
    const chain = [...evaluation.active, { node, name: address }];
    if (evaluation.active.some((earlier) => earlier.node === node)) {
      const names = chain.map(({ name }) => name).join(' -> ');
      throw new TemplateFailure(
        source,
        `${shorten(source)}${toItself}${names}`,
        "bind the value under another name, or use {{job.name}}, {{task.name}} for an outer object's name",
      );
    }
    if (node.kind !== 'scalar' || node.value === null) {
      throw new TemplateFailure(
        source,
        `${shorten(source)} is ${describeValue(node)}, which can't stand in a text`,
        node.kind === 'map'
          ? `name one of its fields: ${[...node.fields.keys()].slice(0, 10).join(', ')}`
          : 'name one of its items, as in {{list[0]}}',
      );
    }
    if (typeof node.value !== 'string') return String(node.value);
    this.budget.expandedLength += node.value.length;
    const failures: TemplateFailure[] = [];
    const text = this.renderParts(parseTemplate(node.value), { ...evaluation, active: chain }, failures, 1);
    const [failure] = failures;
    if (failure === undefined) return text;
    // The innermost value says enough; a circle names its steps itself.
    const located = failure.message.includes(inValueOf) || failure.message.includes(toItself);
    const where = located ? '' : `${inValueOf}${address})`;
    throw new TemplateFailure(source, failure.message + where, failure.hint);
  }

  /** The value a name stands for and the scope its own references are evaluated in. */
  private resolve(
    source: string,
    address: string,
    steps: readonly [string, ...string[]],
    evaluation: Evaluation,
  ): { node: SourceNode; scope: Scope } {
    const { scope } = evaluation;
    for (const [index, frame] of scope.entries()) {
      // `--bind profile.env=x` binds the dotted name as a whole.
      const whole = frame.names.get(address);
      const node = whole ?? descend(frame.names.get(steps[0]), steps.slice(1));
      if (node !== undefined) return { node, scope: frame.kind === 'bindings' ? scope : scope.slice(index) };
    }
    const names = new Set(scope.flatMap((frame) => [...frame.names.keys()]));
    names.delete(address);
    const isHead = names.has(steps[0]);
    throw new TemplateFailure(
      source,
      isHead
        ? `${shorten(source)} is not bound: ${steps[0]} has no ${steps.slice(1).join('.')}`
        : `${shorten(source)} is not bound${names.size > maxSuggestible ? '' : didYouMean(address, [...names, ...agentReferenceNames])}`,
      `pass --bind ${address}=VALUE or add it to bindings: in the file`,
    );
  }
}

function descend(start: SourceNode | undefined, steps: readonly string[]): SourceNode | undefined {
  let node = start;
  for (const step of steps) {
    if (node === undefined) return undefined;
    node = childOf(node, node.kind === 'list' && /^\d{1,6}$/.test(step) ? Number(step) : step);
  }
  return node;
}

const shorten = (source: string) => (source.length > 80 ? `${source.slice(0, 77)}...` : source);
