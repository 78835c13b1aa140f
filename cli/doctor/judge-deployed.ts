// A deployment in an AWS account: who asks, stacks, tables, what calls the functions, queues, alarms.
import type { DeployedFacts, Finding, Found, TableFacts } from './facts.ts';
import { judgeQueues } from './judge-queues.ts';

export function judgeDeployed(facts: DeployedFacts): Finding[] {
  return [
    judgeIdentity(facts),
    ...facts.stacks.map((stack) => judgeStack(stack, facts.region)),
    ...each('tables', facts.tables, judgeTables),
    ...each('event sources', facts.sources, (sources) =>
      judgeEnabled(
        'event sources',
        sources,
        'Enable it (aws lambda update-event-source-mapping --uuid ... --enabled) or deploy again; until then its queue only grows.',
      ),
    ),
    ...each('schedules', facts.schedules, (schedules) =>
      judgeEnabled(
        'schedules',
        schedules,
        'Deploy again, or enable it in EventBridge Scheduler; until then nothing that is stuck is ended, or no agent is missed (docs/runbook.md#sweep-stopped, #roll-call-stopped).',
      ),
    ),
    ...each('queues', facts.queues, (queues) => judgeQueues(queues, facts.cluster)),
    ...each('alarms', facts.alarms, judgeAlarms),
  ];
}

function judgeIdentity({ identity, region }: DeployedFacts): Finding {
  if ('found' in identity)
    return { check: 'credentials', level: 'ok', message: `${identity.found}, region ${region}` };
  return {
    check: 'credentials',
    level: 'problem',
    message: `AWS does not know who asks: ${identity.why}`,
    todo: 'Sign in (`aws sso login`), or set AWS_PROFILE or --profile, and AWS_REGION or --region.',
  };
}

const settled = /^(CREATE|UPDATE|IMPORT)_COMPLETE$/;

function judgeStack({ name, status }: DeployedFacts['stacks'][number], region: string): Finding {
  const finding = (level: Finding['level'], message: string, todo?: string): Finding => {
    return { check: 'stacks', level, message, ...(todo !== undefined && { todo }) };
  };
  if (!('found' in status)) {
    if (status.failure !== 'missing') {
      return finding(
        'unknown',
        `${name}: ${status.why}`,
        'Allow cloudformation:DescribeStacks to see its state.',
      );
    }
    if (name.endsWith('-observability')) {
      return finding(
        'warning',
        `${name} is not deployed: no alarm tells anybody`,
        '`npx cdk deploy --all` with the context of this cluster.',
      );
    }
    return finding(
      'problem',
      `${name} is not in this account and region (${region})`,
      'Is this the right account (--profile) and region (--region)? Else `npx cdk deploy --all` with the context of this cluster.',
    );
  }
  const state = status.found;
  if (settled.test(state)) return finding('ok', `${name}: ${state}`);
  if (state.endsWith('_IN_PROGRESS'))
    return finding('warning', `${name}: ${state}`, 'A deployment runs; look again when it is done.');
  if (state.endsWith('ROLLBACK_COMPLETE')) {
    return finding(
      'warning',
      `${name}: ${state}: the last deployment failed and was undone`,
      'Read the events of the stack, correct the cause, deploy again.',
    );
  }
  return finding(
    'problem',
    `${name}: ${state}`,
    'Read the events of the stack; `cdk deploy` again or continue its rollback (docs/upgrading.md).',
  );
}

function judgeTables(tables: readonly TableFacts[]): Finding[] {
  const findings = tables.flatMap((table): Finding[] => [
    ...(table.status === 'ACTIVE'
      ? []
      : [
          {
            check: 'tables',
            level: 'problem',
            message: `${table.name} is ${table.status}`,
            todo: 'Wait until it is ACTIVE; every function depends on it.',
          } as const,
        ]),
    ...(table.restorable
      ? []
      : [
          {
            check: 'tables',
            level: 'warning',
            message: `${table.name} cannot be restored to a point in time`,
            todo: 'Deploy again: the stack switches point-in-time recovery on (docs/backup.md).',
          } as const,
        ]),
    ...(table.deletionProtected
      ? []
      : [
          {
            check: 'tables',
            level: 'warning',
            message: `${table.name} can be deleted by mistake`,
            todo: 'Deploy with borealis:keepData=true, unless this installation is to be thrown away.',
          } as const,
        ]),
  ]);
  if (findings.length > 0) return findings;
  return [
    {
      check: 'tables',
      level: 'ok',
      message: `${tables.map(({ name }) => name).join(', ')}: active, restorable, protected`,
    },
  ];
}

function judgeEnabled(
  check: 'event sources' | 'schedules',
  items: readonly { readonly name: string; readonly state: string }[],
  todo: string,
): Finding[] {
  const off = items.filter(({ state }) => state.toUpperCase() !== 'ENABLED');
  if (items.length === 0) {
    return [
      {
        check,
        level: 'problem',
        message: `the stacks hold no ${check}`,
        todo: 'Deploy again: `npx cdk deploy --all`.',
      },
    ];
  }
  if (off.length === 0)
    return [
      { check, level: 'ok', message: `${items.length} enabled: ${items.map(({ name }) => name).join(', ')}` },
    ];
  return off.map(({ name, state }) => ({ check, level: 'problem', message: `${name} is ${state}`, todo }));
}

function judgeAlarms(alarms: readonly { readonly name: string; readonly reason: string }[]): Finding[] {
  if (alarms.length === 0) return [{ check: 'alarms', level: 'ok', message: 'none is raised' }];
  return alarms.map(({ name, reason }) => ({
    check: 'alarms',
    level: 'problem',
    message: `${name} is raised: ${reason}`,
    todo: 'Its description links to what to do (docs/runbook.md).',
  }));
}

/** Judges what was found; says so if nothing could be. */
function each<T>(check: Finding['check'], found: Found<T>, judgeFound: (value: T) => Finding[]): Finding[] {
  if ('found' in found) return judgeFound(found.found);
  const todo =
    found.failure === 'denied'
      ? 'This identity may not look; docs/operating.md lists what `borealis doctor` reads.'
      : 'Try again; --verbose says more.';
  return [{ check, level: 'unknown', message: found.why, todo }];
}
