// From templates to what the host has to do: which tables and queues to make, which functions to run, and what calls
// them. Pure. Properties are read strictly: one that would change behaviour and is not understood stops the start.
import * as shape from './property-shapes.ts';
import { readProperties as read, refusal } from './read-properties.ts';
import type { Surroundings } from './resource-types.ts';
import { type RulePlan, rulePlan } from './rule-plan.ts';
import type { Templates } from './template.ts';
import { type LocatedResource, openWorld } from './world.ts';

export interface TablePlan {
  readonly name: string;
  readonly arn: string;
  /** Body of the CreateTable call. */
  readonly create: Readonly<Record<string, unknown>>;
  readonly ttlAttribute?: string;
}

export interface QueuePlan {
  readonly name: string;
  readonly url: string;
  readonly arn: string;
  readonly fifo: boolean;
  readonly visibilityTimeoutMs: number;
  /** Attributes of the CreateQueue call. */
  readonly attributes: Readonly<Record<string, string>>;
}

export interface FunctionPlan {
  readonly name: string;
  readonly arn: string;
  /** Source file, from the top of the repository. */
  readonly entry: string;
  /** Name of the export that is the handler. */
  readonly handler: string;
  readonly timeoutMs: number;
  readonly memoryMb: number;
  readonly environment: Readonly<Record<string, string>>;
}

export interface RoutePlan {
  /** `GET /jobs/{role}` */
  readonly routeKey: string;
  readonly method: string;
  readonly path: string;
  readonly functionArn: string;
  readonly authorization: string;
  /** Requests a second, and at once; absent = as many as come. */
  readonly throttle?: { readonly rate: number; readonly burst: number };
}

export interface QueueMappingPlan {
  readonly queue: QueuePlan;
  readonly functionArn: string;
  readonly batchSize: number;
  readonly windowMs: number;
  readonly partialFailures: boolean;
  readonly maxConcurrency?: number;
}

export interface StreamMappingPlan {
  readonly tableName: string;
  readonly streamArn: string;
  readonly functionArn: string;
  readonly batchSize: number;
  readonly bisect: boolean;
  readonly partialFailures: boolean;
  readonly fromStart: boolean;
  /** -1 = for ever. */
  readonly maxRetries: number;
  /** -1 = for ever. */
  readonly maxRecordAgeMs: number;
  readonly parallelization: number;
  /** Where notes of given-up records go. */
  readonly deadLetters?: QueuePlan;
}

export interface SchedulePlan {
  readonly name: string;
  readonly expression: string;
  readonly functionArn: string;
  /** JSON text the function gets. */
  readonly input?: string;
}

export interface StateMachinePlan {
  readonly name: string;
  readonly arn: string;
  readonly definition: Readonly<Record<string, unknown>>;
}

export interface LocalPlan {
  readonly tables: readonly TablePlan[];
  readonly queues: readonly QueuePlan[];
  readonly functions: readonly FunctionPlan[];
  readonly routes: readonly RoutePlan[];
  readonly queueMappings: readonly QueueMappingPlan[];
  readonly streamMappings: readonly StreamMappingPlan[];
  readonly schedules: readonly SchedulePlan[];
  readonly buses: readonly string[];
  readonly rules: readonly RulePlan[];
  readonly stateMachines: readonly StateMachinePlan[];
  /** Resources in all templates, also those without meaning here. */
  readonly resourceCount: number;
}

