// Loads a job file from disk: YAML and JSON are read and parsed, TypeScript and JavaScript are imported by Node itself
// (type stripping), so a job file can compute what it exports.
import { spawnSync } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { BorealisError, isBorealisError } from '../lib/errors.ts';
import {
  type JobFile,
  type JobFileOptions,
  maxJobFileBytes,
  parseJobFile,
  parseJobObject,
} from './parse-job-file.ts';
import { type FileProblem, inFileOrder, jobFileError } from './problem.ts';

const textFormats: Readonly<Record<string, 'yaml' | 'json'>> = {
  '.yaml': 'yaml',
  '.yml': 'yaml',
  '.json': 'json',
};
const moduleExtensions = ['.ts', '.mts', '.js', '.mjs'];

interface LoadOptions extends JobFileOptions {
  /** Read the file as this whatever its name (`--read-json`). */
  readonly format?: 'yaml' | 'json';
}

/**
 * Reads `path` and returns its jobs (only the one named by `options.key`, if given). Throws INVALID_CONFIG for a file that
 * can't be read, is of no known kind, or has problems; see parseJobFile.
 */
export async function loadJobFile(path: string, options: LoadOptions = {}): Promise<JobFile> {
  const extension = extname(path).toLowerCase();
  const format = options.format ?? textFormats[extension];
  if (format === undefined && !moduleExtensions.includes(extension)) {
    throw unreadable(
      path,
      `${basename(path)} is no job file: its name must end in .yaml, .yml, .json, .ts or .js`,
    );
  }
  await checkSize(path);
  if (format === undefined) return parseModule(path, options);
  return parseJobFile(await read(path), { ...options, format, fileName: path });
}

/** Problems of an exported object are looked up in the text only when there are any. */
async function parseModule(path: string, options: LoadOptions): Promise<JobFile> {
  const jobs = await importJobs(path);
  try {
    return parseJobObject(jobs, { ...options, fileName: path });
  } catch (error) {
    const { problems } = isBorealisError(error) ? (error.details as { problems?: FileProblem[] }) : {};
    if (problems === undefined) throw error;
    const source = await read(path);
    const { locatorOf } = await import('./locate-in-module.ts');
    const locate = locatorOf(source);
    const placed = problems.map((problem): FileProblem => ({ ...problem, ...locate(problem.path) }));
    throw jobFileError(path, inFileOrder(placed), { source });
  }
}

async function read(path: string): Promise<string> {
  const bytes = await readFile(path);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw unreadable(path, `${path} is not UTF-8 text; save it as UTF-8`, cause);
  }
}

async function checkSize(path: string): Promise<void> {
  let info: Awaited<ReturnType<typeof stat>>;
  try {
    info = await stat(path);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'permission denied' : code;
    throw unreadable(path, `cannot read ${path}: ${why}; check the path`, cause);
  }
  if (!info.isFile()) throw unreadable(path, `${path} is not a file; name the job file itself`);
  if (info.size > maxJobFileBytes) {
    throw unreadable(
      path,
      `${path} is larger than ${maxJobFileBytes / 1024} KiB; split it into several files`,
    );
  }
}

function unreadable(path: string, message: string, cause?: unknown): BorealisError {
  return new BorealisError('INVALID_CONFIG', `${message}. Nothing was submitted.`, {
    details: { file: path },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The default export, or else `jobs`, of a module. */
async function importJobs(path: string): Promise<unknown> {
  const url = pathToFileURL(resolve(path));
  // A long-lived process that loads the file again must see what it says now.
  url.searchParams.set('read', String((await stat(path)).mtimeMs));
  let exported: { readonly default?: unknown; readonly jobs?: unknown };
  try {
    exported = (await import(url.href)) as typeof exported;
  } catch (cause) {
    throw importError(path, url, cause);
  }
  const value = exported.default ?? exported.jobs;
  if (value !== undefined) return value;
  throw jobFileError(path, [
    {
      file: path,
      path: [],
      message: 'the file exports no job',
      hint: 'export the job, or a list of jobs, as default or as jobs',
    },
  ]);
}

/** The error a module threw while it was read or run, with its place. */
function importError(path: string, url: URL, cause: unknown): BorealisError {
  const names = [url.href, url.pathname, resolve(path)];
  const stack = cause instanceof Error ? (cause.stack ?? '') : '';
  // Node keeps the place of a syntax error in plain JavaScript to itself, but its own checker prints it.
  const place =
    placeIn(stack, names) ?? (cause instanceof SyntaxError ? placeIn(checkSyntax(path), names) : undefined);
  const what = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
  const hint = 'the file must run by itself; try node FILE';
  const problem = { file: path, path: [], message: `the file fails when run: ${what}`, hint, ...place };
  return jobFileError(path, [problem], { cause });
}

/** The first `name:line:column` or `name:line` in a text. */
function placeIn(text: string, names: readonly string[]): { line: number; column: number } | undefined {
  for (const name of names) {
    const at = text.indexOf(`${name}:`);
    const match = at === -1 ? null : /^:(\d+)(?::(\d+))?/.exec(text.slice(at + name.length));
    if (match !== null) return { line: Number(match[1]), column: Number(match[2] ?? 1) };
  }
  return undefined;
}

function checkSyntax(path: string): string {
  return spawnSync(process.execPath, ['--check', resolve(path)], { encoding: 'utf8', timeout: 10_000 })
    .stderr;
}
