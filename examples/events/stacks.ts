// The examples as one stack beside an installation of Borealis. `app.ts` deploys it; `npm start -- --stacks
// examples/events/stacks.ts` runs it on the embedded stack.
import { type App, Aws, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { DefinitionBody, JsonPath, StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { Borealis } from './borealis.ts';
import { JobOnEvent } from './job-on-event.ts';
import { JobOnObject } from './job-on-object.ts';
import { JobRunner } from './job-runner.ts';
import { TroubleQueue } from './trouble-queue.ts';

const jobs = { role: 'demo', environment: 'devel' };
const resources = { cpu: 0.1, ram: '32MiB', disk: '16MiB' };

/** A job of one process that runs once. */
function command(name: string, cmdline: string) {
  return { task: { resources, processes: [{ name, cmdline, minDurationSecs: 1 }] } };
}

class ExamplesStack extends Stack {
  constructor(scope: Construct, id: string, props: StackProps & { readonly cluster: string }) {
    super(scope, id, props);
    const { cluster } = props;
    const borealis = new Borealis(this, 'Borealis', cluster);

    new TroubleQueue(this, 'Trouble', { borealis, queueName: `borealis-${cluster}-trouble` });

    new JobOnEvent(this, 'Orders', {
      ...jobs,
      borealis,
      eventPattern: { source: ['shop'], detailType: ['Order Placed'] },
      name: 'order',
      job: command('pack', 'echo packing order {{order}}'),
      values: { order: '$.detail.order' },
    });

    new JobOnObject(this, 'Uploads', {
      ...jobs,
      borealis,
      bucketName: `borealis-${cluster}-uploads-${Aws.ACCOUNT_ID}`,
      prefix: 'in/',
      name: 'import',
      job: command('import', 'echo importing s3://{{bucket}}/{{key}}'),
    });

    const runner = new JobRunner(this, 'Runner', { ...jobs, borealis });
    const report = runner.step('Report', {
      name: 'report',
      job: command('count', JsonPath.format('exit {}', JsonPath.stringAt('$.exitCode'))),
      timeout: Duration.hours(1),
    });
    new StateMachine(this, 'Nightly', {
      stateMachineName: `borealis-${cluster}-nightly`,
      definitionBody: DefinitionBody.fromChainable(report),
    });
  }
}

/** Adds the examples for the installation that the context names. */
export function addStacks(app: App, props: StackProps = {}): void {
  const given: unknown = app.node.tryGetContext('borealis:cluster');
  const cluster = typeof given === 'string' ? given : 'borealis';
  new ExamplesStack(app, `borealis-${cluster}-examples`, {
    ...props,
    cluster,
    analyticsReporting: false,
    description: 'Examples of using Borealis by events.',
  });
}
