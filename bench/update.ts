// What an update costs and how long it takes: a job of many instances on simulated agents, whose new version is good. On
// the embedded stack with everything real but the processes.
//
//   node bench/update.ts [instances] [batch size] [agents]      1000 50 20 unless given
import { startLocalStack } from '../local/stack.ts';
import { updateWorkflowName } from '../shared/model/names.ts';
import { startServiceFleet, updateJob } from './updated-job.ts';
import type { Reading } from './usage-counter.ts';

const [instances = 1000, groupSize = 50, agents = 20] = process.argv.slice(2).map(Number);
const historyEvents: Readonly<Record<string, number>> = {
  // Entered, scheduled, started, (submitted,) succeeded, exited; entered, exited.
  Verdict: 5,
  'Which way?': 2,
  'Forward batch': 6,
  'Roll back batch': 6,
  Watch: 2,
};

const stack = await startLocalStack({ port: 0 });

function unitsBetween(before: Reading, after: Reading): Map<string, number> {
  const units = new Map<string, number>();
  for (const [name, count] of after.details) {
    const more = count - (before.details.get(name) ?? 0);
    if (more > 0) units.set(name, more);
  }
  return units;
}

try {
  const fleet = await startServiceFleet(stack, { agents, instances });
  const { status, seconds, before, after } = await updateJob(fleet, { name: 'update', instances, groupSize });
  await fleet.stop();
  const machine = (await stack.stats()).stateMachines[updateWorkflowName(stack.cluster)];
  if (!machine) throw new Error('the workflow has not run');
  const batches = Math.ceil(instances / groupSize);
  const transitions = Object.values(machine.transitions).reduce((sum, count) => sum + count, 0);
  const history = Object.entries(machine.transitions).reduce(
    (sum, [state, count]) => sum + count * (historyEvents[state] ?? 2),
    2 * machine.executions,
  );
  const units = [...unitsBetween(before, after)].filter(([name]) => name.endsWith(': write units'));
  const written = units.reduce((sum, [, count]) => sum + count, 0);
  const own = units.find(([name]) => name.startsWith('writeUpdate'))?.[1] ?? 0;
  const notes = units
    .filter(([name]) => /^(put|drop)Callback/.test(name))
    .reduce((sum, [, count]) => sum + count, 0);
  const said = (value: number, digits = 1): string => value.toFixed(digits);
  console.log(
    `${status}: ${instances} instances in batches of ${groupSize}, watch 0, ${agents} simulated agents`,
  );
  console.log(`wall time            ${said(seconds)} s, ${said((seconds * 1000) / batches, 0)} ms a batch`);
  console.log(`transitions          ${transitions}, ${said(transitions / batches, 2)} a batch`);
  console.log(
    `executions           ${machine.executions}, at most ${machine.mostTransitions} transitions each`,
  );
  console.log(
    `history events       ${history} in all, ${said(history / machine.executions, 0)} an execution (counted from the states)`,
  );
  console.log(
    `write units, all     ${said(written, 0)}, ${said(written / instances, 2)} an instance (two task lives' worth: one ends, one begins)`,
  );
  console.log(
    `write units, update  ${said(own + notes, 0)}, ${said((own + notes) / batches, 2)} a batch, ${said((own + notes) / instances, 2)} an instance`,
  );
  for (const [name, count] of units) console.log(`  ${name.padEnd(36)} ${said(count, 0)}`);
} finally {
  await stack.stop();
}
