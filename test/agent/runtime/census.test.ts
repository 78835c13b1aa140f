import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { killAll, TaskCensus } from '../../../agent/runtime/census.ts';
import { identify, isSameAlive, sendSignal } from '../../../agent/runtime/procfs.ts';
import type { ProcessIdentity } from '../../../agent/runtime/spec.ts';
import { waitFor } from '../fakes/agent-fixture.ts';

function start(cmdline: string, env: Record<string, string>): { pid: number; identity: ProcessIdentity } {
  const child = spawn('/bin/bash', ['-c', cmdline], {
    detached: true,
    stdio: 'ignore',
    env: { PATH: '/usr/bin:/bin', ...env },
  });
  const pid = child.pid as number;
  onTestFinished(() => void sendSignal(-pid, 'SIGKILL'));
  return { pid, identity: identify(pid) as ProcessIdentity };
}

let names = 0;
const freshName = () => `census-test-${process.pid}-${names++}`;

describe('TaskCensus', () => {
  it('finds processes by session and by mark, and kills no others', async () => {
    const name = freshName();
    const stranger = start('sleep 1000', { BOREALIS_TASK_ID: `${name}-other` });
    const bySession = start('sleep 1000 & sleep 1000', {});
    const byMark = start('setsid sleep 1000 & sleep 1000', { BOREALIS_TASK_ID: name });
    const census = new TaskCensus(name);
    census.addSession(bySession.identity);
    await waitFor(() => expect(census.members().length).toBeGreaterThanOrEqual(4));
    expect(census.members().map((entry) => entry.pid)).toEqual(
      expect.arrayContaining([bySession.pid, byMark.pid]),
    );
    expect(await killAll(census, 10_000)).toBe(true);
    expect(census.isEmpty()).toBe(true);
    expect(isSameAlive(stranger.identity)).toBe(true);
  });

  it('looks near: what members have started, not the whole machine', async () => {
    const task = start('sleep 1000 & sleep 1000', {});
    const census = new TaskCensus(freshName());
    census.addSession(task.identity);
    await waitFor(() => expect(census.nearMembers().length).toBeGreaterThanOrEqual(2));
    await killAll(census, 10_000);
    expect(census.nearMembers()).toEqual([]);
  });

  it('forgets a session that is empty, so that its number can go to a stranger', async () => {
    const task = start('exit 0', {});
    const census = new TaskCensus(freshName());
    census.addSession({ pid: task.pid });
    await waitFor(() => expect(census.members()).toEqual([]));
    // The same number again, as if the machine had given it to somebody else: not followed any more.
    expect(census.nearMembers()).toEqual([]);
  });
});

describe('identities', () => {
  it('tell a process from another with the same pid', async () => {
    const child = spawn('sleep', ['1000']);
    const identity = identify(child.pid as number) as ProcessIdentity;
    expect(isSameAlive(identity)).toBe(true);
    expect(isSameAlive({ ...identity, startTicks: (identity.startTicks ?? 0) + 1 })).toBe(false);
    expect(isSameAlive({ ...identity, bootId: 'another start of the machine' })).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isSameAlive(identity)).toBe(false);
  });
});
