// borealis agent run: this process is an agent until Ctrl-C; it runs tasks on this machine.
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from '@commander-js/extra-typings';
import type { AgentLog } from '../../agent/log.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Attributes } from '../../shared/model/agent.ts';
import { agentIdSchema } from '../../shared/model/agent.ts';
import { intakeQueueName } from '../../shared/model/names.ts';
import type { Capacity } from '../../shared/model/resources.ts';
import { aborted, type Cli, type Example } from '../command.ts';
import { repeatable } from '../job-file.ts';
import { parseDurationMs } from '../keys.ts';
import { findQueueUrl, resolveSqs } from '../local/queues.ts';
import { plain } from '../output/style.ts';
import type { Session } from '../session.ts';

export const examples: readonly Example[] = [
  ['borealis agent run', 'offer this machine, named after the host'],
  [
    'borealis agent run --id big-1 --cpu 8 --ram 16GiB --attr rack=r1',
    'offer a part of it, with an attribute',
  ],
  ['borealis agent run --id db-1 --dedicated db/main --gpu T4 --gpu T4', 'for one role only, with two GPUs'],
];
export const exits = [4, 6] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description(
      'Be an agent: offer this machine and run tasks on it until Ctrl-C. Tasks go on without the agent and are taken over by the next one in the same work directory.',
    )
    .option('--id <id>', 'agent id; default the host name')
    .option('--pool <name>', 'pool of agents to join', 'default')
    .option('--cpu <cores>', 'cores to offer; default what is there')
    .option('--ram <size>', 'memory to offer, e.g. 8GiB')
    .option('--disk <size>', 'disk to offer, e.g. 100GiB')
    .option('--gpu <model>', 'one GPU of this model; may be repeated', repeatable)
    .option('--ports <low-high>', 'ports tasks may be given')
    .option('--attr <name=value>', 'an attribute for constraints; may be repeated', repeatable)
    .option('--dedicated <role/name>', 'take only tasks with this dedicated constraint')
    .option('--host <name>', 'name of this machine in attributes; default the host name')
    .option('--work-dir <dir>', 'where tasks and their logs lie', './borealis-agent')
    .option('--run-as-role', 'run processes as the user named like the role (needs root)')
    .option('--kill-wait <time>', 'from SIGTERM to SIGKILL when a task is killed, at most 4m', '60s')
    .option('--kill-tasks-on-stop', 'end the tasks too when the agent ends')
    .option('--stop-with-stdin', 'end when standard input ends (started by another program)')
    .option('--observer-host <address>', 'address on which logs are served', '127.0.0.1')
    .option('--intake-queue-url <url>', 'queue to report to; default asked for by name')
    .action(async (options, self) => {
      const session = cli.session(self);
      const host = options.host ?? hostname();
      const agentId = options.id ?? host.replaceAll(/[^A-Za-z0-9_-]/g, '-').slice(0, 48);
      if (!agentIdSchema.safeParse(agentId).success) {
        throw wrong('--id', agentId, 'an agent id: letters, digits, _ and -, at most 48');
      }
      const workDir = resolve(options.workDir);
      const capacity = parseCapacity(options);
      const killBudgetMs = parseKillWait(options.killWait);
      const attributes = parseAttributes(options.attr ?? [], options.dedicated, workDir);
      const cluster = await session.cluster();
      const sqs = await resolveSqs(session.address.url, cli.io.env, session.aws);
      const intakeQueueUrl = options.intakeQueueUrl ?? (await findQueueUrl(sqs, intakeQueueName(cluster)));
      const { runAgent } = await import('../../agent/main.ts');
      const agent = await runAgent({
        agentId,
        cluster,
        pool: options.pool,
        host,
        api: session.address.url,
        intakeQueueUrl,
        sqs,
        fetch: session.fetch,
        workDir,
        capacity,
        attributes,
        observer: { host: options.observerHost },
        runAsRole: options.runAsRole === true,
        killTasksOnStop: options.killTasksOnStop === true,
        timings: { killBudgetMs },
        log: agentLog(session),
      });
      session.out.say(
        `agent ${agentId} offers this machine to ${cluster} at ${session.address.url}; Ctrl-C ends it`,
      );
      session.out.trace(`work directory ${workDir}, logs at ${agent.observerUrl ?? 'nowhere'}`);
      await Promise.race([
        aborted(cli.io.signal),
        ...(options.stopWithStdin ? [inputEnd(cli.io.stdin)] : []),
      ]);
      session.out.say(`agent ${agentId} stops`);
      await agent.stop();
    });
}

