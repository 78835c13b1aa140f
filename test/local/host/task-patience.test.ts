// How long a state waits for an answer from outside, and what its token is worth afterwards.
import { describe, expect, it } from 'vitest';
import { loadStateMachines } from '../../../local/host/state-machines.ts';
import type { FunctionPlan, StateMachinePlan } from '../../../local/template/plan.ts';

const functionArn = 'arn:aws:lambda:us-east-1:000000000000:function:f';
const arn = 'arn:aws:states:us-east-1:000000000000:stateMachine:m';

function waiting(more: object = {}): StateMachinePlan {
  const States = {
    Ask: {
      Type: 'Task',
      Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken',
      Parameters: {
        FunctionName: functionArn,
        Payload: { 'token.$': '$$.Task.Token', 'patience.$': '$.patience' },
      },
      TimeoutSecondsPath: '$.patience',
      ResultPath: '$.answer',
      Catch: [{ ErrorEquals: ['States.Timeout'], ResultPath: '$.late', Next: 'Done' }],
      Next: 'Done',
      ...more,
    },
    Done: { Type: 'Succeed' },
  };
  return { name: 'm', arn, definition: { StartAt: 'Ask', States } };
}

/** Machines whose function notes the tokens it is given. */
async function load(plan: StateMachinePlan, work: (token: string) => void = () => undefined) {
  const tokens: string[] = [];
  const machines = await loadStateMachines([plan], {
    functionByArn: () => ({ arn: functionArn }) as FunctionPlan,
    invoke: async (_arn, event) => {
      const { token } = event as { token: string };
      tokens.push(token);
      work(token);
    },
  });
  return { machines, tokens };
}

async function ended(machines: Awaited<ReturnType<typeof load>>['machines'], executionArn: string) {
  for (;;) {
    const execution = machines.describe(executionArn);
    if (execution && execution.status !== 'RUNNING') return execution;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('a state that waits with a task token', () => {
  it('goes on with the answer, which is taken once', async () => {
    const { machines, tokens } = await load(waiting(), (token) => {
      // Also before the function has returned.
      expect(machines.answer(token, { kind: 'success', output: { until: 'now' } })).toBe(true);
    });
    const { executionArn } = machines.start(arn, '{"patience":60}', 'e1');
    const execution = await ended(machines, executionArn);
    expect([execution.status, JSON.parse(execution.output ?? '')]).toEqual([
      'SUCCEEDED',
      { patience: 60, answer: { until: 'now' } },
    ]);
    expect(machines.answer(tokens[0] ?? '', { kind: 'success', output: {} })).toBe(false);
    expect(machines.stats()).toEqual({
      m: { executions: 1, transitions: { Ask: 1, Done: 1 }, mostTransitions: 2 },
    });
  });

  it('gives up after the seconds its input names, and its token is worth nothing then', async () => {
    const { machines, tokens } = await load(waiting());
    const { executionArn } = machines.start(arn, '{"patience":1}', 'e1');
    const execution = await ended(machines, executionArn);
    expect(JSON.parse(execution.output ?? '')).toMatchObject({ late: { Error: 'States.Timeout' } });
    expect(machines.answer(tokens[0] ?? '', { kind: 'success', output: {} })).toBe(false);
  });

  it('ends with its execution, and so does its token', async () => {
    const { machines, tokens } = await load(waiting());
    const { executionArn } = machines.start(arn, '{"patience":60}', 'e1');
    while (tokens.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    machines.stop(executionArn);
    expect(machines.describe(executionArn)?.status).toBe('ABORTED');
    expect(machines.answer(tokens[0] ?? '', { kind: 'success', output: {} })).toBe(false);
    await machines.close();
  });

  it('is refused when it starts if its patience cannot be found', async () => {
    await expect(load(waiting({ TimeoutSecondsPath: '$.a.b' }))).rejects.toThrow('$.a.b');
  });
});
