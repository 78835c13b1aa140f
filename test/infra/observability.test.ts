// The dashboard and the alarms: every alarm has its entry in the runbook and the other way round, and nothing looks at a
// function, queue or number that does not exist.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { App } from 'aws-cdk-lib';
import { describe, expect, it } from 'vitest';
import { addBorealis } from '../../infra/borealis.ts';
import { runbookEntries } from '../../infra/constructs/runbook-alarm.ts';
import { metricNamespace, metricTable } from '../../shared/model/metrics.ts';
import { stateTable } from '../../shared/store/tables.ts';

interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
}

function synth(context: Readonly<Record<string, unknown>> = {}): Map<string, Resource> {
  const app = new App({
    context: { 'aws:cdk:bundling-stacks': [], 'borealis:cluster': 'test', ...context },
    analyticsReporting: false,
  });
  addBorealis(app);
  return new Map(
    app.synth().stacks.flatMap((stack) => {
      const { Resources } = stack.template as { Resources: Record<string, Resource> };
      return Object.entries(Resources).map(
        ([id, resource]) => [`${stack.stackName}/${id}`, resource] as const,
      );
    }),
  );
}

const resources = synth();
const of = (type: string, found = resources): Readonly<Record<string, unknown>>[] =>
  [...found.values()].filter(({ Type }) => Type === type).map(({ Properties }) => Properties);

const alarms = of('AWS::CloudWatch::Alarm');
const entryOf = (alarm: Readonly<Record<string, unknown>>): string =>
  String(alarm.AlarmName).replace('borealis-test-', '');

interface MetricUse {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
}

const nameOfQueue = (value: unknown): string => {
  if (typeof value === 'string') return value;
  const id = String((value as { 'Fn::GetAtt'?: [string] })['Fn::GetAtt']?.[0]);
  return String(resources.get(`borealis-test-state/${id}`)?.Properties.QueueName);
};

const alarmMetrics = alarms.map(
  (alarm): MetricUse => ({
    namespace: String(alarm.Namespace),
    name: String(alarm.MetricName),
    dimensions: Object.fromEntries(
      (alarm.Dimensions as { Name: string; Value: unknown }[]).map(({ Name, Value }) => [
        Name,
        Name === 'ApiId' ? 'api' : nameOfQueue(Value),
      ]),
    ),
  }),
);

/** The dashboard's body with references replaced by a word. */
function dashboardMetrics(found = resources): MetricUse[] {
  const [dashboard] = of('AWS::CloudWatch::Dashboard', found);
  const body = dashboard?.DashboardBody as { 'Fn::Join': [string, unknown[]] };
  const text = body['Fn::Join'][1].map((part) => (typeof part === 'string' ? part : 'api')).join('');
  const { widgets } = JSON.parse(text) as { widgets: { properties: { metrics?: unknown[][] } }[] };
  return widgets
    .flatMap(({ properties }) => properties.metrics ?? [])
    .map((metric) => {
      const words = metric.filter((word) => typeof word === 'string');
      const [namespace = '', name = '', ...dimensions] = words;
      const pairs = Array.from({ length: dimensions.length / 2 }, (_, index) => [
        dimensions[index * 2],
        dimensions[index * 2 + 1],
      ]);
      return { namespace, name, dimensions: Object.fromEntries(pairs) as Record<string, string> };
    });
}

