// Faults put into the product on purpose, one at a time: a condition dropped, a step skipped, an order swapped. The
// simulator must catch each; one it lets pass would be a property nobody checks. What heals by design within a minute
// (a lost wake-up, a lost kill) is caught by the scenarios in which nothing goes wrong and everything must be prompt.

export interface Mutation {
  readonly name: string;
  readonly file: string;
  /** Must occur exactly once in the file. */
  readonly find: string;
  readonly replace: string;
}

const tx = 'shared/store/tx';

export const mutations: readonly Mutation[] = [
  {
    name: 'a transition does not look at what happened since it was read',
    file: `${tx}/transition-task.ts`,
    find: '[stillInState(task.taskId, task.state), historyUnchanged(task)]',
    replace: "[{ text: 'attribute_exists(#x)', names: { '#x': 'x' }, values: {} }]",
  },
  {
    name: 'a replacement does not look at what happened since it was read',
    file: `${tx}/replace-task.ts`,
    find: '[\n    stillInState(task.taskId, task.state),\n    historyUnchanged(task),\n  ]',
    replace: "[{ text: 'attribute_exists(#x)', names: { '#x': 'x' }, values: {} }]",
  },
  {
    name: 'an assignment does not look at the version of the ledger',
    file: `${tx}/assign-tasks.ts`,
    find: "'#v = :version'",
    replace: "'attribute_exists(#v)'",
  },
  {
    name: 'a release gives back what was given back before',
    file: `${tx}/release-resources.ts`,
    find: "[...isLive, ...hasCards].join(' AND ')",
    replace: "'attribute_exists(#l)'",
  },
  {
    name: 'a rewritten ledger gives back what was given back before',
    file: `${tx}/release-resources.ts`,
    find: 'releases.filter(({ taskId }) => held.has(liveId(taskId)))',
    replace: 'releases.filter(() => held.size >= 0)',
  },
  {
    name: 'a task ends without its successor',
    file: 'shared/store/dynamo-store.ts',
    find: 'next !== undefined && successor !== undefined',
    replace: 'next !== undefined && successor === null',
  },
  {
    name: 'a job is replaced whatever its version',
    file: `${tx}/update-job.ts`,
    find: "'#v = :v AND #rv = :rv'",
    replace: "'attribute_exists(#v) AND attribute_exists(#rv)'",
  },
  {
    name: 'the ledger does not follow a changed capacity',
    file: `${tx}/register-agent.ts`,
    find: 'canonicalJson(offer.capacity) === canonicalJson(agent.capacity)',
    replace: 'canonicalJson(offer.agentId) === canonicalJson(agent.agentId)',
  },
  {
    name: 'no resources are released',
    file: 'shared/domain/task/transitions.ts',
    find: "return isOnAgent(from) && (to === 'DELETED' || isTerminal(to));",
    replace: "return isOnAgent(from) && to === 'DELETED';",
  },
  {
    name: 'tasks killed while being killed are not released',
    file: 'functions/fanout/derive.ts',
    find: 'if (releasesResources(before.state, after.state)) effects.push',
    replace: "if (before.state !== 'KILLING' && releasesResources(before.state, after.state)) effects.push",
  },
  {
    name: 'a new task wakes nobody',
    file: 'functions/fanout/derive.ts',
    find: "if (after.state === 'PENDING') effects.push({ kind: 'wake', pool });",
    replace: '',
  },
  {
    name: 'room that becomes free wakes nobody',
    file: 'functions/fanout/carry-out.ts',
    find: 'groupOf(releases, effect.agentId).add(record, effect.release);\n        pools.add(record, effect.pool);',
    replace: 'groupOf(releases, effect.agentId).add(record, effect.release);',
  },
  {
    name: 'the pool is woken before its room is free',
    file: 'functions/fanout/carry-out.ts',
    find: ').then(() =>\n      guard',
    replace: ') && Promise.resolve().then(() =>\n      guard',
  },
  {
    name: 'effects that failed are not tried again',
    file: 'functions/fanout/process-batch.ts',
    find: 'if (failed.size === 0) return',
    replace: 'if (failed.size < 1_000) return',
  },
  {
    name: 'of several failed records the last is taken as the point to go on from',
    file: 'functions/fanout/process-batch.ts',
    find: 'Math.min(...failed)',
    replace: 'Math.max(...failed)',
  },
  {
    name: 'an assigned task is not launched',
    file: 'functions/fanout/derive.ts',
    find: "effects.push({ kind: 'launch', agentId, task: after });",
    replace: '',
  },
  {
    name: 'no kill is sent',
    file: 'functions/fanout/derive.ts',
    find: 'statesBetween(before, after).some(([from, to]) => killNeeded(from, to))',
    replace: 'statesBetween(before, after).length > 1_000',
  },
  {
    name: 'the penalty of a throttled task has no timer',
    file: 'functions/fanout/derive.ts',
    find: "effects.push({ kind: 'unthrottle', taskId, dueAt: after.deadlineAt ?? now });",
    replace: '',
  },
  {
    name: 'wake-ups count as answered before they were sent',
    file: 'functions/matcher/wake-filter.ts',
    find: 'const marginMs = 1_500;',
    replace: 'const marginMs = -60_000;',
  },
  {
    name: 'a report that lost a race is forgotten',
    file: 'functions/agent-events/apply-statuses.ts',
    find: "if (outcome.kind === 'committed' || taskId === undefined) return [];",
    replace: "if (outcome.kind !== 'nothing' || taskId === undefined) return [];",
  },
  {
    name: 'an agent may report on the tasks of others',
    file: 'functions/agent-events/apply-statuses.ts',
    find: 'if (current?.agentId !== reported.agentId) {',
    replace: 'if (current?.agentId === undefined) {',
  },
  {
    name: 'nothing ever times out',
    file: 'shared/domain/task/timeouts.ts',
    find: 'return at + timeoutMs +',
    replace: 'return at + 100 * timeoutMs +',
  },
  {
    name: 'deadlines hold although reports are held up',
    file: 'shared/domain/agent/evidence.ts',
    find: 'if (roster === undefined) return false;',
    replace: 'if (roster !== null) return true;',
  },
  {
    name: 'silence always counts',
    file: 'shared/domain/agent/roll-call.ts',
    find: "if (now - trustedSince < settings.lostAfterMs) return hold('LATE');",
    replace: '',
  },
  {
    name: 'reconciled although older tasks still end',
    file: 'functions/reconciler/reconcile-job.ts',
    find: "outcomes.includes('waiting') ? 'waiting' : 'done'",
    replace: "outcomes.includes('waiting') ? 'done' : 'done'",
  },
  {
    name: 'what is not wanted any more goes on',
    file: 'shared/domain/job/reconcile.ts',
    find: 'if (isUnwanted(job, task)) {',
    replace: 'if (isUnwanted(job, task) && task.instance % 3 !== 1) {',
  },
  {
    name: 'an instance is made again for the same request',
    file: 'shared/domain/job/reconcile.ts',
    find: 'if (tasks.some(({ spec }) => spec >= range.since)) continue;',
    replace: 'if (tasks.some(({ spec, state }) => spec >= range.since && isActive(state))) continue;',
  },
  {
    name: 'a lost task is not replaced',
    file: 'shared/domain/task/transitions.ts',
    find: '    // The launch may still reach the agent, hence the kill.\n    LOST: saveRescheduleKill,',
    replace: '    LOST: saveAndKill,',
  },
  {
    name: 'a successor shares the generation of its predecessor',
    file: 'shared/domain/task/successor.ts',
    find: 'const generation = ended.generation + 1;',
    replace: 'const generation = ended.generation + (ended.generation > 1 ? 0 : 1);',
  },
  {
    name: 'an agent is told to end tasks that start',
    file: 'functions/api/agents.ts',
    find: "['ASSIGNED', 'STARTING', 'RUNNING', 'PARTITIONED']",
    replace: "['ASSIGNED', 'RUNNING', 'PARTITIONED']",
  },
  {
    name: 'the agent kills what one answer does not name',
    file: 'agent/loop/reconcile.ts',
    find: 'const absencesToKill = 2;',
    replace: 'const absencesToKill = 1;',
  },
  {
    name: 'the processor of a task costs nothing',
    file: 'shared/domain/placement/ledger.ts',
    find: 'freeCpuMilli -= resources.cpuMilli;',
    replace: '',
  },
  {
    name: 'a transition throws the events before it away',
    file: 'shared/store/task-update.ts',
    find: 'return after.events.slice(kept).map(encodeEvent);',
    replace: 'return after.events.slice(kept).slice(0, 0).map(encodeEvent);',
  },
];
