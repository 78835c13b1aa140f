// Seeds that once found a fault. A seed's run changes whenever the simulator draws differently, so each fault also has a
// test of its own where it was fixed; the seeds are kept because what found one fault tends to find the next.

/**
 * Found by widening it, with the simulator as it was then: 292, a receiver of heartbeats that failed alone ended its
 * process (test/functions/roll-call/drain.test.ts); 1245, a service that finished while its agent was away was missing
 * ever after (test/shared/domain/task/apply.test.ts); 1633, an update that began while a killed job still ended made the
 * job want what had been killed (test/functions/api/start-update.test.ts).
 */
export const pinnedSeeds: readonly { readonly seed: number; readonly found: string }[] = [
  {
    seed: 32,
    found:
      'after an outage of the queues, the first sweep gave up tasks whose reports were still on their way ' +
      '(fixed in functions/sweeper/sweep.ts, tested in test/functions/sweeper/sweep.test.ts)',
  },
  { seed: 292, found: 'a failed receiver of heartbeats ended the process of the roll call' },
  { seed: 1245, found: 'a service that finished while its agent was away was never replaced' },
  {
    seed: 1633,
    found: 'an update that began while a killed job still ended made the job want what had been killed',
  },
  {
    seed: 127,
    found:
      'instances of a job were never made if rows of an earlier job of its name outlived that job ' +
      '(fixed in shared/domain/job/reconcile.ts, tested in test/shared/domain/job/reconcile.test.ts)',
  },
  {
    seed: 21015,
    found:
      'an ended job stayed for ever if it was killed again with a token ' +
      '(fixed in functions/api/edit-job.ts, tested in test/functions/fanout/prune.test.ts)',
  },
];
