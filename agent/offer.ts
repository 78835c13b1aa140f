// What this machine offers: measured where possible, overridden by options (spec/scheduling.md; design section 2).
import { execFile } from 'node:child_process';
import { mkdir, statfs } from 'node:fs/promises';
import { availableParallelism, hostname, totalmem } from 'node:os';
import { promisify } from 'node:util';
import type { Attributes, Offer } from '../shared/model/agent.ts';
import type { Capacity } from '../shared/model/resources.ts';
import { directoryBytes } from './runner/usage.ts';
import { tasksDir } from './runtime/layout.ts';

const mib = 1024 * 1024;
/** Ports tasks may be given unless told otherwise; Mesos' default range. */
const defaultPortRange: Capacity['portRange'] = [31_000, 32_000];

export interface OfferOptions {
  readonly agentId: string;
  readonly pool: string;
  readonly host?: string | undefined;
  readonly workDir: string;
  readonly capacity?: Partial<Capacity> | undefined;
  readonly attributes?: Attributes | undefined;
  readonly version: string;
}

/** The offer of this machine. Disk is what is free in the work directory plus what its own tasks hold by now. */
export async function measureOffer(options: OfferOptions): Promise<Offer> {
  const host = options.host ?? hostname();
  const given = options.capacity ?? {};
  const gpus = given.gpus ?? (await listGpus());
  return {
    agentId: options.agentId,
    host,
    pool: options.pool,
    capacity: {
      cpuMilli: given.cpuMilli ?? availableParallelism() * 1000,
      ramMb: given.ramMb ?? Math.floor(totalmem() / mib),
      diskMb: given.diskMb ?? (await measureDiskMb(options.workDir)),
      gpus,
      portRange: given.portRange ?? defaultPortRange,
    },
    attributes: {
      host: [host],
      ...(gpus.length > 0 ? { 'gpu-model': [...new Set(gpus)] } : {}),
      ...options.attributes,
    },
    version: options.version,
  };
}

async function measureDiskMb(workDir: string): Promise<number> {
  await mkdir(workDir, { recursive: true });
  const fileSystem = await statfs(workDir);
  const used = await directoryBytes(tasksDir(workDir));
  return Math.floor((fileSystem.bavail * fileSystem.bsize + used) / mib);
}

/** Models of the NVIDIA cards by device number; none if there is no driver. */
async function listGpus(): Promise<string[]> {
  try {
    const { stdout } = await promisify(execFile)(
      'nvidia-smi',
      ['--query-gpu=name', '--format=csv,noheader'],
      { timeout: 10_000 },
    );
    return parseGpuNames(stdout);
  } catch {
    return [];
  }
}

/** Names as nvidia-smi prints them, one a line, cut to what the model allows. */
export function parseGpuNames(output: string): string[] {
  return output
    .split('\n')
    .map((line) => line.trim().replaceAll(/\s+/g, '-').slice(0, 64))
    .filter((name) => name !== '');
}
