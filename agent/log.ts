// How the agent says what it does: one function, so that the host program decides where it goes.
import { redact } from '../shared/lib/redact.ts';

type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type AgentLog = (level: LogLevel, message: string, facts?: Readonly<Record<string, unknown>>) => void;

/** JSON lines on stderr, from `info` up. */
export const stderrLog: AgentLog = (level, message, facts = {}) => {
  if (level === 'debug') return;
  process.stderr.write(
    `${JSON.stringify({ at: new Date().toISOString(), level, message, ...facts }, redact)}\n`,
  );
};

/** The message of anything thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
