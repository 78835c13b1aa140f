// The syntax of `{{...}}` in job files and stored configs: one linear scan, no evaluation. `{{&text}}` stands for a
// literal `{{text}}`; braces that never close are ordinary text; `{{{x}}}` is a brace around a reference.

export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  /** `{{&text}}`: renders as `{{text}}`. */
  | { readonly kind: 'escape'; readonly text: string }
  | {
      readonly kind: 'reference';
      /** As written, braces included. */
      readonly source: string;
      /** What stands between the braces; references nested in it are parts of their own. */
      readonly inner: readonly TemplatePart[];
      /** 1 without nesting. */
      readonly depth: number;
    };

interface Frame {
  readonly open: number;
  readonly parts: TemplatePart[];
}

function addText(parts: TemplatePart[], text: string): void {
  const last = parts.at(-1);
  if (last?.kind === 'text') parts[parts.length - 1] = { kind: 'text', text: last.text + text };
  else if (text !== '') parts.push({ kind: 'text', text });
}

/** Splits text into literal parts, escapes and references. Never fails. */
export function parseTemplate(text: string): readonly TemplatePart[] {
  const stack: Frame[] = [{ open: -1, parts: [] }];
  const parts = () => (stack.at(-1) as Frame).parts;
  const token = /\{+|\}\}/g;
  let at = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    // Of a run of braces the last two open the reference.
    const open = match[0] === '}}' ? match.index : match.index + match[0].length - 2;
    if (match[0] === '{' || (match[0] === '}}' && stack.length === 1)) continue;
    addText(parts(), text.slice(at, open));
    at = open + 2;
    if (match[0] === '}}') {
      closeReference(stack, text, at);
    } else if (text[at] === '&') {
      const end = text.indexOf('}}', at);
      if (end === -1) {
        // Nothing closes from here on: the rest is plain text.
        addText(parts(), '{{');
        break;
      }
      parts().push({ kind: 'escape', text: text.slice(at + 1, end) });
      at = end + 2;
    } else {
      stack.push({ open, parts: [] });
    }
    token.lastIndex = at;
  }
  return finish(stack, text, at);
}

function closeReference(stack: Frame[], text: string, end: number): void {
  const frame = stack.pop() as Frame;
  const depth = 1 + Math.max(0, ...frame.parts.map((part) => (part.kind === 'reference' ? part.depth : 0)));
  (stack.at(-1) as Frame).parts.push({
    kind: 'reference',
    source: text.slice(frame.open, end),
    inner: frame.parts,
    depth,
  });
}

/** Frames still open at the end were plain text after all. */
function finish(stack: readonly Frame[], text: string, at: number): readonly TemplatePart[] {
  const [root, ...unclosed] = stack as [Frame, ...Frame[]];
  for (const frame of unclosed) {
    addText(root.parts, '{{');
    for (const part of frame.parts) {
      if (part.kind === 'text') addText(root.parts, part.text);
      else root.parts.push(part);
    }
  }
  addText(root.parts, text.slice(at));
  return root.parts;
}

/** `name`, then `.field` or `[key]` steps. */
const addressPattern = /^([A-Za-z_][\w-]*)((?:\.[\w-]+|\[[^[\]{}]+\])*)$/;

/** The steps of a reference such as `profile.env` or `fib[4]`, or undefined if it is not one. */
export function parseAddress(address: string): readonly [string, ...string[]] | undefined {
  const match = addressPattern.exec(address);
  if (match === null) return undefined;
  const steps = (match[2] ?? '').matchAll(/\.([\w-]+)|\[([^\]]+)\]/g);
  return [match[1] as string, ...Array.from(steps, (step) => step[1] ?? (step[2] as string).trim())];
}
