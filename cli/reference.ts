// The reference of the command line (docs/reference/cli.md), made from the commands themselves.
import { PassThrough } from 'node:stream';
import { catalogue } from './catalogue.ts';
import { createCli } from './command.ts';
import { errorCodesOf, exitMeanings } from './exit-codes.ts';
import type { Io } from './io.ts';
import { buildProgram } from './program.ts';

const intro = `# The command line

Written by \`node scripts/write-cli-reference.ts\` from the commands themselves; a test compares.

- Job keys: \`cluster/role/environment/name\`; instances behind it: \`local/demo/devel/hello/0-2,5\`. Listings take patterns:
  missing parts match everything, \`*\`, \`?\` and \`[abc]\` as in a shell.
- The API's address: \`--api\`, else \`BOREALIS_API\`, else \`http://127.0.0.1:8081\`; \`borealis version\` says which and why.
- Data goes to stdout, talk and errors to stderr; \`-q\` silences the talk. Every read has \`--json\`.
- Colours only on a terminal, never with \`NO_COLOR\`, \`--no-color\` or in a pipe. Nothing is asked without a terminal.
- An error says its code, what failed, what is unchanged, what to do next and, from the API, the request id.
`;

/** The whole reference as Markdown. */
export async function referenceText(): Promise<string> {
  const sections = await Promise.all(catalogue.map(({ path }) => sectionOf(path)));
  const codes = Object.entries(exitMeanings).map(([code, meaning]) => {
    const names = errorCodesOf(Number(code)).map((name) => `\`${name}\``);
    return `| ${code} | ${meaning} | ${names.join(', ')} |`;
  });
  return [
    intro,
    '## Exit codes\n',
    '| Code | Meaning | Error codes |',
    '|---|---|---|',
    ...codes,
    '',
    '## Commands\n',
    ...sections,
  ].join('\n');
}

async function sectionOf(path: string): Promise<string> {
  let help = '';
  const stream = { columns: 110, write: (text: string) => (help += text) };
  const io: Io = {
    stdout: stream,
    stderr: stream,
    stdin: new PassThrough(),
    env: {},
    signal: new AbortController().signal,
  };
  const cli = createCli(io, () => undefined);
  const program = await buildProgram(path.split(' '), cli);
  const found = path
    .split(' ')
    .reduce<{ readonly commands: readonly unknown[] } | undefined>(
      (command, name) => commandNamed(command, name),
      program,
    ) as { outputHelp(): void } | undefined;
  found?.outputHelp();
  return `### borealis ${path}\n\n\`\`\`text\n${withoutGlobals(help).trim()}\n\`\`\`\n`;
}

function commandNamed(
  command: { readonly commands: readonly unknown[] } | undefined,
  name: string,
): { readonly commands: readonly unknown[] } | undefined {
  const commands = (command?.commands ?? []) as readonly { name(): string; commands: readonly unknown[] }[];
  return commands.find((one) => one.name() === name);
}

/** What every command has stands in the introduction and in the table once. */
function withoutGlobals(help: string): string {
  return help.replace(/\nGlobal Options:\n(?: .*\n)+/, '').replace(/\nExit codes:\n[\s\S]*$/, '');
}
