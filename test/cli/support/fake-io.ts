// An Io of strings: what a command wrote, and a world it can be given.
import { PassThrough } from 'node:stream';
import type { Io } from '../../../cli/io.ts';
import { run } from '../../../cli/main.ts';

export interface FakeIoOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Both outputs and the input are a terminal. */
  readonly tty?: boolean;
  /** Typed on the terminal. */
  readonly typed?: string;
  readonly signal?: AbortSignal;
}

interface FakeIo extends Io {
  out(): string;
  err(): string;
}

function fakeIo(options: FakeIoOptions = {}): FakeIo {
  let out = '';
  let err = '';
  const isTTY = options.tty === true;
  const stdin = Object.assign(new PassThrough(), { isTTY });
  if (options.typed !== undefined) stdin.write(options.typed);
  return {
    stdout: {
      isTTY,
      write: (text) => {
        out += text;
      },
    },
    stderr: {
      isTTY,
      write: (text) => {
        err += text;
      },
    },
    stdin,
    env: options.env ?? {},
    signal: options.signal ?? new AbortController().signal,
    out: () => out,
    err: () => err,
  };
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs one command line; `api` is what BOREALIS_API says. */
export async function runCli(
  argv: readonly string[],
  options: FakeIoOptions & { api?: string } = {},
): Promise<Ran> {
  const env = { ...options.env, ...(options.api !== undefined && { BOREALIS_API: options.api }) };
  const io = fakeIo({ ...options, env });
  const code = await run(argv, io);
  return { code, out: io.out(), err: io.err() };
}
