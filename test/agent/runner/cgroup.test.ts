// No machine of ours offers a writable memory controller to tests, so the files are checked in an ordinary folder.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cpuWeight, TaskCgroup } from '../../../agent/runner/cgroup.ts';
import { temporaryDir } from '../fakes/agent-fixture.ts';

function fixture() {
  const parent = temporaryDir();
  const home = temporaryDir();
  mkdirSync(join(parent, 'task'));
  const read = (file: string) => readFileSync(join(parent, 'task', file), 'utf8');
  return { parent, home, read };
}

describe('TaskCgroup', () => {
  it('sets the limits of the task', () => {
    const { parent, home, read } = fixture();
    new TaskCgroup(parent, '/x/task', { cpuMilli: 2500, ramMb: 3 }, home);
    expect(read('memory.max')).toBe(String(3 * 1024 * 1024));
    expect(read('memory.oom.group')).toBe('1');
    expect(read('cpu.weight')).toBe('250');
    expect(Number(read('pids.max'))).toBeGreaterThan(1000);
  });

  it('is in the group while it starts a process and home again afterwards, even if the start fails', () => {
    const { parent, home, read } = fixture();
    const group = new TaskCgroup(parent, '/x/task', { cpuMilli: 1, ramMb: 1 }, home);
    const boom = () =>
      group.inside(() => {
        expect(read('cgroup.procs')).toBe(String(process.pid));
        throw new Error('boom');
      });
    expect(boom).toThrow('boom');
    expect(readFileSync(join(home, 'cgroup.procs'), 'utf8')).toBe(String(process.pid));
  });

  it('reads how often the kernel killed for memory', () => {
    const { parent, home } = fixture();
    const group = new TaskCgroup(parent, '/x/task', { cpuMilli: 1, ramMb: 1 }, home);
    expect(group.oomKills()).toBe(0);
    writeFileSync(join(parent, 'task', 'memory.events'), 'low 0\noom 1\noom_kill 2\noom_group_kill 1\n');
    expect(group.oomKills()).toBe(2);
  });

  it.each([
    [1, 1],
    [1000, 100],
    [1_024_000, 10_000],
  ])('%i thousandths of a core weigh %i', (cpuMilli, weight) => {
    expect(cpuWeight(cpuMilli)).toBe(weight);
  });
});
