// Faults of the engines, which only the embedded stack lets us stop: restarted under load, stopped and started again on
// the same data.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type EmbeddedInstallation, startEmbedded, until } from './harness.ts';
import { jobFile, sleeper } from './jobs.ts';

let borealis: EmbeddedInstallation | undefined;
afterEach(async () => {
  await borealis?.stop();
  borealis = undefined;
});

describe('an engine restarted under load', () => {
  it('loses nothing that was accepted', async () => {
    borealis = await startEmbedded(['agent-a']);
    const installation = borealis;
    const names = Array.from({ length: 12 }, (_, index) => `load-${index}`);
    const submit = (name: string) =>
      installation.cli('job', 'create', jobFile(installation.dir, sleeper(name, 20, 50)));
    const submissions = names.map(async (name) => ({ name, result: await submit(name) }));
    await installation.stack.restartEngine('dynamo');
    await installation.stack.restartEngine('sqs');
    const results = await Promise.all(submissions);
    const accepted = results.filter(({ result }) => result.code === 0).map(({ name }) => name);
    expect(accepted.length).toBeGreaterThan(0);
    for (const name of accepted) {
      await until(`${name} to have all its instances`, async () => {
        const detail = await installation.job(name);
        return detail.job.reconciled && detail.counts.pending === 20;
      });
    }
    // The matcher has seen them all: each has a reason (nobody has 50 cores).
    await until('reasons', async () => {
      const why = await installation.api.call('whyPending', {
        params: { role: 'demo', environment: 'devel', name: accepted.at(-1) ?? '' },
        query: {},
      });
      return why.pending[0]?.reason?.verdict === 'neverFits';
    });
  });
});

describe('a stack stopped and started on the same data', () => {
  it('continues where it was', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'borealis-data-'));
    try {
      borealis = await startEmbedded([], { dataDir });
      const waiting = jobFile(borealis.dir, sleeper('kept', 4));
      expect((await borealis.cli('job', 'create', waiting)).code).toBe(0);
      await until('its instances', async () => (await borealis?.job('kept'))?.counts.pending === 4);
      await borealis.stop();

      borealis = await startEmbedded(['agent-a'], { dataDir });
      await until('the kept job to run', async () => {
        const detail = await borealis?.job('kept');
        return detail?.tasks.filter((task) => task.state === 'RUNNING').length === 4;
      });
      expect((await borealis.cli('job', 'killall', 'local/demo/devel/kept', '--yes', '--wait')).code).toBe(0);
    } finally {
      await borealis?.stop();
      borealis = undefined;
      rmSync(dataDir, { recursive: true, force: true });
    }
  });
});
