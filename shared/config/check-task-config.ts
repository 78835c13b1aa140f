// Rules on a task config that a schema can't say: ordering, GPUs, ports, health check (spec/config.md sections 4, 5, 7).
// The client runs them on a job file, the API server on every submission.
import type { ProcessConfig, TaskConfig } from '../model/task-config.ts';
import { agentReferenceNames, agentReferences } from './agent-template.ts';
import type { ConfigPath, ConfigProblem } from './problem.ts';
import { didYouMean } from './suggest.ts';

/** Everything wrong with one task config; paths are those of TaskConfig. Empty = accepted. */
export function checkTaskConfig(config: TaskConfig): ConfigProblem[] {
  return [
    ...checkProcessNames(config),
    ...checkOrdering(config),
    ...checkConstraintSize(config),
    ...checkGpus(config),
    ...checkPorts(config),
    ...checkHealth(config),
    ...checkTemplates(config),
  ];
}

function checkProcessNames(config: TaskConfig): ConfigProblem[] {
  const first = new Map<string, number>();
  const problems: ConfigProblem[] = [];
  for (const [index, process] of config.processes.entries()) {
    const earlier = first.get(process.name);
    if (earlier === undefined) first.set(process.name, index);
    else {
      problems.push({
        path: ['processes', index, 'name'],
        message: `process name ${process.name} is already used by processes[${earlier}]`,
        hint: 'give each process a name of its own',
      });
    }
  }
  return problems;
}

/**
 * Constraints are copied into the row of every task, and one agent is given 99 tasks in a transaction, which DynamoDB
 * takes up to 4 MB of rows of: larger ones could never be placed and would hold up their whole pool.
 */
const maxConstraintBytes = 16_000;

function checkConstraintSize({ constraints }: TaskConfig): ConfigProblem[] {
  const bytes = new TextEncoder().encode(JSON.stringify(constraints)).length;
  if (bytes <= maxConstraintBytes) return [];
  const message = `the constraints take ${bytes} bytes, at most ${maxConstraintBytes} are possible`;
  return [{ path: ['constraints'], message, hint: 'give the agents an attribute that says it in one value' }];
}

/** One list entry depends on the entry before it. */
interface Dependency {
  readonly path: ConfigPath;
  readonly before: ProcessConfig;
  readonly after: ProcessConfig;
}

function checkOrdering(config: TaskConfig): ConfigProblem[] {
  const byName = new Map(config.processes.map((process) => [process.name, process]));
  const problems: ConfigProblem[] = [];
  const dependencies: Dependency[] = [];
  for (const [list, names] of config.ordering.entries()) {
    for (const [index, name] of names.entries()) {
      const path = ['ordering', list, index];
      const after = byName.get(name);
      if (after === undefined) {
        problems.push({
          path,
          message: `there is no process named ${name}${didYouMean(name, byName.keys())}`,
          hint: `processes of this task: ${[...byName.keys()].slice(0, 10).join(', ')}`,
        });
      }
      const before = index === 0 ? undefined : byName.get(names[index - 1] as string);
      if (before !== undefined && after !== undefined) dependencies.push({ path, before, after });
    }
  }
  problems.push(...dependencies.flatMap(checkDependency));
  const cycle = findCycle(dependencies);
  if (cycle !== undefined) problems.push(cycle);
  return problems;
}

function checkDependency({ path, before, after }: Dependency): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (before.final !== after.final) {
    const [final, ordinary] = before.final ? [before, after] : [after, before];
    problems.push({
      path,
      message: `${final.name} is final and ${ordinary.name} is not: one ordering may not hold both`,
      hint: 'final processes run in a stage of their own after all others; order them among themselves',
    });
  }
  if (before.daemon) {
    problems.push({
      path,
      message: `${after.name} may not wait for ${before.name}: a daemon runs again after every success`,
      hint: `take ${before.name} out of the ordering, or make it no daemon`,
    });
  }
  if (before.ephemeral && !after.ephemeral) {
    problems.push({
      path,
      message: `${after.name} may not wait for ${before.name}: the task can complete without an ephemeral process`,
      hint: `make ${after.name} ephemeral too, or ${before.name} not ephemeral`,
    });
  }
  return problems;
}

