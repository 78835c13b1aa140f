// borealis doctor: checks an installation from outside and says what to do about each finding. Reads only.
import type { Command } from '@commander-js/extra-typings';
import type { Cli, Example } from '../command.ts';
import type { Facts, Finding } from '../doctor/facts.ts';
import { gatherAgents, gatherApi, gatherEmbedded } from '../doctor/gather-api.ts';
import { judge } from '../doctor/judge.ts';
import type { Format } from '../output/style.ts';
import { ownVersion, type Session } from '../session.ts';

export const examples: readonly Example[] = [
  ['borealis doctor', 'the stack on this machine, or the deployment BOREALIS_API names'],
  ['borealis doctor --json', 'for programs: {"ok":false,"findings":[...]}'],
  ['borealis doctor --cluster prod --region eu-central-1', 'a deployment whose API does not answer'],
];
export const exits = [4] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description(
      'Check an installation and say what to do; exit code 4 if something is wrong, 7 if the API is not reached.',
    )
    .option('--cluster <name>', 'look for its stacks in the AWS account even if the API does not answer')
    .option('--json', 'print {"ok":...,"findings":[{"check","level","message","todo"}]}')
    .action(async (options, self) => {
      const session = cli.session(self);
      const facts = await gather(session, options.cluster);
      const findings = judge(facts);
      const isReached = 'found' in facts.api;
      const isOk = findings.every(({ level }) => level !== 'problem');
      if (!isOk) cli.exit(isReached ? 4 : 7);
      if (options.json) return session.out.json({ ok: isOk, findings });
      for (const line of findings.flatMap((finding) => linesOf(finding, session))) session.out.data(line);
      session.out.say(summary(findings));
    });
}

async function gather(session: Session, named: string | undefined): Promise<Facts> {
  const clock = Date.now;
  const api = await gatherApi(session, clock);
  const cluster = 'found' in api ? api.found.cluster : named;
  const agents = 'found' in api ? await gatherAgents(session) : api;
  const embedded = cluster === undefined ? undefined : await gatherEmbedded(session, cluster);
  const deployed = embedded || cluster === undefined ? undefined : await deployedFacts(session, cluster);
  return {
    now: clock(),
    clientVersion: ownVersion(),
    apiUrl: session.address.url,
    api,
    agents,
    ...(embedded && { embedded }),
    ...(deployed && { deployed }),
  };
}

/** The SDK's clients are loaded only for who has a deployment. */
async function deployedFacts(session: Session, cluster: string): Promise<Facts['deployed']> {
  const { gatherDeployed } = await import('../doctor/gather-deployed.ts');
  return gatherDeployed(session, cluster);
}

const formats: Readonly<Record<Finding['level'], Format>> = {
  ok: 'green',
  warning: 'yellow',
  problem: 'red',
  unknown: 'yellow',
};

function linesOf({ check, level, message, todo }: Finding, { out }: Session): string[] {
  const head = `${out.paint(formats[level], level.padEnd(8))} ${check.padEnd(14)} ${message}`;
  return todo === undefined ? [head] : [head, `${' '.repeat(24)}-> ${todo}`];
}

function summary(findings: readonly Finding[]): string {
  const count = (level: Finding['level']): number =>
    findings.filter((finding) => finding.level === level).length;
  const [problems, warnings, unknown] = [count('problem'), count('warning'), count('unknown')];
  if (problems + warnings + unknown === 0) return 'nothing to do';
  return `${problems} problems, ${warnings} warnings, ${unknown} could not be looked at`;
}
