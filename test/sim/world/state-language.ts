// The part of the Amazon States Language that the update workflow uses, read strictly: what is not known here is an
// error when the definition is loaded, not a step that silently does something else.
import { App, Duration, Stack } from 'aws-cdk-lib';
import { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import * as z from 'zod';
import type { ServiceFunction } from '../../../infra/constructs/service-function.ts';
import { UpdateWorkflow } from '../../../infra/workflows/update-workflow.ts';

const next = z.string();
const comment = z.string().optional();
const path = z.string().regex(/^\$(\.\w+)*$/);

const retrySchema = z.strictObject({
  ErrorEquals: z.array(z.string()).min(1),
  IntervalSeconds: z.number(),
  MaxAttempts: z.number(),
  BackoffRate: z.number(),
  MaxDelaySeconds: z.number(),
});
const taskSchema = z.strictObject({
  Type: z.literal('Task'),
  Comment: comment,
  Next: next,
  Resource: z.string().regex(/:::lambda:invoke(\.waitForTaskToken)?$/),
  Parameters: z.strictObject({ FunctionName: z.string(), Payload: z.record(z.string(), z.unknown()) }),
  TimeoutSeconds: z.number().optional(),
  TimeoutSecondsPath: path.optional(),
  OutputPath: path.optional(),
  ResultPath: path.optional(),
  Retry: z.array(retrySchema).default([]),
  Catch: z
    .array(z.strictObject({ ErrorEquals: z.array(z.string()).min(1), ResultPath: path, Next: next }))
    .default([]),
});
const choiceSchema = z.strictObject({
  Type: z.literal('Choice'),
  Comment: comment,
  Choices: z.array(z.strictObject({ Variable: path, StringEquals: z.string(), Next: next })),
  Default: next,
});
const waitSchema = z.strictObject({
  Type: z.literal('Wait'),
  Comment: comment,
  TimestampPath: path,
  Next: next,
});
const succeedSchema = z.strictObject({ Type: z.literal('Succeed'), Comment: comment });
const failSchema = z.strictObject({
  Type: z.literal('Fail'),
  Comment: comment,
  Error: z.string(),
  Cause: z.string(),
});
const machineSchema = z.strictObject({
  StartAt: z.string(),
  Comment: comment,
  States: z.record(
    z.string(),
    z.discriminatedUnion('Type', [taskSchema, choiceSchema, waitSchema, succeedSchema, failSchema]),
  ),
});
export type Machine = z.infer<typeof machineSchema>;
export type TaskStep = z.infer<typeof taskSchema>;
type Retrier = z.infer<typeof retrySchema>;

/** The update workflow as the CDK app defines it. */
export function loadUpdateWorkflow(): Machine {
  const stack = new Stack(new App({ analyticsReporting: false }), 'Simulated');
  const arn = 'arn:aws:lambda:eu-central-1:123456789012:function:updater';
  const updater = { function: LambdaFunction.fromFunctionArn(stack, 'Updater', arn) };
  new UpdateWorkflow(stack, 'Workflow', {
    name: 'updates',
    worker: updater as unknown as ServiceFunction,
    timeout: Duration.seconds(120),
  });
  const resource = stack.node.findAll().find((construct) => construct instanceof CfnStateMachine);
  const text = textOf(stack.resolve(resource?.definitionString));
  return machineSchema.parse(JSON.parse(text));
}

/** A text that CloudFormation would put together; what it would fill in does not matter here. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const [, parts] = (value as { readonly 'Fn::Join': readonly [string, readonly unknown[]] })['Fn::Join'];
  return parts.map((part) => (typeof part === 'string' ? part : 'aws')).join('');
}

/** What a path names; throws if there is nothing, as Step Functions does. */
export function valueAt(data: unknown, at: string): unknown {
  let value = data;
  for (const name of at.split('.').slice(1)) {
    value = (value as Record<string, unknown> | undefined)?.[name];
    if (value === undefined) throw new Error(`${at} is not in ${JSON.stringify(data)}`);
  }
  return value;
}

/** A copy of `data` with the result where the path says; absent = the result alone. */
export function withResult(data: unknown, at: string | undefined, result: unknown): unknown {
  if (at === undefined || at === '$') return result;
  const names = at.split('.').slice(1);
  if (names.length !== 1) throw new Error(`a result at ${at} is not modelled`);
  return { ...(data as object), [names[0] as string]: result };
}

/** A payload template with the values its paths name. */
export function fillIn(template: unknown, data: unknown, taskToken: string): unknown {
  if (Array.isArray(template)) return template.map((item) => fillIn(item, data, taskToken));
  if (typeof template !== 'object' || template === null) return template;
  return Object.fromEntries(
    Object.entries(template).map(([name, value]) => {
      if (!name.endsWith('.$')) return [name, fillIn(value, data, taskToken)];
      const filled = value === '$$.Task.Token' ? taskToken : valueAt(data, value as string);
      return [name.slice(0, -2), filled];
    }),
  );
}

/** Does a list of error names mean this error? States.TaskFailed is every error but the end of time. */
export function covers(names: readonly string[], error: string): boolean {
  return (
    names.includes(error) ||
    names.includes('States.ALL') ||
    (names.includes('States.TaskFailed') && error !== 'States.Timeout')
  );
}

/** The pause before the next try, after so many retries of this retrier, ms. */
export function retryDelayMs(
  { IntervalSeconds, BackoffRate, MaxDelaySeconds }: Retrier,
  tried: number,
): number {
  return Math.min(MaxDelaySeconds, IntervalSeconds * BackoffRate ** tried) * 1000;
}