describe('the runbook', () => {
  it('has an entry for every alarm, and an alarm for every entry', () => {
    // With machines for agents, whose stack has an alarm too.
    const all = of('AWS::CloudWatch::Alarm', synth({ 'borealis:fleetMax': '1' }));
    expect(all.map(entryOf).toSorted()).toEqual(runbookEntries().toSorted());
    expect(alarms.length).toBeGreaterThan(15);
  });

  it.each(runbookEntries())('%s says what is wrong, how to look and how to fix', (entry) => {
    const text = readFileSync('docs/runbook.md', 'utf8').split(`\n## ${entry}\n`)[1]?.split('\n## ')[0] ?? '';
    for (const part of ['What is wrong', 'How to look', 'How to fix']) {
      const said = text.split(`**${part}.**`)[1]?.split('**')[0]?.trim() ?? '';
      expect(said.length, part).toBeGreaterThan(40);
    }
  });

  it('has no dead link to an entry of its own', () => {
    const links = [...readFileSync('docs/runbook.md', 'utf8').matchAll(/\]\(#([\w-]+)\)/g)].map(
      ([, to]) => to,
    );
    expect(links.length).toBeGreaterThan(3);
    for (const to of links) expect(runbookEntries()).toContain(to);
  });
});

describe('every alarm', () => {
  it.each(alarms.map((alarm) => [entryOf(alarm), alarm] as const))(
    '%s links to its entry and tells somebody, also when it is over',
    (entry, alarm) => {
      expect(alarm.AlarmDescription).toMatch(new RegExp(`^[A-Z].+\\. What to do: docs/runbook.md#${entry}$`));
      expect(alarm.AlarmActions).toHaveLength(1);
      expect(alarm.OKActions).toEqual(alarm.AlarmActions);
    },
  );

  it('links to the address that was given', () => {
    const runbook = 'https://wiki.example.com/borealis/runbook';
    for (const alarm of of('AWS::CloudWatch::Alarm', synth({ 'borealis:runbook': runbook }))) {
      expect(alarm.AlarmDescription).toContain(`${runbook}#${entryOf(alarm)}`);
    }
  });

  it('tells the topic that was given, and then there is no other', () => {
    const topic = 'arn:aws:sns:eu-central-1:123456789012:on-call';
    const found = synth({ 'borealis:alarmTopic': topic });
    for (const alarm of of('AWS::CloudWatch::Alarm', found)) expect(alarm.AlarmActions).toEqual([topic]);
    expect(of('AWS::SNS::Topic', found)).toEqual([]);
  });

  it('is sent to the address that was given', () => {
    const [subscription] = of('AWS::SNS::Subscription', synth({ 'borealis:alarmEmail': 'ops@example.com' }));
    expect(subscription).toMatchObject({ Protocol: 'email', Endpoint: 'ops@example.com' });
  });
});

describe('what runs every minute', () => {
  it.each(['sweep', 'roll-call'])('%s: its silence is an alarm, and so are its failures', (what) => {
    const named = (entry: string) => alarms.find((alarm) => entryOf(alarm) === entry);
    expect(named(`${what}-stopped`)).toMatchObject({
      MetricName: 'Invocations',
      ComparisonOperator: 'LessThanThreshold',
      Threshold: 1,
      EvaluationPeriods: 5,
      // A function that is not called has no numbers at all.
      TreatMissingData: 'breaching',
    });
    expect(named(`${what}-failures`)).toMatchObject({
      MetricName: 'Errors',
      TreatMissingData: 'notBreaching',
    });
  });
});

describe('what is looked at', () => {
  const functions = of('AWS::Lambda::Function').map(({ FunctionName }) => String(FunctionName));
  const queues = of('AWS::SQS::Queue').map(({ QueueName }) => String(QueueName));
  const tables = of('AWS::DynamoDB::Table').map(({ TableName }) => String(TableName));
  const used = [...alarmMetrics, ...dashboardMetrics()];

  it('exists: functions, queues, tables', () => {
    const names = { FunctionName: functions, QueueName: queues, TableName: tables, ApiId: ['api'] };
    for (const { namespace, name, dimensions } of used) {
      if (namespace === metricNamespace) continue;
      for (const [dimension, value] of Object.entries(dimensions)) {
        expect(names[dimension as keyof typeof names], `${namespace} ${name}`).toContain(value);
      }
    }
  });

  it('exists: numbers the functions emit, each from the function that emits it', () => {
    const own = used.filter(({ namespace }) => namespace === metricNamespace);
    expect(own.length).toBeGreaterThan(8);
    for (const { name, dimensions } of own) {
      const metric = metricTable[name as keyof typeof metricTable];
      expect(metric, name).toBeDefined();
      expect(dimensions).toEqual({ cluster: 'test', service: metric.service });
    }
  });

  it('is every function, every queue and every dead-letter queue', () => {
    const shown = new Set(dashboardMetrics().flatMap(({ dimensions }) => Object.values(dimensions)));
    for (const name of [...functions, ...queues]) expect(shown).toContain(name);
  });

  it('fits a dashboard that costs nothing', () => {
    expect(dashboardMetrics().length).toBeLessThanOrEqual(50);
  });
});

describe('the numbers', () => {
  const sources = readdirSync('functions', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map(
      (name) => [functionOf(name.split('/')[0] ?? ''), readFileSync(`functions/${name}`, 'utf8')] as const,
    );

  /** Folders without a handler of their own hold the parts of the worker on jobs. */
  function functionOf(folder: string): string {
    return existsSync(`functions/${folder}/handler.ts`) ? folder : 'job-worker';
  }

  it.each(Object.entries(metricTable))('%s is emitted by its function', (name, { service }) => {
    const emitters = sources.filter(([, text]) => text.includes(`'${name}'`)).map(([folder]) => folder);
    expect(new Set(emitters)).toEqual(new Set([service]));
  });

  it.each(Object.entries(metricTable))('%s is explained in docs/operating.md', (name, { meaning }) => {
    expect(readFileSync('docs/operating.md', 'utf8')).toContain(`| \`${name}\` | `);
    expect(meaning).toMatch(/\.$/);
  });
});

describe('log groups', () => {
  it.each([
    [undefined, 30],
    ['7', 7],
  ])('keep lines as long as chosen (%s)', (given, days) => {
    const context = given === undefined ? {} : { 'borealis:logRetentionDays': given };
    const groups = of('AWS::Logs::LogGroup', synth(context));
    // And one for the accesses to the API.
    expect(groups.length).toBe(functions().length + 1);
    for (const group of groups) expect(group.RetentionInDays).toBe(days);
  });

  it('hold what the functions say, not what the platform says of each invocation', () => {
    for (const fn of functions()) {
      expect(fn.LoggingConfig).toMatchObject({ LogFormat: 'JSON', SystemLogLevel: 'WARN' });
    }
  });

  function functions(): Readonly<Record<string, unknown>>[] {
    return of('AWS::Lambda::Function');
  }
});

describe('restored tables', () => {
  const streamArn =
    'arn:aws:dynamodb:us-east-1:123456789012:table/borealis-test-state-r1/stream/2026-05-01T00:00:00.000';
  const found = synth({ 'borealis:restored': 'r1', 'borealis:restoredStream': streamArn });

  it('take the place of those of the stack, which lets go of them', () => {
    expect(of('AWS::DynamoDB::Table', found)).toEqual([]);
    const [outbox] = of('AWS::Lambda::EventSourceMapping', found).filter(
      ({ StartingPosition }) => StartingPosition,
    );
    expect(outbox?.EventSourceArn).toBe(streamArn);
    for (const { FunctionName, Environment } of of('AWS::Lambda::Function', found)) {
      const { Variables } = Environment as { Variables: Record<string, unknown> };
      if (Variables.STATE_TABLE === undefined) continue;
      expect([FunctionName, Variables.STATE_TABLE]).toEqual([FunctionName, 'borealis-test-state-r1']);
      expect(Variables.NOTES_TABLE).toBe('borealis-test-notes-r1');
    }
  });

  it('may be used by the functions with the same rights, indexes included', () => {
    const policies = JSON.stringify(of('AWS::IAM::Policy', found));
    expect(policies).toContain(':table/borealis-test-state-r1"');
    for (const { name } of stateTable.indexes)
      expect(policies).toContain(`:table/borealis-test-state-r1/index/${name}"`);
    expect(policies).toContain(streamArn);
  });
});

describe('a wrong setting', () => {
  it.each([
    [{ 'borealis:logRetentionDays': '8' }, 'borealis:logRetentionDays is "8"; it must be one of 1, 3, 5, 7'],
    [{ 'borealis:alarmTopic': 'on-call' }, 'borealis:alarmTopic is "on-call"; it must be the ARN'],
    [{ 'borealis:alarmEmail': 'ops' }, 'borealis:alarmEmail is "ops"; it must be a mail address'],
    [
      {
        'borealis:alarmEmail': 'ops@example.com',
        'borealis:alarmTopic': 'arn:aws:sns:eu-central-1:123456789012:on-call',
      },
      "goes with the installation's own topic only",
    ],
    [{ 'borealis:restored': 'r1' }, 'borealis:restoredStream is ""; it must be the ARN of their stream'],
    [{ 'borealis:restored': 'R 1' }, 'borealis:restored is "R 1"; it must be the suffix'],
  ])('%j fails the synth and says why', (context, message) => {
    expect(() => synth(context)).toThrow(message);
  });
});
