// Waits for a job to reach a goal, showing the way: one repainted line on a terminal, a plain line a change in a pipe.
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobDetail } from '../../shared/api/views.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { JobKey } from '../../shared/model/job-key.ts';
import { readJob } from '../client/read.ts';
import { stateFormat } from '../output/style.ts';
import { count, formatSpan } from '../output/words.ts';
import type { Session } from '../session.ts';
import { explainWhy } from '../why.ts';
import { judge, type Verdict, type WaitFor } from './judge.ts';

export interface WaitOptions extends WaitFor {
  readonly key: JobKey;
  /** `cluster/role/env/name`, for messages. */
  readonly shown: string;
  readonly timeoutMs: number;
  /** Least pause between two looks; grows with the time a look takes. Default 300. */
  readonly pollMs?: number;
}

/** Ends when the goal is reached; COMMAND_FAILED when it cannot be any more, TIMEOUT (exit 9) with what still waits. */
export async function waitForJob(session: Session, options: WaitOptions): Promise<void> {
  const startedAt = performance.now();
  const progress = createProgress(session);
  try {
    for (;;) {
      const lookedAt = performance.now();
      const detail = await readOrGone(session, options);
      if (detail === undefined) return;
      const verdict = judge(detail, options);
      progress.show(verdict, performance.now() - startedAt);
      if (verdict.failed !== undefined) {
        throw new BorealisError(
          'COMMAND_FAILED',
          `${options.shown}: ${verdict.failed}. Nothing more is done; see \`borealis job status ${options.shown}\`.`,
        );
      }
      if (verdict.done) return;
      const passedMs = performance.now() - startedAt;
      if (passedMs >= options.timeoutMs) throw await timedOut(session, options, verdict);
      const pauseMs = Math.max(options.pollMs ?? 300, 3 * (performance.now() - lookedAt));
      const remainingMs = options.timeoutMs - passedMs;
      await sleep(Math.min(pauseMs, remainingMs), undefined, { signal: session.io.signal });
    }
  } finally {
    progress.end();
  }
}

/** Undefined when the job is gone and that is what is waited for. */
async function readOrGone(session: Session, options: WaitOptions): Promise<JobDetail | undefined> {
  try {
    return await readJob(session.client, options.key, { signal: session.io.signal });
  } catch (error) {
    if (options.goal === 'GONE' && error instanceof BorealisError && error.code === 'NOT_FOUND')
      return undefined;
    throw error;
  }
}

async function timedOut(session: Session, options: WaitOptions, verdict: Verdict): Promise<BorealisError> {
  const state = verdict.counts.map(([name, n]) => `${n} ${name}`).join(', ');
  const why = await whyText(session, options);
  return new BorealisError(
    'TIMEOUT',
    `${options.shown} did not reach ${options.goal} within ${formatSpan(options.timeoutMs)} (${state}). What was asked goes on.${why} See \`borealis job why ${options.shown}\`, or wait longer with --timeout.`,
  );
}

async function whyText(session: Session, options: WaitOptions): Promise<string> {
  if (options.goal === 'GONE') return '';
  try {
    const why = await session.client.call('whyPending', { params: options.key, query: {} });
    const lines = explainWhy(why);
    return lines.length === 0 ? '' : ` ${lines.join(' ')}`;
  } catch {
    // The reason is a courtesy; the time-out itself is what must be said.
    return '';
  }
}

interface Progress {
  show(verdict: Verdict, passedMs: number): void;
  end(): void;
}

function createProgress(session: Session): Progress {
  const { stderr } = session.io;
  const paint = session.out.paintTalk;
  const live = stderr.isTTY === true && !session.quiet;
  let last = '';
  return {
    show(verdict, passedMs) {
      const total = verdict.counts.reduce((sum, [, n]) => sum + n, 0);
      const states = verdict.counts
        .map(([state, n]) => `${paint(state === 'NOT CREATED' ? 'dim' : stateFormat(state), state)} ${n}`)
        .join('  ');
      if (live) {
        stderr.write(`\r\u001b[K${formatSpan(passedMs).padStart(5)}  ${count(total, 'instance')}: ${states}`);
      } else if (states !== last) {
        session.out.say(`${formatSpan(passedMs).padStart(5)}  ${count(total, 'instance')}: ${states}`);
      }
      last = states;
    },
    end() {
      if (live && last !== '') stderr.write('\n');
    },
  };
}
