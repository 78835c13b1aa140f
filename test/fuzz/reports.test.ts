// Hostile reports of agents: unknown tasks, states, tasks of other agents, other identities, shapes and sizes of all kinds.
// None makes the intake fail, none changes a row that is not the sender's own.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { maxReportBytes } from '../../shared/model/protocol.ts';
import { makeOffer } from '../contract/fixtures.ts';
import { below, corrupt, hostileText, type Json, mutate, pick, type Random, randomOf } from './hostile.ts';
import { createInstallation, type Installation } from './installation.ts';
import { forEachSeed, timeoutMs } from './settings.ts';

let target: Installation;
beforeAll(async () => {
  target = await createInstallation();
});
afterAll(() => target.world.stop());

/** The identity of nobody's agent. */
const mallory = 'principal-mallory';

function goodReport(random: Random, agentId: string, now: number): Json {
  const envelope = { v: 1, agentId, sessionId: 's1', sentAt: now };
  const status = () => ({
    taskId: random() < 0.8 ? pick(random, target.taskIds) : `web~prod~none~${below(random, 9)}~1~abc`,
    state: pick(random, ['STARTING', 'RUNNING', 'FINISHED', 'FAILED', 'KILLED', 'LOST']),
    at: now,
    message: 'so it is',
  });
  return pick(random, [
    { ...envelope, kind: 'register', offer: makeOffer({ agentId }) },
    { ...envelope, kind: 'leaving', reason: 'spot', terminatesAt: now + 120_000 },
    { ...envelope, kind: 'status', statuses: Array.from({ length: 1 + below(random, 4) }, status) },
    { ...envelope, kind: 'heartbeat', tasks: 3 },
  ]) as unknown as Json;
}

function hostileReport(random: Random): string {
  const { now } = target.world;
  const agentId = pick(random, target.agentIds);
  let report = goodReport(random, random() < 0.9 ? agentId : hostileText(random), now);
  for (let left = below(random, 4); left > 0; left--) report = mutate(random, report);
  let body = JSON.stringify(report);
  if (random() < 0.15) body = corrupt(random, body);
  if (random() < 0.03) body = `${body.slice(0, -1)},"reason":"${'x'.repeat(maxReportBytes)}"}`;
  return body;
}

describe('hostile reports', () => {
  // Those of nobody's agent come first, while all tasks live and there is something to be changed.
  it.each([mallory, 'principal-agent-a'])(
    'of %s fail alone, and change nothing that is not of their sender',
    { timeout: timeoutMs },
    async (sender) => {
      const { world } = target;
      // Rows of tasks and agents that are not the sender's stay as they are; mallory may register an id that nobody has.
      const owner = sender === mallory ? undefined : sender.replace('principal-', '');
      const isMine = (row: string) =>
        owner === undefined
          ? !/"agent-[ab]"|TASKS#|ROLE#/.test(row)
          : row.includes(`"${owner}"`) || !/"agent-[ab]"|ROLE#/.test(row);
      const rowsOfOthers = async () => (await world.dump()).filter((row) => !isMine(row));
      const before = await rowsOfOthers();
      const outcomes = await forEachSeed(`reports of ${sender}`, async (seed) => {
        const random = randomOf(seed);
        const body = hostileReport(random);
        const errorsBefore = world.log.lines.length;
        const failed = await world.report([body], sender);
        const lines = world.log.lines.slice(errorsBefore);
        const broken = lines.find(
          ({ level, message }) =>
            level === 'error' && !/cannot be read|offer of another|two machines/.test(message),
        );
        if (broken) throw new Error(`the intake failed: ${broken.message} (${body.slice(0, 500)})`);
        // Against the beginning: what was changed earlier would hide what is changed now.
        if (seed % 20 === 0) expect(await rowsOfOthers()).toEqual(before);
        return failed.length > 0 ? 'dead letter' : sender === mallory ? 'foreign' : 'heard';
      });
      expect(await rowsOfOthers()).toEqual(before);
      expect(outcomes.size).toBeGreaterThan(0);
    },
  );
});
