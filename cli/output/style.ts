// Colours for terminals only: off in pipes, with NO_COLOR (no-color.org), --no-color and TERM=dumb. Colour is never the
// only signal; every coloured word says the same without it.
import { stripVTControlCharacters, styleText } from 'node:util';
import type { TaskState } from '../../shared/model/task.ts';

export type Format = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';
/** Text in a format, or as it is when colours are off. */
export type Paint = (format: Format, text: string) => string;

export interface PainterOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** False with --no-color. */
  readonly color: boolean;
}

/** The painter for one stream. */
export function painter(stream: { readonly isTTY?: boolean | undefined }, options: PainterOptions): Paint {
  const { env, color } = options;
  const enabled = color && stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  return (format, text) => (enabled ? styleText(format, text, { validateStream: false }) : text);
}

/** Colour of a state: okay green, attention yellow, error red (spec/client-and-ui.md section 7). */
export function stateFormat(state: TaskState): Format {
  switch (state) {
    case 'RUNNING':
    case 'FINISHED':
      return 'green';
    case 'STARTING':
      return 'cyan';
    case 'FAILED':
    case 'THROTTLED':
      return 'red';
    case 'KILLED':
      return 'dim';
    case 'PENDING':
    case 'ASSIGNED':
    case 'LOST':
    case 'PARTITIONED':
    case 'PREEMPTING':
    case 'RESTARTING':
    case 'DRAINING':
    case 'KILLING':
      return 'yellow';
  }
}

/** Text from a job or a machine made safe for a terminal: one line, without control characters. */
export function plain(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/\p{Cc}+/gu, ' ');
}
