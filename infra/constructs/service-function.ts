// One Lambda function of the control plane. Its environment is typed by the same schema its handler checks at run time,
// and its metadata says which source file it runs, so the embedded stack can run that file without a bundle.
import { fileURLToPath } from 'node:url';
import { type Duration, RemovalPolicy } from 'aws-cdk-lib';
import { type IGrantable, type IPrincipal, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  type CfnFunction,
  LoggingFormat,
  RecursiveLoop,
  Runtime,
  SystemLogLevel,
} from 'aws-cdk-lib/aws-lambda';
import { type BundlingOptions, NodejsFunction, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { readSettings } from '../settings.ts';

/** Key in the function's template metadata: path of its handler from the top of the repository. */
const entryMetadata = 'borealis:entry';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** How a handler becomes one file; the test of the bundles builds with the same. */
export const bundling = {
  format: OutputFormat.ESM,
  target: 'node24',
  minify: true,
  sourceMap: true,
  // The SDK goes into the bundle: the version tested is the version that runs.
  externalModules: [],
  mainFields: ['module', 'main'],
  // Packages in CommonJS call require, which an ES module lacks. A long name, for minified code takes the short ones.
  banner:
    "import{createRequire as borealisCreateRequire}from'node:module';const require=borealisCreateRequire(import.meta.url);",
} satisfies BundlingOptions;

export interface ServiceFunctionProps<Env extends object> {
  /** Folder under functions/. */
  readonly name: string;
  readonly cluster: string;
  readonly description: string;
  readonly timeout: Duration;
  /** @default 512 */
  readonly memoryMb?: number;
  /** Typed by the schema in shared/api/env.ts. */
  readonly environment: Env;
  /**
   * It sends messages to the queue that feeds it. Lambda takes more than 16 such rounds for a runaway loop and would
   * move the message to the dead-letter queue; say so only where each round ends or waits. @default false
   */
  readonly continuesItself?: boolean;
}

/** functions/NAME/handler.ts as an arm64 Lambda function with a log group and a role of its own. */
export class ServiceFunction<Env extends object = object> extends Construct implements IGrantable {
  readonly function: NodejsFunction;
  readonly grantPrincipal: IPrincipal;
  /** Physical name. */
  readonly functionName: string;

  constructor(scope: Construct, id: string, props: ServiceFunctionProps<Env>) {
    super(scope, id);
    this.functionName = `borealis-${props.cluster}-${props.name}`;
    const logGroup = new LogGroup(this, 'Logs', {
      retention: readSettings(this.node).logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    // Instead of the managed policy, which may write to every log group of the account.
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    logGroup.grantWrite(role);
    const entry = `functions/${props.name}/handler.ts`;
    this.function = new NodejsFunction(this, 'Function', {
      functionName: this.functionName,
      description: props.description,
      entry: `${root}${entry}`,
      projectRoot: root,
      depsLockFilePath: `${root}package-lock.json`,
      handler: 'handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: props.memoryMb ?? 512,
      timeout: props.timeout,
      ...(props.continuesItself === true ? { recursiveLoop: RecursiveLoop.ALLOW } : {}),
      environment: Object.fromEntries(
        Object.entries({ ...props.environment, NODE_OPTIONS: '--enable-source-maps' }).map(
          ([name, value]) => [name, String(value)],
        ),
      ),
      loggingFormat: LoggingFormat.JSON,
      // The platform's own lines (start, report) would outweigh ours, and what they say is in the metrics.
      systemLogLevelV2: SystemLogLevel.WARN,
      logGroup,
      role,
      bundling,
    });
    this.grantPrincipal = role;
    (this.function.node.defaultChild as CfnFunction).addMetadata(entryMetadata, entry);
  }
}
