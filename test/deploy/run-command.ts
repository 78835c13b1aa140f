// Runs a program to its end; what it said goes to a log file and, when it fails, into the error.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Gets everything the program says. */
  readonly logFile: string;
  /** Ended with SIGKILL after this. */
  readonly timeoutMs: number;
}

const linesShown = 30;

/** Answers standard output. Throws with the exit code and the last lines of both outputs. */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<string> {
  const shown = [program, ...args].join(' ');
  appendFileSync(options.logFile, `\n$ ${shown}\n`);
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.timeoutMs,
    killSignal: 'SIGKILL',
    ...(options.env && { env: options.env }),
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
  let stdout = '';
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    said += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  const [code, signal] = (await Promise.race([once(child, 'close'), failed])) as [
    number | null,
    string | null,
  ];
  appendFileSync(options.logFile, said);
  if (code === 0) return stdout;
  const last = said.trimEnd().split('\n').slice(-linesShown).join('\n');
  throw new Error(`\`${shown}\` ended with ${signal ?? `exit code ${code}`}:\n${last}`);
}
