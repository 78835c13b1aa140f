// A function of the examples: examples/events/functions/NAME.ts, bundled like those of Borealis. The metadata lets the
// embedded stack run the source file.
import { fileURLToPath } from 'node:url';
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Architecture, type CfnFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { NodejsFunction } from 'aws-cdk-lib/aws-lambda-nodejs';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { bundling } from '../../infra/constructs/service-function.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export class ExampleFunction extends NodejsFunction {
  constructor(scope: Construct, id: string, name: string) {
    const entry = `examples/events/functions/${name}.ts`;
    super(scope, id, {
      entry: `${root}${entry}`,
      projectRoot: root,
      depsLockFilePath: `${root}package-lock.json`,
      handler: 'handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      timeout: Duration.seconds(30),
      // One of its own goes with the stack; the one Lambda makes by itself would stay for ever.
      logGroup: new LogGroup(scope, `${id}Logs`, {
        retention: RetentionDays.ONE_MONTH,
        removalPolicy: RemovalPolicy.DESTROY,
      }),
      bundling,
    });
    (this.node.defaultChild as CfnFunction).addMetadata('borealis:entry', entry);
  }
}
