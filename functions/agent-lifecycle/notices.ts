// What EventBridge says about machines that will go, and the message this function sends to itself while it waits for
// one of them to be empty. Everything arrives on one queue.
import * as z from 'zod';

const terminateEventSchema = z.object({
  'detail-type': z.literal('EC2 Instance-terminate Lifecycle Action'),
  time: z.iso.datetime(),
  detail: z.object({
    EC2InstanceId: z.string(),
    AutoScalingGroupName: z.string(),
    LifecycleHookName: z.string(),
    LifecycleActionToken: z.string(),
  }),
});

const interruptionEventSchema = z.object({
  'detail-type': z.literal('EC2 Spot Instance Interruption Warning'),
  time: z.iso.datetime(),
  detail: z.object({ 'instance-id': z.string() }),
});

const rebalanceEventSchema = z.object({
  'detail-type': z.literal('EC2 Instance Rebalance Recommendation'),
  time: z.iso.datetime(),
  detail: z.object({ 'instance-id': z.string() }),
});

/** A termination that waits for its machine to be empty, at most until `until` (epoch ms). */
const terminationSchema = z.object({
  v: z.literal(1),
  kind: z.literal('termination'),
  instanceId: z.string(),
  group: z.string(),
  hook: z.string(),
  token: z.string(),
  until: z.number().int(),
});
export type Termination = z.infer<typeof terminationSchema>;

/** One message of the queue. */
export const noticeSchema = z.union([
  terminateEventSchema,
  interruptionEventSchema,
  rebalanceEventSchema,
  terminationSchema,
]);
export type Notice = z.infer<typeof noticeSchema>;

/** From a spot interruption warning to the end of the instance, as AWS promises it. */
const interruptionMs = 120_000;

export type Meaning =
  | { readonly kind: 'termination'; readonly termination: Termination }
  | {
      readonly kind: 'leaving';
      readonly instanceId: string;
      readonly reason: string;
      readonly terminatesAt?: number;
    };

/** `maxDrainMs`: how long a termination may be held up. */
export function meaningOf(notice: Notice, maxDrainMs: number): Meaning {
  if (!('detail-type' in notice)) return { kind: 'termination', termination: notice };
  const at = Date.parse(notice.time);
  switch (notice['detail-type']) {
    case 'EC2 Instance-terminate Lifecycle Action': {
      const { EC2InstanceId, AutoScalingGroupName, LifecycleHookName, LifecycleActionToken } = notice.detail;
      const termination: Termination = {
        v: 1,
        kind: 'termination',
        instanceId: EC2InstanceId,
        group: AutoScalingGroupName,
        hook: LifecycleHookName,
        token: LifecycleActionToken,
        until: at + maxDrainMs,
      };
      return { kind: 'termination', termination };
    }
    case 'EC2 Spot Instance Interruption Warning': {
      const instanceId = notice.detail['instance-id'];
      return { kind: 'leaving', instanceId, reason: 'spot interruption', terminatesAt: at + interruptionMs };
    }
    case 'EC2 Instance Rebalance Recommendation':
      return { kind: 'leaving', instanceId: notice.detail['instance-id'], reason: 'rebalance recommended' };
  }
}
