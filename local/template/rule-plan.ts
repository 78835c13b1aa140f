// A rule of an event bus as plain data for the host, checked here so that a pattern or a target nobody can carry out
// stops the start.
import { compilePattern } from '../events/pattern.ts';
import { compileInput, type TargetInput } from '../events/target-input.ts';
import type { QueuePlan } from './plan.ts';
import * as shape from './property-shapes.ts';
import { readProperties, refusal } from './read-properties.ts';
import type { LocatedResource } from './world.ts';

/** What a target of a rule is. */
type TargetKind =
  | { readonly kind: 'function'; readonly functionArn: string }
  | { readonly kind: 'queue'; readonly queue: QueuePlan; readonly groupId?: string }
  | { readonly kind: 'stateMachine'; readonly stateMachineArn: string }
  | { readonly kind: 'bus'; readonly bus: string };

export type RuleTargetPlan = TargetKind & {
  readonly input: TargetInput;
  /** Gets what the target does not take. */
  readonly deadLetters?: QueuePlan;
};

export interface RulePlan {
  readonly name: string;
  readonly bus: string;
  readonly pattern: Readonly<Record<string, unknown>>;
  readonly targets: readonly RuleTargetPlan[];
}

/** None for a rule that is switched off. */
export function rulePlan(resource: LocatedResource, queues: readonly QueuePlan[]): RulePlan[] {
  const rule = readProperties(resource, shape.rule);
  if (rule.State === 'DISABLED') return [];
  compilePattern(rule.EventPattern);
  const targets = rule.Targets.map((target): RuleTargetPlan => {
    const { Arn, Input, InputPath, InputTransformer, SqsParameters, DeadLetterConfig } = target;
    const input = { Input, InputPath, InputTransformer };
    compileInput(input);
    return {
      ...targetKind(resource, Arn, queues, SqsParameters?.MessageGroupId),
      input,
      ...(DeadLetterConfig && { deadLetters: queueOf(resource, DeadLetterConfig.Arn, queues) }),
    };
  });
  const name = resource.ref().split('|').at(-1) ?? '';
  return [{ name, bus: busName(rule.EventBusName), pattern: rule.EventPattern, targets }];
}

function targetKind(
  resource: LocatedResource,
  arn: string,
  queues: readonly QueuePlan[],
  groupId: string | undefined,
): TargetKind {
  switch (arn.split(':')[2] ?? '') {
    case 'lambda':
      return { kind: 'function', functionArn: arn };
    case 'sqs':
      return {
        kind: 'queue',
        queue: queueOf(resource, arn, queues),
        ...(groupId !== undefined && { groupId }),
      };
    case 'states':
      return { kind: 'stateMachine', stateMachineArn: arn };
    case 'events':
      return { kind: 'bus', bus: busName(arn) };
    default:
      throw refusal(resource, `the target ${arn} is no function, queue, state machine or event bus`);
  }
}

function queueOf(resource: LocatedResource, arn: string, queues: readonly QueuePlan[]): QueuePlan {
  const queue = queues.find((candidate) => candidate.arn === arn);
  if (queue) return queue;
  throw refusal(resource, `${arn} is not a queue of the app`);
}

/** A bus may be named by its name or by its ARN. */
export function busName(nameOrArn: string): string {
  return nameOrArn.split('/').at(-1) ?? nameOrArn;
}