/** Reads the templates. INVALID_CONFIG, naming the place, for whatever the embedded stack cannot do faithfully. */
export function planFrom(templates: Templates, around: Surroundings): LocalPlan {
  const world = openWorld(templates, around);
  const all = (type: string): readonly LocatedResource[] =>
    world.filter((resource) => resource.type === type);
  // Dead-letter queues first: a redrive policy names a queue that exists.
  const queues = all('AWS::SQS::Queue')
    .map(queuePlan)
    .toSorted((a, b) => Number('RedrivePolicy' in a.attributes) - Number('RedrivePolicy' in b.attributes));
  const mappings = all('AWS::Lambda::EventSourceMapping').map((resource) => mappingPlan(resource, queues));
  const enabled = mappings.filter((mapping) => mapping !== undefined);
  return {
    tables: all('AWS::DynamoDB::Table').map(tablePlan),
    queues,
    functions: all('AWS::Lambda::Function').map(functionPlan),
    routes: routePlans(
      all('AWS::ApiGatewayV2::Route'),
      all('AWS::ApiGatewayV2::Integration'),
      all('AWS::ApiGatewayV2::Stage'),
    ),
    queueMappings: enabled.filter((mapping) => 'queue' in mapping),
    streamMappings: enabled.filter((mapping) => 'streamArn' in mapping),
    schedules: all('AWS::Scheduler::Schedule').flatMap(schedulePlan),
    buses: all('AWS::Events::EventBus').map((resource) => resource.attribute('Name')),
    rules: all('AWS::Events::Rule').flatMap((resource) => rulePlan(resource, queues)),
    stateMachines: all('AWS::StepFunctions::StateMachine').map(stateMachinePlan),
    resourceCount: world.length,
  };
}

function tablePlan(resource: LocatedResource): TablePlan {
  const table = read(resource, shape.table);
  const name = resource.ref();
  const { StreamSpecification: stream, TimeToLiveSpecification: ttl } = table;
  return {
    name,
    arn: resource.attribute('Arn'),
    create: {
      TableName: name,
      KeySchema: table.KeySchema,
      AttributeDefinitions: table.AttributeDefinitions,
      BillingMode: 'PAY_PER_REQUEST',
      ...(table.GlobalSecondaryIndexes && { GlobalSecondaryIndexes: table.GlobalSecondaryIndexes }),
      ...(stream && {
        StreamSpecification: { StreamEnabled: true, StreamViewType: stream.StreamViewType },
      }),
    },
    ...(ttl?.Enabled === true && { ttlAttribute: ttl.AttributeName }),
  };
}

function queuePlan(resource: LocatedResource): QueuePlan {
  const queue = read(resource, shape.queue);
  const attributes: Record<string, string> = {};
  for (const name of shape.queueAttributes) {
    const value = queue[name];
    if (value !== undefined)
      attributes[name] = typeof value === 'object' ? JSON.stringify(value) : String(value);
  }
  return {
    name: resource.attribute('QueueName'),
    url: resource.ref(),
    arn: resource.attribute('Arn'),
    fifo: queue.FifoQueue === true,
    visibilityTimeoutMs: (queue.VisibilityTimeout ?? 30) * 1000,
    attributes,
  };
}

function functionPlan(resource: LocatedResource): FunctionPlan {
  const fn = read(resource, shape.lambda);
  const entry = resource.metadata['borealis:entry'];
  if (typeof entry !== 'string')
    throw refusal(resource, 'metadata borealis:entry does not say which file it runs');
  return {
    name: resource.ref(),
    arn: resource.attribute('Arn'),
    entry,
    handler: fn.Handler.split('.').at(-1) ?? 'handler',
    timeoutMs: fn.Timeout * 1000,
    memoryMb: fn.MemorySize,
    environment: fn.Environment?.Variables ?? {},
  };
}