/** Removes processes nothing holds back, over and over; what remains contains a cycle, which is then walked. */
function findCycle(dependencies: readonly Dependency[]): ConfigProblem | undefined {
  const left = new Map<string, Dependency[]>();
  for (const dependency of dependencies) {
    const list = left.get(dependency.after.name);
    if (list === undefined) left.set(dependency.after.name, [dependency]);
    else list.push(dependency);
  }
  for (let removed = true; removed; ) {
    removed = false;
    for (const [name, list] of left) {
      if (list.some(({ before }) => left.has(before.name))) continue;
      left.delete(name);
      removed = true;
    }
  }
  const start = left.values().next().value?.[0];
  if (start === undefined) return undefined;
  const walk = [start.after.name];
  for (;;) {
    const name = walk[0] as string;
    const next = (left.get(name) as Dependency[]).find(({ before }) => left.has(before.name)) as Dependency;
    const seen = walk.indexOf(next.before.name);
    if (seen !== -1) {
      const cycle = [next.before.name, ...walk.slice(0, seen + 1)];
      return {
        path: next.path,
        message: `the ordering goes in a circle: ${cycle.join(' -> ')}`,
        hint: 'remove one of these steps',
      };
    }
    walk.unshift(next.before.name);
  }
}

function checkGpus({ resources }: TaskConfig): ConfigProblem[] {
  const { gpus, gpuMilli, gpuModels } = resources;
  const problems: ConfigProblem[] = [];
  if (gpus > 0 !== gpuMilli > 0) {
    problems.push({
      path: ['resources', gpus > 0 ? 'gpuMilli' : 'gpus'],
      message: `gpus is ${gpus} but gpuMilli is ${gpuMilli}: both or neither must be above 0`,
      hint: 'for whole cards gpuMilli is 1000',
    });
  }
  if (gpus > 1 && gpuMilli > 0 && gpuMilli < 1000) {
    problems.push({
      path: ['resources', 'gpuMilli'],
      message: `a share of a card (${gpuMilli}/1000) is only possible with one GPU, not ${gpus}`,
      hint: 'ask for whole cards (gpuMilli 1000) or for one GPU',
    });
  }
  if (gpus === 0 && gpuModels.length > 0) {
    problems.push({
      path: ['resources', 'gpuModels'],
      message: 'GPU models are named but no GPU is asked for',
      hint: 'set gpus, or remove gpuModels',
    });
  }
  return problems;
}

function checkPorts({ resources }: TaskConfig): ConfigProblem[] {
  return resources.ports.flatMap((name, index) =>
    resources.ports.indexOf(name) === index
      ? []
      : [
          {
            path: ['resources', 'ports', index],
            message: `port ${name} is named twice`,
            hint: 'name it once',
          },
        ],
  );
}

function missingPort(path: ConfigPath, name: string, config: TaskConfig, user: string): ConfigProblem[] {
  if (config.resources.ports.includes(name)) return [];
  return [
    {
      path,
      message: `${user} needs a port named ${name}, which the task does not ask for${didYouMean(name, config.resources.ports)}`,
      hint: `add ${name} to resources.ports or use {{borealis.ports[${name}]}} in a command line`,
    },
  ];
}

function checkHealth(config: TaskConfig): ConfigProblem[] {
  const { healthCheck, httpLifecycle } = config;
  const problems: ConfigProblem[] = [];
  if (healthCheck !== undefined) {
    const { http, shell } = healthCheck;
    if ((http === undefined) === (shell === undefined)) {
      problems.push({
        path: ['healthCheck'],
        message:
          http === undefined
            ? 'the health check says neither http nor shell'
            : 'http and shell exclude each other',
        hint: 'keep exactly one of them',
      });
    }
    if (http !== undefined) {
      problems.push(
        ...missingPort(['healthCheck', 'http', 'port'], http.port, config, 'the http health check'),
      );
    }
  }
  if (httpLifecycle !== undefined) {
    const path = ['httpLifecycle', 'port'];
    problems.push(...missingPort(path, httpLifecycle.port, config, 'the http shutdown step'));
  }
  return problems;
}

/** Texts the agent renders: path and text of each. */
function agentTexts(config: TaskConfig): { path: ConfigPath; text: string }[] {
  const texts: { path: ConfigPath; text: string }[] = config.processes.map((process, index) => ({
    path: ['processes', index, 'cmdline'],
    text: process.cmdline,
  }));
  const command = config.healthCheck?.shell?.command;
  if (command !== undefined) texts.push({ path: ['healthCheck', 'shell', 'command'], text: command });
  return texts;
}

/** Port names that the texts rendered on the agent refer to, in order of appearance. */
export function referencedPorts(config: TaskConfig): string[] {
  return [...new Set(agentTexts(config).flatMap(({ text }) => agentReferences(text).ports))];
}

function checkTemplates(config: TaskConfig): ConfigProblem[] {
  return agentTexts(config).flatMap(({ path, text }) => {
    const { ports, unknown } = agentReferences(text);
    return [
      ...unknown.map((source) => ({
        path,
        message: `${source.slice(0, 80)} is not a name the agent can fill in`,
        hint: `it knows ${agentReferenceNames.join(', ')}; write {{&...}} for literal braces`,
      })),
      ...ports.flatMap((name) => missingPort(path, name, config, 'this command')),
    ];
  });
}
