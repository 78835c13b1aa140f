// A function of the examples: examples/events/functions/NAME.ts, bundled like those of Borealis. The metadata lets the
// embedded stack run the source file.
import { fileURLToPath } from 'node:url';
import { Duration } from 'aws-cdk-lib';
import { Architecture, type CfnFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { NodejsFunction } from 'aws-cdk-lib/aws-lambda-nodejs';
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
      bundling,
    });
    (this.node.defaultChild as CfnFunction).addMetadata('borealis:entry', entry);
  }
}
