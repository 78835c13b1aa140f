import { describe, expect, it } from 'vitest';
import { planFrom } from '../../../local/template/plan.ts';
import type { Surroundings } from '../../../local/template/resource-types.ts';
import type { Template } from '../../../local/template/template.ts';
import { lambda, queue, tableWithStream } from '../../fixtures/local/templates.ts';

const around: Surroundings = {
  region: 'us-east-1',
  accountId: '000000000000',
  sqsEndpoint: 'http://127.0.0.1:1',
  apiUrl: 'http://127.0.0.1:2',
};
const plan = (...templates: Template[]) =>
  planFrom(Object.fromEntries(templates.map((template, index) => [`stack${index}`, template])), around);

describe('the plan of a template', () => {
  it('follows references from one stack to another', () => {
    const state: Template = {
      Resources: { Queue: queue({ QueueName: 'work' }) },
      Outputs: {
        Arn: { Value: { 'Fn::GetAtt': ['Queue', 'Arn'] }, Export: { Name: 'state:Arn' } },
        Url: { Value: { Ref: 'Queue' }, Export: { Name: 'state:Url' } },
      },
    };
    const control: Template = {
      Resources: {
        Worker: lambda('worker.ts', { QUEUE_URL: { 'Fn::ImportValue': 'state:Url' } }),
        Source: {
          Type: 'AWS::Lambda::EventSourceMapping',
          Properties: {
            EventSourceArn: { 'Fn::ImportValue': 'state:Arn' },
            FunctionName: { Ref: 'Worker' },
            BatchSize: 5,
          },
        },
      },
    };
    const { functions, queueMappings } = plan(state, control);
    expect(functions[0]?.environment).toEqual({ QUEUE_URL: 'http://127.0.0.1:1/000000000000/work' });
    expect(queueMappings).toMatchObject([
      { queue: { name: 'work' }, functionArn: functions[0]?.arn, batchSize: 5, partialFailures: false },
    ]);
  });

  it('makes dead-letter queues before the queues that name them', () => {
    const { queues } = plan({
      Resources: {
        Main: queue({
          QueueName: 'main',
          RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': ['Dead', 'Arn'] }, maxReceiveCount: 3 },
        }),
        Dead: queue({ QueueName: 'dead' }),
      },
    });
    expect(queues.map(({ name }) => name)).toEqual(['dead', 'main']);
    expect(JSON.parse(queues[1]?.attributes.RedrivePolicy ?? '')).toEqual({
      deadLetterTargetArn: queues[0]?.arn,
      maxReceiveCount: 3,
    });
  });

  it('reads a stream mapping with its dead-letter queue', () => {
    const { streamMappings, tables } = plan({
      Resources: {
        Table: tableWithStream('things'),
        Dead: queue({ QueueName: 'dead' }),
        Consumer: lambda('consumer.ts'),
        Source: {
          Type: 'AWS::Lambda::EventSourceMapping',
          Properties: {
            EventSourceArn: { 'Fn::GetAtt': ['Table', 'StreamArn'] },
            FunctionName: { 'Fn::GetAtt': ['Consumer', 'Arn'] },
            StartingPosition: 'TRIM_HORIZON',
            BisectBatchOnFunctionError: true,
            MaximumRetryAttempts: 2,
            MaximumRecordAgeInSeconds: 60,
            FunctionResponseTypes: ['ReportBatchItemFailures'],
            DestinationConfig: { OnFailure: { Destination: { 'Fn::GetAtt': ['Dead', 'Arn'] } } },
          },
        },
      },
    });
    expect(tables).toMatchObject([
      { name: 'things', create: { StreamSpecification: { StreamEnabled: true } } },
    ]);
    expect(streamMappings).toMatchObject([
      {
        tableName: 'things',
        batchSize: 100,
        bisect: true,
        fromStart: true,
        maxRetries: 2,
        maxRecordAgeMs: 60_000,
        partialFailures: true,
        deadLetters: { name: 'dead' },
      },
    ]);
  });

  it('leaves out what is switched off', () => {
    const { queueMappings } = plan({
      Resources: {
        Queue: queue({ QueueName: 'work' }),
        Worker: lambda('worker.ts'),
        Off: {
          Type: 'AWS::Lambda::EventSourceMapping',
          Properties: {
            EventSourceArn: { 'Fn::GetAtt': ['Queue', 'Arn'] },
            FunctionName: { Ref: 'Worker' },
            Enabled: false,
          },
        },
      },
    });
    expect(queueMappings).toEqual([]);
  });

  it.each<[string, Template, string]>([
    [
      'a resource type nobody taught it',
      { Resources: { Topic: { Type: 'AWS::Kinesis::Stream' } } },
      'stack0/Topic: the embedded stack does not know resources of type AWS::Kinesis::Stream',
    ],
    [
      'a property that would change behaviour',
      { Resources: { Queue: queue({ QueueName: 'q', KmsMasterKeyId: 'k' }) } },
      'stack0/Queue (AWS::SQS::Queue)',
    ],
    [
      'a function that does not say what it runs',
      { Resources: { F: { Type: 'AWS::Lambda::Function', Properties: { Handler: 'index.handler' } } } },
      'metadata borealis:entry',
    ],
    [
      'an import nobody exports',
      { Resources: { F: lambda('f.ts', { X: { 'Fn::ImportValue': 'nowhere' } }) } },
      'no stack exports nowhere',
    ],
    [
      'an attribute nobody taught it',
      {
        Resources: {
          Q: queue({ QueueName: 'q' }),
          F: lambda('f.ts', { X: { 'Fn::GetAtt': ['Q', 'Colour'] } }),
        },
      },
      'attribute Colour of Q is not known',
    ],
    [
      'a mapping of something that is neither stream nor queue',
      {
        Resources: {
          F: lambda('f.ts'),
          M: {
            Type: 'AWS::Lambda::EventSourceMapping',
            Properties: { EventSourceArn: 'arn:aws:kafka:us-east-1:1:cluster/x', FunctionName: { Ref: 'F' } },
          },
        },
      },
      "neither a table's stream nor a queue",
    ],
  ])('%s stops the start', (_, template, message) => {
    expect(() => plan(template)).toThrow(message);
  });
});
