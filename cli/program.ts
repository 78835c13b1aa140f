// Builds the commander program from the catalogue. Only the commands asked for are loaded; the others appear in listings
// by name and summary.
import { Command } from '@commander-js/extra-typings';
import { type CatalogueEntry, catalogue, groups } from './catalogue.ts';
import type { Cli, CommandModule } from './command.ts';
import { exitMeanings } from './exit-codes.ts';
import { ownVersion } from './session.ts';

/** Exit codes any command can end with. */
const commonExits = [2, 7, 20, 30, 130] as const;

/** The program for this command line, or with every one of `entries` loaded (completion, reference). */
export async function buildProgram(
  argv: readonly string[],
  cli: Cli,
  entries?: readonly CatalogueEntry[],
): Promise<Command> {
  const program = rootCommand(cli);
  const wanted = entries ?? catalogue.filter(({ path }) => isAsked(path, argv));
  const modules = new Map<string, CommandModule>();
  await Promise.all(wanted.map(async ({ path, load }) => void modules.set(path, await load())));
  const groupCommands = new Map<string, Command>();
  for (const entry of entries ?? catalogue) {
    const parent = parentOf(entry, program, groupCommands, cli);
    const command = inheriting(new Command(lastWord(entry.path)), cli).summary(entry.summary);
    command.description(`${entry.summary}.`);
    const module = modules.get(entry.path);
    if (module) defineCommand(command, module, cli);
    parent.addCommand(command);
  }
  return program;
}

function rootCommand(cli: Cli): Command {
  const program = inheriting(new Command('borealis'), cli)
    .description('Borealis: a job scheduler without a scheduler to run.')
    .version(ownVersion(), '-V, --version', 'print the version of this client')
    .option('--api <url>', 'address of the API (else BOREALIS_API, else http://127.0.0.1:8081)')
    .option(
      '--profile <name>',
      'AWS profile to sign requests with (else AWS_PROFILE, else what the AWS SDK finds)',
    )
    .option('--region <name>', 'AWS region of the API, if its address does not say (else AWS_REGION)')
    .option(
      '--auth <how>',
      'sign requests: iam, none, or auto: unless plain http or local (else BOREALIS_AUTH)',
    )
    .option('-q, --quiet', 'no talk on stderr, only data and errors')
    .option('--verbose', 'say what is sent and where errors come from')
    .option('--no-color', 'no colours (also: NO_COLOR, pipes)')
    .addHelpText(
      'after',
      `
Job keys: cluster/role/environment/name, instances behind it: local/www/prod/hello/0-2,5

Start here:
  $ npm start                                            the whole system with two agents and two jobs
  $ borealis job create examples/hello-service/job.yaml --wait
  $ borealis job status local/demo/devel/hello-service

Every command has examples: borealis job create --help`,
    );
  return program as unknown as Command;
}

/** Settings every command shares: own streams, errors as exceptions, global options in each help. */
function inheriting(command: Command, cli: Cli): Command {
  return command
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void cli.io.stdout.write(text),
      writeErr: (text) => void cli.io.stderr.write(text),
      getOutHelpWidth: () => cli.io.stdout.columns ?? 100,
      getErrHelpWidth: () => cli.io.stderr.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .configureHelp({ showGlobalOptions: true });
}

function parentOf(
  entry: CatalogueEntry,
  program: Command,
  groupCommands: Map<string, Command>,
  cli: Cli,
): Command {
  const [group, name] = entry.path.split(' ');
  if (group === undefined || name === undefined) return program;
  const known = groupCommands.get(group);
  if (known) return known;
  const created = inheriting(new Command(group), cli).description(`${groups[group]}.`);
  created.summary(groups[group] ?? '');
  program.addCommand(created);
  groupCommands.set(group, created);
  return created;
}

function defineCommand(command: Command, module: CommandModule, cli: Cli): void {
  module.define(command, cli);
  const width = Math.max(...module.examples.map(([line]) => line.length));
  const examples = module.examples.map(([line, what]) => `  $ ${line.padEnd(Math.min(width, 72))}  ${what}`);
  const exits = [...new Set([0, ...module.exits, ...commonExits] as const)].toSorted((a, b) => a - b);
  const meanings = exits.map((code) => `  ${String(code).padStart(3)}  ${exitMeanings[code]}`);
  command.addHelpText('after', `\nExamples:\n${examples.join('\n')}\n\nExit codes:\n${meanings.join('\n')}`);
}

/** Is this the command that the words of the command line name? Options in front of it are passed over. */
function isAsked(path: string, argv: readonly string[]): boolean {
  const words = argv.filter((word) => !word.startsWith('-'));
  const [first, second] = words[0] === 'help' ? words.slice(1) : words;
  const asked = path.includes(' ') ? `${first} ${second}` : first;
  if (asked === path) return true;
  // `--api URL job status`: the value of an option stands in front of the command.
  return ` ${words.join(' ')} `.includes(` ${path} `);
}

function lastWord(path: string): string {
  return path.slice(path.indexOf(' ') + 1);
}
