// Tab completion for bash, zsh, fish and PowerShell: commands and options from the program itself, job keys and agent
// ids from the API. `completion SHELL` prints the script; the script calls `complete -- WORDS...`.
import { readdirSync } from 'node:fs';
import type tab from '@bomb.sh/tab/commander';
import type { Command } from '@commander-js/extra-typings';
import { catalogue } from './catalogue.ts';
import { listAllAgents, listMatching } from './client/read.ts';
import type { Cli } from './command.ts';
import { parsePattern, parseWholeJob } from './keys.ts';
import { buildProgram } from './program.ts';
import type { Session } from './session.ts';

/** A key press must not wait for an API that doesn't answer. */
const answerWithinMs = 700;

/** Runs `completion` and `complete`; loads every command, since any may be completed. */
export async function runCompletion(argv: readonly string[], cli: Cli): Promise<void> {
  const { default: attach } = await import('@bomb.sh/tab/commander');
  // The adapter below adds a command `completion` of its own.
  const others = catalogue.filter(({ path }) => path !== 'completion');
  const program = await buildProgram(argv, cli, others);
  const untyped = program as unknown as Parameters<typeof tab>[0];
  const completion = attach(untyped, { completionCommandName: 'completion' });
  if (argv[0] === 'complete') {
    const words = argv.slice(argv.indexOf('--') + 1);
    const candidates = await liveCandidates(words, cli);
    for (const [path, command] of completion.commands) {
      for (const [name, argument] of command.arguments) {
        const values = candidatesFor(path, name, candidates);
        if (!values) continue;
        argument.handler = (complete) => {
          for (const value of values) complete(value, '');
        };
      }
    }
  }
  await program.parseAsync([...argv], { from: 'user' });
}

interface Candidates {
  readonly jobs: readonly string[];
  readonly agents: readonly string[];
  /** Of the job that the line names. */
  readonly updates: readonly string[];
  readonly files: readonly string[];
}

/** Arguments are told apart by their names: keys of jobs, ids of agents, job files. */
function candidatesFor(path: string, argument: string, live: Candidates): readonly string[] | undefined {
  if (argument === 'key-or-file') return [...live.jobs, ...live.files];
  if (argument === 'key' || argument === 'pattern') return live.jobs;
  if (argument === 'file') return live.files;
  if (argument === 'update-id') return live.updates;
  return path === 'agent status' && argument === 'id' ? live.agents : undefined;
}

async function liveCandidates(words: readonly string[], cli: Cli): Promise<Candidates> {
  const session = cli.session({ optsWithGlobals: () => ({ quiet: true }) });
  const signal = AbortSignal.timeout(answerWithinMs);
  const needsAgents = words[0] === 'agent';
  // Without an API there is nothing to offer; completing commands still works.
  const [jobs, agents, updates] = await Promise.all([
    needsAgents ? [] : listMatching(session.client, parsePattern('*'), signal).catch(() => []),
    needsAgents ? listAllAgents(session.client, { signal }).catch(() => []) : [],
    words[0] === 'update' ? updatesOfKey(words, session, signal).catch(() => []) : [],
  ]);
  return {
    jobs: jobs.map(({ key }) => key),
    agents: agents.map(({ agentId }) => agentId),
    updates,
    files: jobFiles(),
  };
}

/** Ids of the newest updates of the job whose key is on the line, the newest first. */
async function updatesOfKey(
  words: readonly string[],
  { client }: Session,
  signal: AbortSignal,
): Promise<string[]> {
  const key = words.find((word) => word.split('/').length === 4);
  if (key === undefined) return [];
  const listed = await client.call('listJobUpdates', {
    params: parseWholeJob(key).key,
    query: { limit: 10 },
    signal,
  });
  return listed.updates.map(({ updateId }) => updateId);
}

function jobFiles(): string[] {
  try {
    return readdirSync('.').filter((name) => /\.(ya?ml|json|ts)$/.test(name));
  } catch {
    return [];
  }
}

/** Shown in the listing of commands; `run` handles the word itself. */
export const examples = [
  ['source <(borealis completion bash)', 'in this shell; put it into ~/.bashrc to keep it'],
  ['borealis completion zsh > ~/.zfunc/_borealis', 'for zsh, with ~/.zfunc in fpath'],
  ['borealis completion fish > ~/.config/fish/completions/borealis.fish', 'for fish'],
] as const;
export const exits = [] as const;

export function define(command: Command): void {
  command
    .description('Print the completion script for a shell.')
    .argument('<shell>', 'bash, zsh, fish or powershell');
}
