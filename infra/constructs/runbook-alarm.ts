// An alarm that says what is wrong and links to its entry in docs/runbook.md. The entry is looked up at synth time, so
// there is no alarm without one; test/infra/observability.test.ts sees to it that there is no entry without an alarm.
import { readFileSync } from 'node:fs';
import {
  Alarm,
  type AlarmProps,
  ComparisonOperator,
  type IMetric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { BorealisError } from '../../shared/lib/errors.ts';
import { readSettings } from '../settings.ts';

export interface RunbookAlarmProps {
  /** Heading in the runbook, such as `pending-age`; the alarm is named `borealis-CLUSTER-ENTRY`. */
  readonly entry: string;
  /** One sentence: what it means for the cluster. */
  readonly meaning: string;
  readonly metric: IMetric;
  /** Alarms at this value or above (or below, with `below`). */
  readonly threshold: number;
  /** Alarms below the threshold instead. @default false */
  readonly below?: boolean;
  /** So many periods in a row. @default 1 */
  readonly periods?: number;
  /** No data is as bad as bad data. @default false */
  readonly needsData?: boolean;
  /** Who is told. */
  readonly topic: ITopic;
}

/** An alarm with its entry in the runbook; tells the topic when it is raised and when it is over. */
export class RunbookAlarm extends Construct {
  readonly alarm: Alarm;

  constructor(scope: Construct, id: string, props: RunbookAlarmProps) {
    super(scope, id);
    const { cluster, alarms } = readSettings(this.node);
    if (!runbookEntries().includes(props.entry)) {
      throw new BorealisError(
        'INVALID_CONFIG',
        `the alarm ${props.entry} has no entry in docs/runbook.md. Nothing was synthesised; add "## ${props.entry}" there: what is wrong, how to look, how to fix.`,
      );
    }
    const alarmProps: AlarmProps = {
      alarmName: `borealis-${cluster}-${props.entry}`,
      alarmDescription: `${props.meaning} What to do: ${alarms.runbook}#${props.entry}`,
      metric: props.metric,
      threshold: props.threshold,
      evaluationPeriods: props.periods ?? 1,
      comparisonOperator: props.below
        ? ComparisonOperator.LESS_THAN_THRESHOLD
        : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: props.needsData ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    };
    this.alarm = new Alarm(this, 'Alarm', alarmProps);
    this.alarm.addAlarmAction(new SnsAction(props.topic));
    this.alarm.addOkAction(new SnsAction(props.topic));
  }
}

let entries: readonly string[] | undefined;

/** The entries of the runbook, in order: its second-level headings made of one word. */
export function runbookEntries(): readonly string[] {
  const file = new URL('../../docs/runbook.md', import.meta.url);
  entries ??= [...readFileSync(file, 'utf8').matchAll(/^## ([a-z][a-z0-9-]*)$/gm)].map(
    ([, name = '']) => name,
  );
  return entries;
}
