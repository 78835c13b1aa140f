// A whole update in simulated time, of a size that nobody waits for: the real updater and engine on the real store, whose
// requests go to a model of DynamoDB in this process; agents are delays. What it costs, how many executions it takes and
// how long the longest history gets; wall time is that of the model and the updater's own computing.
//
//   node bench/update-simulated.ts [instances] [batch size] [watch, seconds] [batch | queue]      10000 1 0 batch
import { runUpdate } from '../test/functions/support/update-run.ts';

const [, , instances = '10000', groupSize = '1', watchSecs = '0', kind = 'batch'] = process.argv;
if (kind !== 'batch' && kind !== 'queue') throw new Error(`${kind} is neither batch nor queue`);
const size = { groupSize: Number(groupSize) };
const strategy = kind === 'queue' ? { kind: 'queue' as const, ...size } : { kind: 'batch' as const, ...size };
const startedAt = performance.now();
const report = await runUpdate({
  instances: Number(instances),
  settings: { strategy, minWaitInInstanceRunningMs: Number(watchSecs) * 1000 },
  startMs: (instance) => 1000 + ((instance * 7919) % 4000),
});
const wallSecs = (performance.now() - startedAt) / 1000;
const { update, transitions, executions, mostHistoryEvents, requests, taskRowsRead, wakes, looks } = report;
const batches = Math.ceil(Number(instances) / size.groupSize);
const per = (value: number, count: number): string => (value / count).toFixed(2);
const right = report.configs.filter((configId) => configId === report.after).length;
console.log(
  `${update.status}: ${instances} instances by ${kind} of ${groupSize}, watch ${watchSecs} s; ${right} run the new config, at most ${report.mostDown} down at once`,
);
console.log(
  `wall time            ${wallSecs.toFixed(1)} s, ${per(wallSecs * 1000, batches)} ms a batch; simulated ${(report.simulatedMs / 3_600_000).toFixed(2)} h`,
);
console.log(`transitions          ${transitions}, ${per(transitions, batches)} a batch`);
console.log(`executions           ${executions}, at most ${mostHistoryEvents} history events each`);
console.log(`looks at the update  ${wakes} by messages, ${looks} of them by alarms`);
console.log(
  `store requests       ${requests}, ${per(requests, Number(instances))} an instance, agents included`,
);
console.log(`task rows read       ${taskRowsRead}, ${per(taskRowsRead, Number(instances))} an instance`);
