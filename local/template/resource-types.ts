// Every resource type the embedded stack knows: what Ref and Fn::GetAtt of it mean here, and whether it does anything
// here at all. A type that is not in this table stops the start, so a new resource is never silently missing locally.
import type { Json } from './intrinsics.ts';

/** Values that stand for the account and for the engines. */
export interface Surroundings {
  readonly region: string;
  readonly accountId: string;
  /** `http://127.0.0.1:PORT` of the SQS engine; queue URLs start with it. */
  readonly sqsEndpoint: string;
  /** Base URL of the HTTP API. */
  readonly apiUrl: string;
}

export interface PhysicalContext {
  readonly logicalId: string;
  /** A property of the resource, resolved; undefined if absent. */
  property(name: string): Json | undefined;
  readonly around: Surroundings;
}

type Value = (context: PhysicalContext) => string;

export interface ResourceType {
  /** Why it does nothing here; absent for the types the host runs. */
  readonly inert?: string;
  readonly ref: Value;
  readonly attributes: Readonly<Record<string, Value>>;
}

/** The given physical name, else one made from the logical id, as CloudFormation does. */
function named(property: string): Value {
  return (context) => {
    const name = context.property(property);
    return typeof name === 'string' ? name : context.logicalId;
  };
}

function arn(service: string, resource: (name: string) => string, nameProperty: string): Value {
  const name = named(nameProperty);
  return (context) => {
    const { region, accountId } = context.around;
    const global = service === 'iam' ? '' : region;
    return `arn:aws:${service}:${global}:${accountId}:${resource(name(context))}`;
  };
}

const id: Value = ({ logicalId }) => logicalId;
const tableArn = arn('dynamodb', (name) => `table/${name}`, 'TableName');
const topicArn = arn('sns', (name) => name, 'TopicName');
const stateMachineArn = arn('states', (name) => `stateMachine:${name}`, 'StateMachineName');

function inert(why: string, ref: Value = id, attributes: ResourceType['attributes'] = {}): ResourceType {
  return { inert: why, ref, attributes };
}

export const resourceTypes: Readonly<Record<string, ResourceType>> = {
  'AWS::DynamoDB::Table': {
    ref: named('TableName'),
    // The engine makes its own stream ARN; the host finds the table in this one.
    attributes: { Arn: tableArn, StreamArn: (context) => `${tableArn(context)}/stream/local` },
  },
  'AWS::SQS::Queue': {
    ref: (context) =>
      `${context.around.sqsEndpoint}/${context.around.accountId}/${named('QueueName')(context)}`,
    attributes: { Arn: arn('sqs', (name) => name, 'QueueName'), QueueName: named('QueueName') },
  },
  'AWS::Lambda::Function': {
    ref: named('FunctionName'),
    attributes: { Arn: arn('lambda', (name) => `function:${name}`, 'FunctionName') },
  },
  'AWS::Lambda::EventSourceMapping': { ref: id, attributes: {} },
  'AWS::ApiGatewayV2::Api': {
    ref: id,
    attributes: { ApiId: id, ApiEndpoint: ({ around }) => around.apiUrl },
  },
  'AWS::ApiGatewayV2::Route': { ref: id, attributes: {} },
  'AWS::ApiGatewayV2::Integration': { ref: id, attributes: {} },
  'AWS::ApiGatewayV2::Stage': { ref: id, attributes: {} },
  'AWS::Scheduler::Schedule': {
    ref: named('Name'),
    attributes: { Arn: arn('scheduler', (name) => `schedule/default/${name}`, 'Name') },
  },
  'AWS::Events::EventBus': {
    ref: named('Name'),
    attributes: { Name: named('Name'), Arn: arn('events', (name) => `event-bus/${name}`, 'Name') },
  },
  'AWS::Events::Rule': {
    ref: (context) => {
      const bus = context.property('EventBusName');
      return `${typeof bus === 'string' ? `${bus}|` : ''}${named('Name')(context)}`;
    },
    attributes: { Arn: arn('events', (name) => `rule/${name}`, 'Name') },
  },
  'AWS::StepFunctions::StateMachine': {
    ref: stateMachineArn,
    attributes: { Arn: stateMachineArn, Name: named('StateMachineName') },
  },
  'AWS::CDK::Metadata': inert('for AWS only'),
  'AWS::CloudWatch::Alarm': inert('nobody is on call for a laptop', named('AlarmName'), {
    Arn: arn('cloudwatch', (name) => `alarm:${name}`, 'AlarmName'),
  }),
  'AWS::CloudWatch::Dashboard': inert('`/_local/stats` says what happens here', named('DashboardName')),
  'AWS::Events::EventBusPolicy': inert('the embedded engines check no rights'),
  'AWS::IAM::Policy': inert('the embedded engines check no rights'),
  'AWS::IAM::ManagedPolicy': inert('the embedded engines check no rights'),
  'AWS::IAM::Role': inert('the embedded engines check no rights', named('RoleName'), {
    Arn: arn('iam', (name) => `role/${name}`, 'RoleName'),
  }),
  'AWS::Lambda::EventInvokeConfig': inert('the host repeats no call of a schedule'),
  'AWS::Lambda::Permission': inert('the embedded engines check no rights'),
  'AWS::Logs::LogGroup': inert('functions log to the terminal', named('LogGroupName'), {
    Arn: arn('logs', (name) => `log-group:${name}:*`, 'LogGroupName'),
  }),
  'AWS::S3::Bucket': inert(
    'no object is stored here; put its events on the default bus',
    named('BucketName'),
    {
      Arn: (context) => `arn:aws:s3:::${named('BucketName')(context)}`,
    },
  ),
  'AWS::S3::BucketPolicy': inert('no object is stored here'),
  'AWS::SNS::Subscription': inert('alarms are not raised here'),
  'AWS::SNS::Topic': inert('alarms are not raised here', topicArn, {
    TopicArn: topicArn,
    TopicName: named('TopicName'),
  }),
  'AWS::SNS::TopicPolicy': inert('the embedded engines check no rights'),
  'AWS::SQS::QueuePolicy': inert('the embedded engines check no rights'),
  'Custom::AgentQueues': inert('they go with the engine'),
};
