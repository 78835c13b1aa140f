// Everything the CLI touches of the world outside, so that tests can run a command and look at what it wrote.
import { type Paint, type PainterOptions, painter } from './output/style.ts';

/** A text stream such as process.stdout. */
interface OutStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface Io {
  readonly stdout: OutStream;
  readonly stderr: OutStream;
  /** For typed confirmations; used only when stdin and stderr are terminals. */
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean | undefined };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
}

/** The world of this process. The first SIGINT or SIGTERM aborts `signal`; a second one, later than 1 s, ends it. */
export function processIo(): Io {
  const controller = new AbortController();
  let firstAtMs: number | undefined;
  const onSignal = (): void => {
    // A launcher or npm may pass on a Ctrl-C that the terminal already sent: only a later one is a second wish.
    if (firstAtMs !== undefined && performance.now() - firstAtMs > 1000) process.exit(130);
    firstAtMs ??= performance.now();
    controller.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  process.on('SIGHUP', onSignal);
  // `borealis job list | head` closes the pipe; that is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
  });
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    env: process.env,
    signal: controller.signal,
  };
}

/** Options every command has. */
export interface GlobalOptions {
  readonly api?: string | undefined;
  /** How requests are authenticated: auto, iam or none. */
  readonly auth?: string | undefined;
  /** AWS profile to sign with. */
  readonly profile?: string | undefined;
  /** AWS region of the API, where its address does not say. */
  readonly region?: string | undefined;
  readonly quiet?: boolean | undefined;
  readonly verbose?: boolean | undefined;
  /** False with --no-color. */
  readonly color?: boolean | undefined;
}

/** What a command writes with: data on stdout, talk on stderr. */
export interface Output {
  /** A line of data. */
  readonly data: (line: string) => void;
  /** A value as JSON, the whole of stdout with --json. */
  readonly json: (value: unknown) => void;
  /** A line of talk, silent with -q. */
  readonly say: (line: string) => void;
  /** A warning, shown even with -q. */
  readonly warn: (line: string) => void;
  /** Details, only with --verbose. */
  readonly trace: (line: string) => void;
  readonly paint: Paint;
  /** Colours for talk on stderr. */
  readonly paintTalk: Paint;
}

export function createOutput(io: Io, options: GlobalOptions): Output {
  const paintOptions: PainterOptions = { env: io.env, color: options.color !== false };
  const paintTalk = painter(io.stderr, paintOptions);
  return {
    data: (line) => void io.stdout.write(`${line}\n`),
    json: (value) => void io.stdout.write(`${JSON.stringify(value)}\n`),
    say: (line) => void (options.quiet || io.stderr.write(`${line}\n`)),
    warn: (line) => void io.stderr.write(`${paintTalk('yellow', 'warning:')} ${line}\n`),
    trace: (line) => void (options.verbose && io.stderr.write(`${paintTalk('dim', line)}\n`)),
    paint: painter(io.stdout, paintOptions),
    paintTalk,
  };
}
