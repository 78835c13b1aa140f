// From facts to findings: what is wrong and what to do about it. Pure.

import type { ApiFacts, EmbeddedFacts, Facts, Finding } from './facts.ts';
import { judgeAgents } from './judge-agents.ts';
import { judgeDeployed } from './judge-deployed.ts';
import { judgeQueues } from './judge-queues.ts';

/** Signed requests are refused beyond five minutes. */
const refusedSkewMs = 4.5 * 60_000;
const oddSkewMs = 30_000;
const outstandingBar = 1_000;

/** Every finding, in the order in which one would look. */
export function judge(facts: Facts): readonly Finding[] {
  return [
    ...judgeApi(facts),
    ...(facts.deployed ? judgeDeployed(facts.deployed) : []),
    ...(facts.embedded ? judgeEmbedded(facts.embedded) : []),
    ...judgeAgents(facts),
  ];
}

function judgeApi({ api, apiUrl, clientVersion }: Facts): Finding[] {
  if ('found' in api) {
    return [judgeStore(api.found, apiUrl), judgeVersion(api.found, clientVersion), ...judgeClock(api.found)];
  }
  const todo =
    api.failure === 'denied'
      ? 'Sign in as somebody whose policy allows execute-api:Invoke on this API (--profile, AWS_PROFILE); docs/deploy.md says how.'
      : 'Is BOREALIS_API (or --api) the address `cdk deploy` printed? On this machine: `npm start` or `borealis local up`.';
  return [{ check: 'api', level: 'problem', message: `${apiUrl} does not answer: ${api.why}`, todo }];
}

function judgeStore({ storeOk, cluster }: ApiFacts, apiUrl: string): Finding {
  if (storeOk)
    return { check: 'api', level: 'ok', message: `${apiUrl} answers; cluster ${cluster}, store reached` };
  return {
    check: 'api',
    level: 'problem',
    message: `${apiUrl} answers, but its store does not`,
    todo: 'Look at the tables below and at the log of the function api (docs/runbook.md#api-errors).',
  };
}

function judgeVersion({ version }: ApiFacts, clientVersion: string): Finding {
  if (version === clientVersion)
    return { check: 'version', level: 'ok', message: `client and control plane are ${version}` };
  return {
    check: 'version',
    level: 'warning',
    message: `the client is ${clientVersion}, the control plane ${version}`,
    todo: 'Use the same version of both: `cdk deploy` from this checkout, or check out the other; docs/upgrading.md says what goes together.',
  };
}

function judgeClock({ skewMs }: ApiFacts): Finding[] {
  if (skewMs === undefined) {
    return [
      {
        check: 'clock',
        level: 'unknown',
        message: 'the API does not say what time it is',
        todo: 'Compare the clocks by hand.',
      },
    ];
  }
  const off = Math.abs(skewMs);
  const shown = `this clock is ${Math.round(off / 1000)} s ${skewMs > 0 ? 'ahead of' : 'behind'} the API's`;
  if (off < oddSkewMs)
    return [
      { check: 'clock', level: 'ok', message: off < 2_000 ? "this clock agrees with the API's" : shown },
    ];
  const todo =
    'Let this machine keep time (chrony, systemd-timesyncd); signed requests are refused beyond 5 minutes.';
  return [{ check: 'clock', level: off < refusedSkewMs ? 'warning' : 'problem', message: shown, todo }];
}

function judgeEmbedded({ cluster, queues, functions, outstanding }: EmbeddedFacts): Finding[] {
  const failing = functions.filter(({ errors }) => errors > 0);
  const shown = failing
    .map(({ name, errors, invocations }) => `${name} ${errors} of ${invocations}`)
    .join(', ');
  return [
    ...judgeQueues(queues, cluster),
    failing.length === 0
      ? {
          check: 'functions',
          level: 'ok',
          message: `${functions.length} functions, none has failed since the start`,
        }
      : {
          check: 'functions',
          level: 'warning',
          message: `calls that failed since the start: ${shown}`,
          todo: 'They were tried again. What they said is in the output of the stack; POWERTOOLS_LOG_LEVEL=INFO says more.',
        },
    ...(outstanding < outstandingBar
      ? []
      : [
          {
            check: 'functions',
            level: 'warning',
            message: `${outstanding} changes wait for their effects`,
            todo: 'Normal after a large submission; if it does not fall, see docs/runbook.md#outbox-age.',
          } as const,
        ]),
  ];
}
