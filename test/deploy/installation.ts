// One installation of the CDK app in the emulator: bootstrap, deploy, what is there, destroy. All by the CDK command
// line, as a person would do it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { accountId, callService, emulatedEnvironment, region } from './emulated.ts';
import { runCommand } from './run-command.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cdk = fileURLToPath(new URL('../../node_modules/aws-cdk/bin/cdk', import.meta.url));
const commandWithinMs = 300_000;

export type Context = Readonly<Record<string, string>>;

export interface InstallationOptions {
  readonly endpoint: string;
  readonly cluster: string;
  /** Directory for the cloud assembly and the log of the command line. */
  readonly dir: string;
}

export class DeployedInstallation {
  readonly #options: InstallationOptions;

  constructor(options: InstallationOptions) {
    this.#options = options;
  }

  async bootstrap(): Promise<void> {
    await this.#cdk(['bootstrap', `aws://${accountId}/${region}`]);
  }

  /** Deploys all stacks; answers the base URL of the HTTP API. */
  async deploy(context: Context = {}): Promise<string> {
    const { cluster, dir, endpoint } = this.#options;
    const outputsFile = join(dir, 'outputs.json');
    const how = ['--all', '--require-approval', 'never', '--progress', 'events'];
    await this.#cdk(['deploy', ...how, '--outputs-file', outputsFile], context);
    const outputs = JSON.parse(readFileSync(outputsFile, 'utf8')) as Record<string, Record<string, string>>;
    const stack = outputs[`borealis-${cluster}-control-plane`] ?? {};
    const url = Object.entries(stack).find(([name]) => name.startsWith('HttpUrl'))?.[1];
    const apiId = /^https?:\/\/([^.]+)\./.exec(url ?? '')?.[1];
    if (apiId === undefined)
      throw new Error(`the stack has no URL of an API among ${JSON.stringify(outputs)}`);
    // Names below execute-api are not resolved everywhere; the path form reaches the same stage.
    return `${endpoint}/_aws/execute-api/${apiId}/$default`;
  }

  /** Deploys the stacks of another CDK app beside Borealis. */
  async deployApp(app: string): Promise<void> {
    const how = ['--all', '--require-approval', 'never', '--progress', 'events'];
    await this.#cdk(['deploy', '--app', `${process.execPath} ${app}`, ...how], {}, 'cdk.app.out');
  }

  async destroyApp(app: string): Promise<void> {
    await this.#cdk(
      ['destroy', '--app', `${process.execPath} ${app}`, '--all', '--force'],
      {},
      'cdk.app.out',
    );
  }

  async destroy(): Promise<void> {
    await this.#cdk(['destroy', '--all', '--force']);
  }

  /** Number of resources in the templates deployed last. */
  resourceCount(): number {
    const { cluster, dir } = this.#options;
    const counts = ['state', 'control-plane', 'observability'].map((stack) => {
      const file = join(dir, 'cdk.out', `borealis-${cluster}-${stack}.template.json`);
      const template = JSON.parse(readFileSync(file, 'utf8')) as { Resources: object };
      return Object.keys(template.Resources).length;
    });
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /**
   * Names of everything that carries the cluster's name, by kind of resource. `destroyedAt` (epoch ms): without log
   * groups made since. The emulator makes one again for a function that ran when its group was deleted; on AWS the
   * functions have no right to.
   */
  async inventory(
    destroyedAt = Number.POSITIVE_INFINITY,
  ): Promise<Readonly<Record<string, readonly string[]>>> {
    const { endpoint, cluster } = this.#options;
    const mine = new RegExp(`borealis-${cluster}(?![a-z0-9])[\\w.-]*`, 'g');
    const entries = await Promise.all(
      Object.entries(listings).map(async ([kind, { service, ...request }]) => {
        const answer = await callService(endpoint, service, request);
        const text = kind === 'log groups' ? olderLogGroups(answer, destroyedAt) : answer;
        return [kind, [...new Set(text.match(mine))].toSorted()] as const;
      }),
    );
    return Object.fromEntries(entries);
  }

  async #cdk(args: readonly string[], context: Context = {}, out = 'cdk.out'): Promise<void> {
    const { cluster, dir, endpoint } = this.#options;
    // Nothing signs requests yet, and a test's data is not worth keeping.
    const all = { cluster, auth: 'none', keepData: 'false', ...context };
    const contextArgs = Object.entries(all).flatMap(([name, value]) => ['-c', `borealis:${name}=${value}`]);
    const output = ['--output', join(dir, out), '--no-color', '--ci'];
    await runCommand(process.execPath, [cdk, ...args, ...output, ...contextArgs], {
      cwd: root,
      env: {
        ...emulatedEnvironment(process.env, endpoint),
        CDK_DEFAULT_ACCOUNT: accountId,
        CDK_DEFAULT_REGION: region,
      },
      logFile: join(dir, 'cdk.log'),
      timeoutMs: commandWithinMs,
    });
  }
}

interface LogGroup {
  readonly logGroupName: string;
  /** Epoch ms. */
  readonly creationTime: number;
}

function olderLogGroups(answer: string, than: number): string {
  const { logGroups } = JSON.parse(answer) as { readonly logGroups: readonly LogGroup[] };
  return JSON.stringify(logGroups.filter(({ creationTime }) => creationTime < than));
}

const dynamo = 'DynamoDB_20120810.';
/** One call for each kind of resource that a cluster is made of; the answers are searched for its name. */
const listings = {
  stacks: { service: 'cloudformation', form: 'Action=DescribeStacks&Version=2010-05-15' },
  tables: { service: 'dynamodb', target: `${dynamo}ListTables` },
  queues: { service: 'sqs', target: 'AmazonSQS.ListQueues' },
  functions: { service: 'lambda', path: '/2015-03-31/functions/' },
  'event source mappings': { service: 'lambda', path: '/2015-03-31/event-source-mappings/' },
  'log groups': { service: 'logs', target: 'Logs_20140328.DescribeLogGroups' },
  rules: { service: 'events', target: 'AWSEvents.ListRules', body: { EventBusName: 'borealis-local' } },
  buckets: { service: 's3' },
  'event buses': { service: 'events', target: 'AWSEvents.ListEventBuses' },
  schedules: { service: 'scheduler', path: '/schedules' },
  APIs: { service: 'apigateway', path: '/v2/apis' },
  topics: { service: 'sns', form: 'Action=ListTopics&Version=2010-03-31' },
  alarms: { service: 'monitoring', form: 'Action=DescribeAlarms&Version=2010-08-01' },
  dashboards: { service: 'monitoring', form: 'Action=ListDashboards&Version=2010-08-01' },
  roles: { service: 'iam', form: 'Action=ListRoles&Version=2010-05-08' },
} as const satisfies Readonly<Record<string, { service: string } & Parameters<typeof callService>[2]>>;
