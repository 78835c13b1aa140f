// borealis task logs: output of the processes of a task, read from the log server of its agent.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from '@commander-js/extra-typings';
import type { TaskView } from '../../shared/api/views.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import { readLogPiece } from '../client/observer.ts';
import { chosenTasks, readJobAndTasks } from '../client/tasks.ts';
import type { Cli, Example } from '../command.ts';
import type { Session } from '../session.ts';

export const examples: readonly Example[] = [
  ['borealis task logs local/demo/devel/hello-service/0 -f', 'follow instance 0'],
  ['borealis task logs local/demo/devel/hello-batch --process report', 'one process, of the only instance'],
  ['borealis task logs local/demo/devel/hello-service/0 --stderr --tail 2000', 'the last bytes of stderr'],
];
export const exits = [3, 6] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description('Output of the processes of a task, live or ended (as long as its agent keeps the files).')
    .argument('<key>', 'cluster/role/environment/name[/INSTANCES]')
    .option('--process <name>', 'only this process; default all of them')
    .option('--stderr', 'standard error; default standard output')
    .option('-f, --follow', 'go on as it is written, until the task ends or Ctrl-C')
    .option('--tail <bytes>', 'begin so many bytes before the end')
    .option('--run <n>', 'this run of the process (0 is the first); default the last')
    .action(async (text, options, self) => {
      const session = cli.session(self);
      const { detail, instances } = await readJobAndTasks(session, text);
      const tasks = chosenTasks(detail, instances);
      const sources = await Promise.all(
        tasks.map(async (task): Promise<Source[]> => {
          const names = (detail.configs[task.configId]?.processes ?? []).map(({ name }) => name);
          const wanted = options.process === undefined ? names : [options.process];
          if (options.process !== undefined && !names.includes(options.process)) {
            throw new BorealisError(
              'INVALID_REQUEST',
              `no process ${options.process}; there are ${names.join(', ')}.`,
            );
          }
          const observer = await observerOf(session, task);
          return wanted.map((process) => ({ task, observer, process }));
        }),
      );
      const all = sources.flat();
      const label = all.length > 1;
      const query = {
        stream: options.stderr ? ('stderr' as const) : ('stdout' as const),
        run: optionalNumber('--run', options.run),
        tail: optionalNumber('--tail', options.tail),
        follow: options.follow === true,
      };
      if (query.follow) await Promise.all(all.map((source) => show(session, source, query, label)));
      else for (const source of all) await show(session, source, query, label);
    });
}

interface Source {
  readonly task: TaskView;
  readonly observer: string;
  readonly process: string;
}

interface LogOptions {
  readonly stream: 'stdout' | 'stderr';
  readonly run: number | undefined;
  readonly tail: number | undefined;
  readonly follow: boolean;
}

const pollMs = 500;

async function observerOf(session: Session, task: TaskView): Promise<string> {
  if (task.agentId === null) {
    throw new BorealisError(
      'NOT_FOUND',
      `instance ${task.instance} is ${task.state} and on no agent yet: no logs.`,
    );
  }
  const agent = await session.client.call('getAgent', {
    params: { agentId: task.agentId },
    signal: session.io.signal,
  });
  const [url] = agent.attributes.observer ?? [];
  if (url !== undefined) return url;
  throw new BorealisError(
    'UNAVAILABLE',
    `agent ${task.agentId} serves no logs; look on its host ${agent.host}.`,
  );
}

async function show(session: Session, source: Source, options: LogOptions, label: boolean): Promise<void> {
  const { task, observer, process } = source;
  const writer = lineWriter(session, label ? `${task.instance}/${process}: ` : '');
  const { signal } = session.io;
  let offset = options.tail === undefined ? 0 : -options.tail;
  let { run } = options;
  try {
    for (;;) {
      const query = { taskId: task.taskId, process, stream: options.stream, offset, signal };
      // Without --run, following goes on with the next run of a process that is started again.
      const piece = await readLogPiece(observer, { ...query, run: options.follow ? options.run : run });
      if (piece && run !== undefined && piece.run !== run) {
        run = piece.run;
        offset = 0;
        continue;
      }
      run = piece?.run ?? run;
      if (piece && piece.bytes.length > 0) {
        writer.write(piece.bytes);
        offset = piece.nextOffset;
        continue;
      }
      if (!options.follow || piece?.taskEnded === true) break;
      await sleep(pollMs, undefined, { signal });
    }
  } finally {
    writer.end();
  }
}

/** Writes whole lines with a label in front; without a label bytes go out as they come. */
function lineWriter(session: Session, prefix: string): { write(bytes: Uint8Array): void; end(): void } {
  const out = session.io.stdout;
  const decoder = new TextDecoder();
  let rest = '';
  return {
    write(bytes) {
      const text = decoder.decode(bytes, { stream: true });
      if (prefix === '') return void out.write(text);
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) out.write(`${prefix}${line}\n`);
    },
    end() {
      if (rest !== '') out.write(`${prefix}${rest}\n`);
    },
  };
}

function optionalNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw new BorealisError('INVALID_REQUEST', `${option} "${text}" is not a whole number.`);
}
