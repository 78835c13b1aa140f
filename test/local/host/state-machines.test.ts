// States that wait for a token, in the state machines of the embedded stack.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { loadStateMachines, type StateMachines } from '../../../local/host/state-machines.ts';
import type { FunctionPlan } from '../../../local/template/plan.ts';

const functionArn = 'arn:aws:lambda:us-east-1:000000000000:function:starter';
const arn = 'arn:aws:states:us-east-1:000000000000:stateMachine:waiter';

const waiting = (next: object) => ({
  Type: 'Task',
  Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken',
  Parameters: {
    FunctionName: functionArn,
    Payload: { 'token.$': '$$.Task.Token' },
  },
  ...next,
});

let machines: StateMachines;
let tokens: string[];

async function start(definition: object, starter: () => void = () => undefined) {
  tokens = [];
  machines = await loadStateMachines([{ name: 'waiter', arn, definition: { ...definition } }], {
    functionByArn: () => ({ arn: functionArn }) as FunctionPlan,
    invoke: async (_arn, event) => {
      const { token } = event as { token: string };
      tokens.push(token);
      starter();
    },
  });
  return machines.start(arn, '{}');
}

async function token(count: number): Promise<string> {
  await vi.waitFor(() => expect(tokens).toHaveLength(count));
  return tokens[count - 1] ?? '';
}

afterEach(() => machines.close());

describe('a state that waits for its token', () => {
  it('goes on with what is sent with it, each wait with a token of its own', async () => {
    const execution = await start({
      StartAt: 'One',
      States: { One: waiting({ Next: 'Two' }), Two: waiting({ End: true }) },
    });
    const first = await token(1);
    expect(machines.answer(first, { kind: 'success', output: { n: 1 } })).toBe(true);
    const second = await token(2);
    expect(second).not.toBe(first);
    expect(machines.answer(first, { kind: 'success', output: { n: 2 } })).toBe(false);
    expect(machines.answer(second, { kind: 'success', output: { n: 3 } })).toBe(true);
    await vi.waitFor(() => expect(execution).toMatchObject({ status: 'SUCCEEDED', output: '{"n":3}' }));
  });

  it('fails with the error that is sent with it, which Catch sees by its name', async () => {
    const execution = await start({
      StartAt: 'One',
      States: {
        One: waiting({ End: true, Catch: [{ ErrorEquals: ['JobFailed'], Next: 'Two' }] }),
        Two: waiting({ End: true }),
      },
    });
    machines.answer(await token(1), { kind: 'failure', error: 'JobFailed', cause: 'exit 1' });
    machines.answer(await token(2), { kind: 'failure', error: 'JobKilled', cause: 'by somebody' });
    await vi.waitFor(() =>
      expect(execution).toMatchObject({ status: 'FAILED', error: 'JobKilled', cause: 'by somebody' }),
    );
  });

  it('fails when its function does, and then nobody waits any more', async () => {
    const execution = await start({ StartAt: 'One', States: { One: waiting({ End: true }) } }, () => {
      throw new Error('told to fail');
    });
    await vi.waitFor(() => expect(execution).toMatchObject({ status: 'FAILED', cause: 'told to fail' }));
    expect(machines.answer(await token(1), { kind: 'success', output: {} })).toBe(false);
  });

  it('takes longer than a minute if nobody limits it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const execution = await start({ StartAt: 'One', States: { One: waiting({ End: true }) } });
      await vi.advanceTimersByTimeAsync(3_600_000);
      expect(execution.status).toBe('RUNNING');
      machines.answer(tokens[0] ?? '', { kind: 'success', output: 'done' });
      await vi.advanceTimersByTimeAsync(1);
      expect(execution).toMatchObject({ status: 'SUCCEEDED', output: '"done"' });
    } finally {
      vi.useRealTimers();
    }
  });
});
