// The CLI's entry: builds the program for this command line, runs it, turns failures into messages and exit codes.
import { CommanderError } from '@commander-js/extra-typings';
import { createCli } from './command.ts';
import { createOutput, type Io, processIo } from './io.ts';
import { exitCodeOf, failureLines } from './output/failure.ts';
import { buildProgram } from './program.ts';

/** Runs one command line and answers its exit code. Never throws, never ends the process. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let exitCode = 0;
  const cli = createCli(io, (code) => {
    exitCode = code;
  });
  try {
    if (argv[0] === 'complete' || argv[0] === 'completion') {
      const { runCompletion } = await import('./completion.ts');
      await runCompletion(argv, cli);
      return exitCode;
    }
    const program = await buildProgram(argv, cli);
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    return failed(error, argv, io);
  }
}

function failed(error: unknown, argv: readonly string[], io: Io): number {
  // Help and --version arrive as exceptions too; commander has already written what there is to say.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const verbose = argv.includes('--verbose');
  const { paintTalk } = createOutput(io, { color: !argv.includes('--no-color') });
  if (io.signal.aborted) {
    io.stderr.write(`${paintTalk('yellow', 'interrupted')}; what was already asked of the API goes on\n`);
    return 130;
  }
  for (const line of failureLines(error, paintTalk, verbose)) io.stderr.write(`${line}\n`);
  return exitCodeOf(error);
}

/** Runs the command line of this process and ends it. */
export async function main(): Promise<void> {
  const code = await run(process.argv.slice(2), processIo());
  // Connections kept open for re-use must not delay the end; what is written must be out before it.
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  process.exit(code);
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve());
  });
}
