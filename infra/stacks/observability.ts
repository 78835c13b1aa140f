// What lets people see how an installation does: one dashboard in the words of design.md section 6, and the alarms on
// what nobody may miss. Apart from the other stacks, so that it can be left out or changed without touching them.
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { operatingAlarms } from '../constructs/operating-alarms.ts';
import { operatingDashboard } from '../constructs/operating-dashboard.ts';
import { QueueWithDlq } from '../constructs/queue-with-dlq.ts';
import { RunbookAlarm } from '../constructs/runbook-alarm.ts';
import { ServiceFunction } from '../constructs/service-function.ts';
import type { Settings } from '../settings.ts';

export interface ObservabilityStackProps extends StackProps {
  readonly settings: Settings;
  /** The stacks looked at: whatever functions and queues they hold is on the dashboard. */
  readonly state: Stack;
  readonly controlPlane: Stack & { readonly apiId: string };
}

/** Physical names of what is looked at. */
export interface Watched {
  readonly cluster: string;
  readonly apiId: string;
  /** Functions by their folder, such as `matcher`. */
  readonly functions: ReadonlyMap<string, string>;
  readonly queues: readonly { readonly queue: string; readonly deadLetters: string }[];
  readonly tables: readonly string[];
}

/** Dashboard and alarms. */
export class ObservabilityStack extends Stack {
  constructor(scope: Construct, id: string, props: ObservabilityStackProps) {
    super(scope, id, props);
    const { settings, state, controlPlane } = props;
    const { cluster } = settings;
    this.addStackDependency(state);
    const watched: Watched = {
      cluster,
      apiId: controlPlane.apiId,
      functions: functionsIn(cluster, [state, controlPlane]),
      queues: [state, controlPlane]
        .flatMap((stack) => stack.node.findAll())
        .flatMap((construct) => (construct instanceof QueueWithDlq ? [construct.names] : [])),
      tables: ['state', 'notes'].map((part) =>
        [`borealis-${cluster}-${part}`, ...(settings.restored ? [settings.restored.suffix] : [])].join('-'),
      ),
    };
    const topic = this.alarmTopic(settings);
    for (const alarm of operatingAlarms(watched)) {
      new RunbookAlarm(this, alarm.entry, { ...alarm, topic });
    }
    const dashboard = operatingDashboard(this, watched);
    new CfnOutput(this, 'Dashboard', { value: dashboard.dashboardName, description: 'In CloudWatch.' });
  }

  /** By its name, as everything else of the other stacks. */
  private alarmTopic({ alarms, cluster }: Settings): ITopic {
    const ownTopic = this.formatArn({ service: 'sns', resource: `borealis-${cluster}-alarms` });
    return Topic.fromTopicArn(this, 'Topic', alarms.topicArn ?? ownTopic);
  }
}

function functionsIn(cluster: string, stacks: readonly Stack[]): ReadonlyMap<string, string> {
  const names = stacks
    .flatMap((stack) => stack.node.findAll())
    .flatMap((construct) => (construct instanceof ServiceFunction ? [construct.functionName] : []));
  return new Map(names.map((name) => [name.replace(`borealis-${cluster}-`, ''), name]));
}
