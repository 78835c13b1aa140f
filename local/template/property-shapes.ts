// The properties of each resource type that the embedded stack runs. Strict on purpose: `unused` names the properties
// that cannot change what a developer sees locally; any other unknown one is refused.
import * as z from 'zod';

const unused = z.unknown().optional();
const whole = z.coerce.number().int();
const flag = z.union([z.boolean(), z.stringbool()]);

export const table = z.strictObject({
  TableName: unused,
  KeySchema: z.array(z.record(z.string(), z.unknown())),
  AttributeDefinitions: z.array(z.record(z.string(), z.unknown())),
  GlobalSecondaryIndexes: z.array(z.record(z.string(), z.unknown())).optional(),
  BillingMode: z.literal('PAY_PER_REQUEST'),
  StreamSpecification: z.strictObject({ StreamViewType: z.string(), ResourcePolicy: unused }).optional(),
  TimeToLiveSpecification: z.strictObject({ AttributeName: z.string(), Enabled: flag }).optional(),
  PointInTimeRecoverySpecification: unused,
  DeletionProtectionEnabled: unused,
  SSESpecification: unused,
  ContributorInsightsSpecification: unused,
  WarmThroughput: unused,
  Tags: unused,
});

/** Properties that are queue attributes of the same name. */
export const queueAttributes = [
  'VisibilityTimeout',
  'DelaySeconds',
  'MessageRetentionPeriod',
  'ReceiveMessageWaitTimeSeconds',
  'RedrivePolicy',
  'FifoQueue',
  'ContentBasedDeduplication',
  'DeduplicationScope',
  'FifoThroughputLimit',
] as const;

export const queue = z.strictObject({
  QueueName: unused,
  VisibilityTimeout: whole.optional(),
  DelaySeconds: whole.optional(),
  MessageRetentionPeriod: whole.optional(),
  ReceiveMessageWaitTimeSeconds: whole.optional(),
  RedrivePolicy: z.strictObject({ deadLetterTargetArn: z.string(), maxReceiveCount: whole }).optional(),
  FifoQueue: flag.optional(),
  ContentBasedDeduplication: flag.optional(),
  DeduplicationScope: z.string().optional(),
  FifoThroughputLimit: z.string().optional(),
  RedriveAllowPolicy: unused,
  SqsManagedSseEnabled: unused,
  Tags: unused,
});

export const lambda = z.strictObject({
  FunctionName: unused,
  Description: unused,
  Handler: z.string(),
  Runtime: unused,
  Architectures: unused,
  Code: unused,
  Role: unused,
  LoggingConfig: unused,
  TracingConfig: unused,
  RecursiveLoop: unused,
  ReservedConcurrentExecutions: unused,
  Tags: unused,
  Timeout: whole.default(3),
  MemorySize: whole.default(128),
  Environment: z.strictObject({ Variables: z.record(z.string(), z.string()) }).optional(),
});

export const integration = z.strictObject({
  ApiId: unused,
  IntegrationType: z.literal('AWS_PROXY'),
  IntegrationUri: z.string(),
  PayloadFormatVersion: z.literal('2.0'),
  IntegrationMethod: unused,
});

export const route = z.strictObject({
  ApiId: unused,
  RouteKey: z.string().regex(/^([A-Z]+ \/|\$default$)/),
  Target: z.string(),
  AuthorizationType: z.enum(['NONE', 'AWS_IAM']).default('NONE'),
  OperationName: unused,
});

const routeSettings = z.strictObject({
  ThrottlingRateLimit: z.coerce.number().positive(),
  ThrottlingBurstLimit: whole,
});

export const stage = z.strictObject({
  ApiId: unused,
  StageName: z.literal('$default'),
  AutoDeploy: flag,
  AccessLogSettings: unused,
  DefaultRouteSettings: routeSettings.optional(),
  RouteSettings: z.record(z.string(), routeSettings).optional(),
  Tags: unused,
});

export const eventSourceMapping = z.strictObject({
  EventSourceArn: z.string(),
  FunctionName: z.string(),
  Enabled: flag.default(true),
  BatchSize: whole.optional(),
  MaximumBatchingWindowInSeconds: whole.default(0),
  FunctionResponseTypes: z.array(z.string()).default([]),
  ScalingConfig: z.strictObject({ MaximumConcurrency: whole }).optional(),
  StartingPosition: z.enum(['TRIM_HORIZON', 'LATEST']).optional(),
  BisectBatchOnFunctionError: flag.default(false),
  MaximumRetryAttempts: whole.default(-1),
  MaximumRecordAgeInSeconds: whole.default(-1),
  ParallelizationFactor: whole.default(1),
  DestinationConfig: z.strictObject({ OnFailure: z.strictObject({ Destination: z.string() }) }).optional(),
  Tags: unused,
});

export const schedule = z.strictObject({
  Name: unused,
  Description: unused,
  GroupName: unused,
  ScheduleExpression: z.string(),
  ScheduleExpressionTimezone: z.enum(['UTC', 'Etc/UTC']).optional(),
  FlexibleTimeWindow: z.strictObject({ Mode: z.literal('OFF') }),
  State: z.enum(['ENABLED', 'DISABLED']).default('ENABLED'),
  Target: z.strictObject({
    Arn: z.string(),
    RoleArn: unused,
    RetryPolicy: unused,
    DeadLetterConfig: unused,
    Input: z.string().optional(),
  }),
});

export const rule = z.strictObject({
  Name: unused,
  Description: unused,
  EventBusName: z.string().default('default'),
  EventPattern: z.record(z.string(), z.unknown()),
  State: z.enum(['ENABLED', 'DISABLED']).default('ENABLED'),
  Targets: z
    .array(
      z.strictObject({
        Id: z.string(),
        Arn: z.string(),
        RoleArn: unused,
        RetryPolicy: unused,
        Input: z.string().optional(),
        InputPath: z.string().optional(),
        InputTransformer: z
          .strictObject({
            InputPathsMap: z.record(z.string(), z.string()).optional(),
            InputTemplate: z.string(),
          })
          .optional(),
        SqsParameters: z.strictObject({ MessageGroupId: z.string() }).optional(),
        DeadLetterConfig: z.strictObject({ Arn: z.string() }).optional(),
      }),
    )
    .default([]),
  Tags: unused,
});

export const stateMachine = z.strictObject({
  StateMachineName: unused,
  DefinitionString: z.string(),
  StateMachineType: z.enum(['STANDARD', 'EXPRESS']).default('STANDARD'),
  RoleArn: unused,
  LoggingConfiguration: unused,
  TracingConfiguration: unused,
  Tags: unused,
});
