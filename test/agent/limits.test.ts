// Limits enforced by polling, and full disks (spec/executor.md section 9; issue point 12).
import { execFileSync } from 'node:child_process';
import { mkdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { processesOf, startAgent, temporaryDir, waitFor } from './fakes/agent-fixture.ts';
import { launchOf } from './fakes/launches.ts';

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

const canMount = process.getuid?.() === 0 && tryMount();

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

function tryMount(): boolean {
  const dir = '/tmp';
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}

function smallDisk(sizeMb: number): string {
  const dir = join(temporaryDir(), 'disk');
  mkdirSync(dir);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMb}m`, 'tmpfs', dir]);
  onTestFinished(() => void execFileSync('umount', ['-l', dir]));
  return dir;
}
