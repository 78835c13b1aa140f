// Limits enforced by polling, and full disks (spec/executor.md section 9; issue point 12).
import { execFileSync } from 'node:child_process';
import { statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { processesOf, startAgent, waitFor } from './fakes/agent-fixture.ts';
import { launchOf } from './fakes/launches.ts';
import { canMount, smallDisk } from './fakes/small-disk.ts';

const polling = { cgroup: false, timings: { memoryPollMs: 100, diskPollMs: 100 } } as const;

describe('limits', () => {
  it('ends a task that uses more memory than requested, grandchildren counted', async () => {
    const { launch, reported } = await startAgent(polling);
    const task = launchOf({
      resources: { ramMb: 50 },
      // `tail` keeps the one endless line in memory.
      processes: [{ name: 'hog', cmdline: '(head -c 200m /dev/zero; sleep 1000) | tail -c 200m' }],
    });
    launch(task);
    expect((await reported(task, 'FAILED')).message).toBe('Task used more memory than requested.');
    expect(processesOf(task)).toEqual([]);
  });

  it('leaves a task alone that stays within its memory', async () => {
    const { launch, reported } = await startAgent(polling);
    const task = launchOf({ resources: { ramMb: 100 }, processes: [{ name: 'a', cmdline: 'sleep 0.7' }] });
    launch(task);
    await reported(task, 'FINISHED');
  });

  it('ends a task whose sandbox outgrows its disk, logs counted', async () => {
    const { launch, reported } = await startAgent(polling);
    const task = launchOf({
      resources: { diskMb: 1 },
      processes: [{ name: 'a', cmdline: 'head -c 1m /dev/urandom; head -c 1m /dev/urandom > f; sleep 1000' }],
    });
    launch(task);
    const { message } = await reported(task, 'FAILED');
    expect(message).toMatch(/^Disk limit exceeded. {2}Reserved 1048576 bytes vs used \d{7} bytes\.$/);
    expect(processesOf(task)).toEqual([]);
  });
});

describe.runIf(canMount)('a full disk (a small tmpfs; needs root)', () => {
  it('fails a task whose logs can not be written, clearly, and stays usable', async () => {
    const { launch, reported, workDir, agent } = await startAgent({ workDir: smallDisk(4), ...polling });
    const task = launchOf({
      resources: { diskMb: 1000 },
      processes: [{ name: 'filler', cmdline: 'while true; do head -c 100000 /dev/zero; sleep 0.02; done' }],
    });
    launch(task);
    const { message } = await reported(task, 'FAILED');
    expect(message).toMatch(/^Disk full: .*ENOSPC/);
    expect(processesOf(task)).toEqual([]);
    execFileSync('rm', ['-r', join(workDir, 'tasks', task.taskId, 'sandbox')]);
    const next = launchOf({ processes: [{ name: 'a', cmdline: 'echo fine' }] });
    launch(next);
    await reported(next, 'FINISHED');
    expect(agent.agentId).toBe('agent-1');
  });

  it('fails a task that can not start a process for want of room', async () => {
    const { launch, reported } = await startAgent({ workDir: smallDisk(4, 200), ...polling });
    const task = launchOf({
      processes: [
        { name: 'filler', cmdline: 'for i in $(seq 1000); do : > f$i; done 2> /dev/null; exit 0' },
        { name: 'next', cmdline: 'true' },
      ],
      ordering: [['filler', 'next']],
    });
    launch(task);
    expect((await reported(task, 'FAILED')).message).toMatch(/^Disk full: .*ENOSPC/);
  });

  it('records and reports the end of a task that filled the disk itself', async () => {
    const { launch, reported } = await startAgent({ workDir: smallDisk(4), ...polling });
    const task = launchOf({
      resources: { diskMb: 1000 },
      processes: [{ name: 'filler', cmdline: 'cat /dev/zero > big; echo full; exit 1' }],
    });
    launch(task);
    const { message } = await reported(task, 'FAILED');
    expect(message).toMatch(/^(Task failed\.|Disk full: )/);
  });

  it('kills a task on a full disk', async () => {
    const { launch, kill, reported, workDir } = await startAgent({ workDir: smallDisk(4), ...polling });
    const task = launchOf({
      resources: { diskMb: 1000 },
      processes: [
        {
          name: 'filler',
          cmdline: `until test -e ${workDir}/go; do sleep 0.05; done; cat /dev/zero > big 2> /dev/null; sleep 1000`,
        },
      ],
    });
    launch(task);
    await reported(task, 'RUNNING');
    writeFileSync(join(workDir, 'go'), '');
    await waitFor(() => expect(statfsSync(workDir).bavail).toBe(0));
    kill(task);
    await reported(task, 'KILLED');
    expect(processesOf(task)).toEqual([]);
  });

  it('fails a launch for which there is no room at all, and reports it', async () => {
    const workDir = smallDisk(4);
    const { launch, reported, transport } = await startAgent({ workDir, ...polling });
    await waitFor(() => expect(transport.reports.length).toBeGreaterThan(0));
    try {
      execFileSync('dd', ['if=/dev/zero', `of=${join(workDir, 'full')}`, 'bs=64k'], { stdio: 'ignore' });
    } catch {
      // dd says that the disk is full, as intended
    }
    const task = launchOf({ processes: [{ name: 'a', cmdline: 'true' }] });
    launch(task);
    expect((await reported(task, 'FAILED')).message).toMatch(/ENOSPC/);
  });
});