/** What the agent does, as talk: facts behind the message; with -q only what is wrong. */
function agentLog(session: Session): AgentLog {
  return (level, message, facts = {}) => {
    if (level === 'debug' || (session.quiet && level !== 'error')) return;
    const shown = Object.entries(facts).map(([name, value]) => `${name}=${plain(String(value))}`);
    const mark =
      level === 'info' ? '' : `${session.out.paintTalk(level === 'error' ? 'red' : 'yellow', level)} `;
    const line = [`${new Date().toISOString()} ${mark}${message}`, ...shown].join('  ');
    session.io.stderr.write(`${line}\n`);
  };
}

/** Resolves when nobody can write to standard input any more. */
function inputEnd(stdin: NodeJS.ReadableStream): Promise<void> {
  return new Promise((done) => {
    stdin.once('end', () => done());
    stdin.once('error', () => done());
    stdin.resume();
  });
}

interface CapacityOptions {
  readonly cpu?: string | undefined;
  readonly ram?: string | undefined;
  readonly disk?: string | undefined;
  readonly ports?: string | undefined;
  readonly gpu?: readonly string[] | undefined;
}

function parseCapacity(options: CapacityOptions): Partial<Capacity> {
  const { cpu, ram, disk, ports, gpu = [] } = options;
  return {
    ...(cpu !== undefined && { cpuMilli: parseCores(cpu) }),
    ...(ram !== undefined && { ramMb: parseMb('--ram', ram) }),
    ...(disk !== undefined && { diskMb: parseMb('--disk', disk) }),
    ...(ports !== undefined && { portRange: parsePorts(ports) }),
    ...(gpu.length > 0 && { gpus: [...gpu] }),
  };
}

function parseCores(text: string): number {
  const milli = Math.round(Number(text) * 1000);
  if (/^\d+(\.\d+)?$/.test(text) && milli > 0) return milli;
  throw wrong('--cpu', text, 'a number of cores such as 4 or 0.5');
}

/** A minute under the time after which the control plane gives a task in KILLING up. */
const maxKillWaitMs = 240_000;

function parseKillWait(text: string): number {
  const ms = parseDurationMs(text);
  if (ms <= maxKillWaitMs) return ms;
  throw wrong('--kill-wait', text, 'a time of at most 4m, after which a task counts as lost');
}

const mbPerUnit: Readonly<Record<string, number>> = { '': 1, M: 1, G: 1024, T: 1024 * 1024 };

function parseMb(option: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([MGT])i?B?)?$/.exec(text);
  const mb = Math.floor(Number(match?.[1]) * (mbPerUnit[match?.[2] ?? ''] ?? 1));
  if (match && mb > 0) return mb;
  throw wrong(option, text, 'a size such as 512MiB or 8GiB (a bare number is MiB)');
}

function parsePorts(text: string): [number, number] {
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(text);
  const [low, high] = [Number(match?.[1]), Number(match?.[2])];
  if (match && low >= 1 && low <= high && high <= 65_535) return [low, high];
  throw wrong('--ports', text, 'a range such as 31000-32000');
}

/** Attributes as given, plus the work directory, so that `task run` finds sandboxes. */
function parseAttributes(
  pairs: readonly string[],
  dedicated: string | undefined,
  workDir: string,
): Attributes {
  const attributes: Record<string, string[]> = {};
  if (workDir.length <= 255) attributes['work-dir'] = [workDir];
  if (dedicated !== undefined) attributes.dedicated = [dedicated];
  for (const pair of pairs) {
    const match = /^([^=]{1,128})=(.{1,255})$/.exec(pair);
    if (!match?.[1] || match[2] === undefined) throw wrong('--attr', pair, 'name=value');
    attributes[match[1]] = [...(attributes[match[1]] ?? []), match[2]];
  }
  return attributes;
}

function wrong(option: string, text: string, wanted: string): BorealisError {
  return new BorealisError(
    'INVALID_REQUEST',
    `${option} "${text}" is not ${wanted}; the agent was not started.`,
  );
}
