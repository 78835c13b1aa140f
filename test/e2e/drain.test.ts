// Emptying an agent with everything real: a service moves to the other agent without going down,
// nothing new comes, and the agent is used again when it is taken back.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobDetail } from '../../shared/api/views.ts';
import { type Installation, startInstallation, until } from './harness.ts';
import { jobFile, sleeper } from './jobs.ts';

let borealis: Installation;
beforeAll(async () => {
  borealis = await startInstallation(['agent-a', 'agent-b']);
});
afterAll(async () => {
  await borealis.stop();
});

const placesOf = ({ tasks }: JobDetail) =>
  tasks.filter(({ state }) => state === 'RUNNING').map(({ agentId }) => agentId);

async function submit(text: string): Promise<void> {
  const created = await borealis.cli(
    'job',
    'create',
    jobFile(borealis.dir, text),
    '--wait-until',
    'RUNNING',
    '--timeout',
    '60s',
  );
  expect([created.code, created.stderr]).toEqual([0, expect.any(String)]);
}

describe('agent drain', () => {
  it('moves a service to the other agent, one instance at a time', async () => {
    await submit(sleeper('moving', 4, 0.5));
    const [from] = placesOf(await borealis.job('moving'));
    const to = from === 'agent-a' ? 'agent-b' : 'agent-a';
    let leastUp = 4;
    let done = false;
    const watching = (async () => {
      while (!done) {
        leastUp = Math.min(leastUp, placesOf(await borealis.job('moving')).length);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    })();
    const drained = await borealis.cli(
      'agent',
      'drain',
      from ?? '',
      '--settled',
      '1s',
      '--wait',
      '--timeout',
      '150s',
      '-m',
      'new disk',
    );
    done = true;
    await watching;
    expect([drained.code, drained.stderr]).toEqual([0, expect.stringContaining(`${from}: empty`)]);
    await until('all instances to run again', async () => {
      const places = placesOf(await borealis.job('moving'));
      return places.length === 4 && places.every((place) => place === to);
    });
    expect(leastUp).toBeGreaterThanOrEqual(3);

    const status = await borealis.cli('agent', 'status', from ?? '');
    expect(status.stdout).toContain('DRAINED');
    expect(status.stdout).toContain('new disk');
    await submit(sleeper('later', 2));
    expect(placesOf(await borealis.job('later'))).toEqual([to, to]);

    expect((await borealis.cli('agent', 'undrain', from ?? '')).code).toBe(0);
    // The other one has no room for it.
    await submit(sleeper('wide', 1, 3));
    expect(placesOf(await borealis.job('wide'))).toEqual([from]);
  });
});
