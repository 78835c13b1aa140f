// What one command is to the CLI: a module that defines its arguments, options and action, with examples and exit codes
// as data, so that the help, the reference and the tests all read the same.
import type { Command } from '@commander-js/extra-typings';
import type { ExitCode } from './exit-codes.ts';
import type { GlobalOptions, Io } from './io.ts';
import { createSession, type Session } from './session.ts';

/** A line to type and what it does. */
export type Example = readonly [line: string, what: string];

export interface CommandModule {
  readonly examples: readonly Example[];
  /** Besides 0, 2, 7, 20, 30 and 130, which every command can end with. */
  readonly exits: readonly ExitCode[];
  define(command: Command, cli: Cli): void;
}

/** What an action gets of the run it belongs to. */
export interface Cli {
  readonly io: Io;
  /** Client, output and options for the command being run. */
  session(command: { optsWithGlobals(): object }): Session;
  /** The exit code of the run when nothing was thrown; default 0. */
  exit(code: ExitCode): void;
}

export function createCli(io: Io, onExit: (code: ExitCode) => void): Cli {
  return {
    io,
    session: (command) => createSession(io, command.optsWithGlobals() as GlobalOptions),
    exit: onExit,
  };
}

/** Resolves at Ctrl-C. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