function routePlans(
  routes: readonly LocatedResource[],
  integrations: readonly LocatedResource[],
  stages: readonly LocatedResource[],
): RoutePlan[] {
  const throttleOf = throttles(stages);
  const functionOf = new Map(
    integrations.map((resource) => [resource.ref(), read(resource, shape.integration).IntegrationUri]),
  );
  return routes.map((resource) => {
    const route = read(resource, shape.route);
    const functionArn = functionOf.get(route.Target.replace(/^integrations\//, ''));
    if (functionArn === undefined)
      throw refusal(resource, `${route.Target} is not an integration of the app`);
    const [method = '', path = ''] =
      route.RouteKey === '$default' ? ['ANY', '$default'] : route.RouteKey.split(' ');
    const throttle = throttleOf(route.RouteKey);
    return {
      routeKey: route.RouteKey,
      method,
      path,
      functionArn,
      authorization: route.AuthorizationType,
      ...(throttle && { throttle }),
    };
  });
}

/** The rates of the one stage, by route key; a route without its own has the stage's. */
function throttles(stages: readonly LocatedResource[]): (routeKey: string) => RoutePlan['throttle'] {
  const [stage] = stages.map((resource) => read(resource, shape.stage));
  return (routeKey) => {
    const limits = stage?.RouteSettings?.[routeKey] ?? stage?.DefaultRouteSettings;
    return limits && { rate: limits.ThrottlingRateLimit, burst: limits.ThrottlingBurstLimit };
  };
}

function mappingPlan(
  resource: LocatedResource,
  queues: readonly QueuePlan[],
): QueueMappingPlan | StreamMappingPlan | undefined {
  const mapping = read(resource, shape.eventSourceMapping);
  if (!mapping.Enabled) return undefined;
  const functionArn = functionArnOf(resource, mapping.FunctionName);
  const partialFailures = mapping.FunctionResponseTypes.includes('ReportBatchItemFailures');
  const table = /^arn:[^:]*:dynamodb:[^:]*:[^:]*:table\/([^/]+)\/stream\//.exec(mapping.EventSourceArn)?.[1];
  if (table === undefined) {
    const queue = queueByArn(resource, queues, mapping.EventSourceArn);
    return {
      queue,
      functionArn,
      batchSize: mapping.BatchSize ?? 10,
      windowMs: mapping.MaximumBatchingWindowInSeconds * 1000,
      partialFailures,
      ...(mapping.ScalingConfig && { maxConcurrency: mapping.ScalingConfig.MaximumConcurrency }),
    };
  }
  const failure = mapping.DestinationConfig?.OnFailure.Destination;
  return {
    tableName: table,
    streamArn: mapping.EventSourceArn,
    functionArn,
    batchSize: mapping.BatchSize ?? 100,
    bisect: mapping.BisectBatchOnFunctionError,
    partialFailures,
    fromStart: mapping.StartingPosition !== 'LATEST',
    maxRetries: mapping.MaximumRetryAttempts,
    maxRecordAgeMs: mapping.MaximumRecordAgeInSeconds < 0 ? -1 : mapping.MaximumRecordAgeInSeconds * 1000,
    parallelization: mapping.ParallelizationFactor,
    ...(failure !== undefined && { deadLetters: queueByArn(resource, queues, failure) }),
  };
}

/** An event source mapping may name its function by name or by ARN; here both lead to the ARN. */
function functionArnOf(resource: LocatedResource, nameOrArn: string): string {
  if (nameOrArn.startsWith('arn:')) return nameOrArn;
  const [, , , region, account] = read(resource, shape.eventSourceMapping).EventSourceArn.split(':');
  return `arn:aws:lambda:${region}:${account}:function:${nameOrArn}`;
}

function queueByArn(resource: LocatedResource, queues: readonly QueuePlan[], arn: string): QueuePlan {
  const queue = queues.find((candidate) => candidate.arn === arn);
  if (queue) return queue;
  throw refusal(resource, `${arn} is neither a table's stream nor a queue of the app`);
}

function schedulePlan(resource: LocatedResource): SchedulePlan[] {
  const schedule = read(resource, shape.schedule);
  if (schedule.State === 'DISABLED') return [];
  return [
    {
      name: resource.ref(),
      expression: schedule.ScheduleExpression,
      functionArn: schedule.Target.Arn,
      ...(schedule.Target.Input !== undefined && { input: schedule.Target.Input }),
    },
  ];
}

function stateMachinePlan(resource: LocatedResource): StateMachinePlan {
  const machine = read(resource, shape.stateMachine);
  const definition: unknown = JSON.parse(machine.DefinitionString);
  return {
    name: resource.attribute('Name'),
    arn: resource.attribute('Arn'),
    definition: definition as Readonly<Record<string, unknown>>,
  };
}
