// Jobs the end-to-end tests write for themselves.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Writes a job file of its own and answers its path. */
export function jobFile(dir: string, text: string): string {
  const file = join(dir, `job-${Math.random()}.yaml`);
  writeFileSync(file, text);
  return file;
}

/** A service in demo/devel whose instances sleep. */
export function sleeper(name: string, instances: number, cpu = 0.1): string {
  return `
role: demo
environment: devel
name: ${name}
instances: ${instances}
service: true
task:
  resources: { cpu: ${cpu}, ramMb: 16, diskMb: 16 }
  processes: [{ name: sleep, cmdline: exec sleep 1000 }]
`;
}
