// What the tasks of a chaos run do: little, and each writes down that it began, and that it came to its end.
import type { Constraint, TaskConfig } from '../../../shared/model/task-config.ts';
import { makeConfig } from '../../contract/fixtures.ts';
import { witness } from './recorder.ts';

/** Stays. `waits`: an agent that falls silent has some seconds to return. */
export function service(
  runsFile: string,
  mark: string,
  more: { waits?: boolean; cpuMilli?: number } = {},
): TaskConfig {
  const task = base(mark, `${witness('start', runsFile)}; exec sleep 100000`, more.cpuMilli ?? 100);
  return {
    ...task,
    service: true,
    ...(more.waits && { partitionPolicy: { reschedule: true, delaySecs: 5 } }),
  };
}

/** A version of a service that does not work. */
export function brokenService(runsFile: string, mark: string): TaskConfig {
  return { ...base(mark, `${witness('start', runsFile)}; sleep 1; exit 3`, 100), service: true };
}

/** Ends by itself. `failsOneIn`: so many of its runs come to no end; `tries`: of an instance, -1 = as many as it takes. */
export function batch(
  runsFile: string,
  secs: number,
  { failsOneIn = 0, tries = -1 }: { failsOneIn?: number; tries?: number } = {},
): TaskConfig {
  const failure = failsOneIn > 0 ? `[ $((RANDOM % ${failsOneIn})) = 0 ] && exit 3; ` : '';
  const cmdline = `${witness('start', runsFile)}; sleep ${secs}; ${failure}${witness('end', runsFile)}`;
  return { ...base('v1', cmdline, 100), service: false, maxTaskFailures: tries };
}

/** The same, for these hosts only. */
export function pinned(task: TaskConfig, hosts: readonly string[]): TaskConfig {
  return constrained(task, { kind: 'value', attribute: 'host', negated: false, values: [...hosts] });
}

/** The same, so many on a host. */
export function spread(task: TaskConfig, limit: number): TaskConfig {
  return constrained(task, { kind: 'limit', attribute: 'host', limit });
}

function constrained(task: TaskConfig, constraint: Constraint): TaskConfig {
  return { ...task, constraints: [...task.constraints, constraint] };
}

function base(mark: string, cmdline: string, cpuMilli: number): TaskConfig {
  const { resources, processes } = makeConfig();
  return makeConfig({
    metadata: { mark },
    finalizationWaitSecs: 2,
    resources: { ...resources, cpuMilli, ramMb: 16, diskMb: 16, ports: ['http'] },
    processes: processes.map((process) => ({ ...process, cmdline, minDurationSecs: 1 })),
  });
}
