// What a rule gives its target: the event, a part of it, a constant, or a text made from parts of it
// (docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html). Pure.
import { BorealisError } from '../../shared/lib/errors.ts';

export interface TargetInput {
  /** Constant JSON text. */
  readonly Input?: string | undefined;
  /** JSON path of the part to give. */
  readonly InputPath?: string | undefined;
  readonly InputTransformer?:
    | {
        readonly InputPathsMap?: Readonly<Record<string, string>> | undefined;
        readonly InputTemplate: string;
      }
    | undefined;
}

export type BusEnvelope = Readonly<Record<string, unknown>>;

/** Makes the text a target gets from an event. INVALID_CONFIG for a path it does not understand. */
export function compileInput(input: TargetInput): (event: BusEnvelope) => string {
  const { Input, InputPath, InputTransformer } = input;
  if (Input !== undefined) return () => Input;
  if (InputPath !== undefined) {
    const read = compilePath(InputPath);
    return (event) => JSON.stringify(read(event) ?? null);
  }
  if (InputTransformer) return compileTemplate(InputTransformer);
  return (event) => JSON.stringify(event);
}

function compileTemplate(transformer: NonNullable<TargetInput['InputTransformer']>) {
  const paths = Object.entries(transformer.InputPathsMap ?? {}).map(
    ([name, path]) => [name, compilePath(path)] as const,
  );
  return (event: BusEnvelope): string => {
    const values = new Map<string, unknown>(paths.map(([name, read]) => [name, read(event)]));
    values.set('aws.events.event', event);
    values.set('aws.events.event.json', event);
    return render(transformer.InputTemplate, values);
  };
}

/**
 * Replaces `<name>`. Inside a quoted text a value stands as text, escaped so that what it holds stays inside the quotes;
 * elsewhere it stands as JSON.
 */
function render(template: string, values: ReadonlyMap<string, unknown>): string {
  let inText = false;
  return template.replaceAll(/\\.|"|<([^<>\s"]+)>/g, (part, name: string | undefined) => {
    if (part === '"') inText = !inText;
    if (name === undefined || !values.has(name)) return part;
    const value = values.get(name);
    if (!inText) return value === undefined ? '""' : JSON.stringify(value);
    if (value === undefined) return '';
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return JSON.stringify(text).slice(1, -1);
  });
}

/** `$`, `$.detail.items[0]`, `$.detail-type`. */
function compilePath(path: string): (event: BusEnvelope) => unknown {
  if (!/^\$(\.[\w$-]+|\[\d+\])*$/.test(path)) {
    throw new BorealisError(
      'INVALID_CONFIG',
      `the embedded stack does not know the path ${path} of a rule's target`,
    );
  }
  const steps = [...path.matchAll(/\.([\w$-]+)|\[(\d+)\]/g)].map(([, key, index]) => key ?? Number(index));
  return (event) =>
    steps.reduce<unknown>(
      (value, step) =>
        typeof value === 'object' && value !== null
          ? (value as Record<string | number, unknown>)[step]
          : undefined,
      event,
    );
}
