// A job for every object put into a bucket.

import { RemovalPolicy } from 'aws-cdk-lib';
import { BlockPublicAccess, Bucket, BucketEncryption, type CfnBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { JobOnEvent, type JobOnEventProps } from './job-on-event.ts';

export interface JobOnObjectProps extends Omit<JobOnEventProps, 'eventBus' | 'eventPattern' | 'values'> {
  readonly bucketName: string;
  /** Only objects whose key starts with this. @default all */
  readonly prefix?: string;
}

/** The job knows the object as {{bucket}} and {{key}}. */
export class JobOnObject extends Construct {
  constructor(scope: Construct, id: string, props: JobOnObjectProps) {
    super(scope, id);
    const { bucketName, prefix, ...rest } = props;
    const bucket = new Bucket(this, 'Bucket', {
      bucketName,
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    // `eventBridgeEnabled` would do the same by a function of its own that the template does not need.
    (bucket.node.defaultChild as CfnBucket).notificationConfiguration = {
      eventBridgeConfiguration: { eventBridgeEnabled: true },
    };
    new JobOnEvent(this, 'Jobs', {
      ...rest,
      eventPattern: {
        source: ['aws.s3'],
        detailType: ['Object Created'],
        detail: {
          bucket: { name: [bucketName] },
          ...(prefix !== undefined && { object: { key: [{ prefix }] } }),
        },
      },
      values: { bucket: '$.detail.bucket.name', key: '$.detail.object.key' },
    });
  }
}
