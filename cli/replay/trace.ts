// The openb trace (a GPU cluster of Alibaba, 2023) as nodes and tasks in our units.
import { readFile } from 'node:fs/promises';
import { BorealisError } from '../../shared/lib/errors.ts';
import { agentIdSchema } from '../../shared/model/agent.ts';
import type { Resources } from '../../shared/model/resources.ts';
import { badRow, type CsvRow, parseCsv, wholeNumber } from './csv.ts';

/** A machine: becomes one simulated agent. */
export interface TraceNode {
  readonly name: string;
  readonly cpuMilli: number;
  readonly ramMb: number;
  /** Model of each card. */
  readonly gpus: readonly string[];
}

/** One task to place. */
export interface TraceTask {
  readonly name: string;
  readonly resources: Resources;
  /** Seconds from the trace's start. */
  readonly createdAtSecs: number;
  /** Absent = runs to the end of the trace. */
  readonly deletedAtSecs?: number;
}

const nodeColumns = ['sn', 'cpu_milli', 'memory_mib', 'gpu', 'model'] as const;
const taskColumns = [
  'name',
  'cpu_milli',
  'memory_mib',
  'num_gpu',
  'gpu_milli',
  'gpu_spec',
  'creation_time',
  'deletion_time',
] as const;

const maxSecs = 10 ** 12;

/** Reads a node list; INVALID_CONFIG with file and line for a row that makes no sense. */
export async function readNodes(file: string): Promise<TraceNode[]> {
  return parseNodes(file, await readText(file));
}

/** Reads a task list; INVALID_CONFIG with file and line for a row that makes no sense. */
export async function readTasks(file: string): Promise<TraceTask[]> {
  return parseTasks(file, await readText(file));
}

export function parseNodes(file: string, text: string): TraceNode[] {
  const seen = new Set<string>();
  return parseCsv(file, text, nodeColumns).map((row) => {
    const name = row.fields.sn ?? '';
    if (!agentIdSchema.safeParse(name).success)
      throw badRow(row.place, `sn "${name}" cannot be an agent's id`);
    if (seen.has(name)) throw badRow(row.place, `node ${name} is listed twice`);
    seen.add(name);
    const cards = wholeNumber(row, 'gpu', 0, 64);
    const model = row.fields.model ?? '';
    if (cards > 0 && model === '') throw badRow(row.place, `node ${name} has ${cards} GPUs but no model`);
    return {
      name,
      cpuMilli: wholeNumber(row, 'cpu_milli', 1, 1_024_000),
      ramMb: wholeNumber(row, 'memory_mib', 1, 67_108_864),
      gpus: Array.from({ length: cards }, () => model),
    };
  });
}

export function parseTasks(file: string, text: string): TraceTask[] {
  return parseCsv(file, text, taskColumns).map((row) => {
    const createdAtSecs = wholeNumber(row, 'creation_time', 0, maxSecs);
    const deletedAtSecs =
      row.fields.deletion_time === '' ? undefined : wholeNumber(row, 'deletion_time', 0, maxSecs);
    if (deletedAtSecs !== undefined && deletedAtSecs < createdAtSecs) {
      throw badRow(row.place, `deletion_time ${deletedAtSecs} is before creation_time ${createdAtSecs}`);
    }
    return {
      name: row.fields.name ?? '',
      resources: resourcesOf(row),
      createdAtSecs,
      ...(deletedAtSecs !== undefined && { deletedAtSecs }),
    };
  });
}

function resourcesOf(row: CsvRow): Resources {
  const gpus = wholeNumber(row, 'num_gpu', 0, 64);
  const share = wholeNumber(row, 'gpu_milli', 0, 1000);
  if (gpus === 1 && share === 0) throw badRow(row.place, 'gpu_milli is 0 for a task with one GPU');
  if (gpus > 1 && share !== 1000)
    throw badRow(row.place, `gpu_milli is ${share} for a task with ${gpus} GPUs`);
  const models = row.fields.gpu_spec ?? '';
  return {
    cpuMilli: wholeNumber(row, 'cpu_milli', 1, 1_024_000),
    // The trace has tasks that ask for no memory; here every task needs at least 1 MiB.
    ramMb: Math.max(1, wholeNumber(row, 'memory_mib', 0, 67_108_864)),
    diskMb: 0,
    gpus,
    gpuMilli: gpus === 0 ? 0 : share,
    gpuModels: models === '' || gpus === 0 ? [] : models.split('|').filter((model) => model !== ''),
    ports: [],
  };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    const why = code === 'ENOENT' ? 'there is no such file' : code;
    throw new BorealisError('INVALID_CONFIG', `cannot read ${file}: ${why}. Nothing was submitted.`, {
      cause,
    });
  }
}
