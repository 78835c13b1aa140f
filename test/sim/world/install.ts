// To be imported before anything else: what is loaded afterwards lives in simulated time, and its clients and its log
// end in the simulator.
import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics } from '@aws-lambda-powertools/metrics';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SQSClient } from '@aws-sdk/client-sqs';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { type Host, installHermetic, presentHost } from './hermetic.ts';

installHermetic();

function answer(client: { readonly prototype: object }, service: Parameters<Host['send']>[0]): void {
  Object.assign(client.prototype, { send: (command: object) => presentHost().send(service, command) });
}
answer(DynamoDBDocumentClient, 'store');
answer(SQSClient, 'queue');
answer(EventBridgeClient, 'bus');
answer(SFNClient, 'workflows');
answer(LambdaClient, 'functions');

for (const level of ['info', 'warn', 'error'] as const) {
  Object.assign(Logger.prototype, {
    [level]: (message: string, fields: Readonly<Record<string, unknown>> = {}) =>
      presentHost().log(level, message, fields),
  });
}
Object.assign(Metrics.prototype, { addMetric: () => {} });
