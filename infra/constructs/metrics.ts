// Metrics as CloudWatch knows them, by physical names: the stack that looks at the others imports nothing from them, so
// it never stands in the way of a change to them.
import { Duration } from 'aws-cdk-lib';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { type MetricName, metricNamespace, metricTable } from '../../shared/model/metrics.ts';

const period = Duration.minutes(1);

/** A number the functions emit (shared/model/metrics.ts). */
export function ownMetric(
  cluster: string,
  metricName: MetricName,
  statistic: string,
  label?: string,
): Metric {
  const { service } = metricTable[metricName];
  return new Metric({
    namespace: metricNamespace,
    metricName,
    statistic,
    period,
    dimensionsMap: { cluster, service },
    ...(label !== undefined && { label }),
  });
}

type AwsMetricName =
  | { readonly of: 'function'; readonly metricName: 'Errors' | 'Throttles' | 'IteratorAge' | 'Invocations' }
  | {
      readonly of: 'queue';
      readonly metricName: 'ApproximateNumberOfMessagesVisible' | 'ApproximateAgeOfOldestMessage';
    }
  | { readonly of: 'api'; readonly metricName: 'Latency' | '5xx' | '4xx' | 'Count' }
  | { readonly of: 'table'; readonly metricName: 'WriteThrottleEvents' | 'ReadThrottleEvents' };

const kinds = {
  function: { namespace: 'AWS/Lambda', dimension: 'FunctionName' },
  queue: { namespace: 'AWS/SQS', dimension: 'QueueName' },
  api: { namespace: 'AWS/ApiGateway', dimension: 'ApiId' },
  table: { namespace: 'AWS/DynamoDB', dimension: 'TableName' },
} as const;

/** A number AWS keeps of a resource, without a charge. */
export function awsMetric(
  { of, metricName }: AwsMetricName,
  name: string,
  statistic: string,
  label?: string,
): Metric {
  const { namespace, dimension } = kinds[of];
  return new Metric({
    namespace,
    metricName,
    statistic,
    period,
    dimensionsMap: { [dimension]: name },
    ...(label !== undefined && { label }),
  });
}
