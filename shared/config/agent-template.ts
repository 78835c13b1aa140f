// References that only the agent can fill in (spec/config.md section 1, reserved namespaces). They stay in the stored
// command lines; this file says which exist and renders them once the instance, host and ports are known.
import { BorealisError } from '../lib/errors.ts';
import { parseTemplate } from './template-syntax.ts';

/** What the agent knows about the task it starts. */
export interface AgentTemplateValues {
  readonly instance: number;
  readonly hostname: string;
  readonly taskId: string;
  /** Port numbers by name. */
  readonly ports: Readonly<Record<string, number>>;
}

export type AgentReference =
  | { readonly kind: 'instance' | 'hostname' | 'taskId' }
  | { readonly kind: 'port'; readonly name: string };

/** Names as people write them, for suggestions. */
export const agentReferenceNames = [
  'borealis.instance',
  'borealis.hostname',
  'borealis.taskId',
  'borealis.ports[name]',
] as const;

/** Ours and, for people coming from Aurora, theirs. */
const simpleReferences = new Map<string, AgentReference>([
  ['borealis.instance', { kind: 'instance' }],
  ['borealis.hostname', { kind: 'hostname' }],
  ['borealis.taskId', { kind: 'taskId' }],
  ['mesos.instance', { kind: 'instance' }],
  ['mesos.hostname', { kind: 'hostname' }],
  ['thermos.task_id', { kind: 'taskId' }],
]);
const portReference = /^(?:borealis|thermos)\.ports\[\s*([\w-]{1,64})\s*\]$/;

/** The agent-side reference an address names, or undefined. */
export function parseAgentReference(address: string): AgentReference | undefined {
  const simple = simpleReferences.get(address);
  if (simple !== undefined) return simple;
  const name = portReference.exec(address)?.[1];
  return name === undefined ? undefined : { kind: 'port', name };
}

/** What a stored text refers to: port names in order of appearance, and references that no agent could fill in. */
export function agentReferences(text: string): { readonly ports: string[]; readonly unknown: string[] } {
  const ports = new Set<string>();
  const unknown: string[] = [];
  for (const part of parseTemplate(text)) {
    if (part.kind !== 'reference') continue;
    const reference = part.depth === 1 ? parseAgentReference(addressOf(part.source)) : undefined;
    if (reference === undefined) unknown.push(part.source);
    else if (reference.kind === 'port') ports.add(reference.name);
  }
  return { ports: [...ports], unknown };
}

/**
 * A stored text with every reference filled in and `{{&x}}` turned into `{{x}}`. Throws INVALID_CONFIG for a reference
 * that does not exist or a port the task was not given; a submission that passed checkTaskConfig has neither.
 */
export function renderAgentTemplate(text: string, values: AgentTemplateValues): string {
  let rendered = '';
  for (const part of parseTemplate(text)) {
    if (part.kind === 'text') rendered += part.text;
    else if (part.kind === 'escape') rendered += `{{${part.text}}}`;
    else rendered += referenceValue(part.source, values);
  }
  return rendered;
}

function referenceValue(source: string, values: AgentTemplateValues): string {
  const reference = parseAgentReference(addressOf(source));
  if (reference === undefined) {
    throw new BorealisError(
      'INVALID_CONFIG',
      `${source} is not a name the agent knows, so the command was not run; the job must be submitted again without it`,
      { details: { reference: source, known: agentReferenceNames } },
    );
  }
  if (reference.kind !== 'port') return String(values[reference.kind]);
  const port = Object.hasOwn(values.ports, reference.name) ? values.ports[reference.name] : undefined;
  if (port === undefined) {
    throw new BorealisError(
      'INVALID_CONFIG',
      `the task has no port named ${reference.name}, so the command was not run; add it to resources.ports and submit again`,
      { details: { port: reference.name, ports: Object.keys(values.ports) } },
    );
  }
  return String(port);
}

const addressOf = (source: string) => source.slice(2, -2).trim();
