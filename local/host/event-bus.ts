// The event buses of the embedded stack: which rules an event matches, and what their targets get. An event that no rule
// can match costs a look into a table by its detail-type; its detail is not even parsed. Deliveries go on in the
// background, tried again for a while, then to the rule's dead-letter queue; a journal makes them outlive the process.
import { randomUUID } from 'node:crypto';
import type { EngineClient } from '../engines/aws-json.ts';
import { compilePattern, type EventPattern } from '../events/pattern.ts';
import { compileInput } from '../events/target-input.ts';
import type { RulePlan, RuleTargetPlan } from '../template/rule-plan.ts';
import { backoffMs, pause } from './backoff.ts';
import { type DeliveryJournal, deliveryJournal } from './delivery-journal.ts';
import type { Invoker } from './invoker.ts';
import type { StateMachines } from './state-machines.ts';

/** An event as it was put on a bus. */
export interface PutEvent {
  readonly Source?: string | undefined;
  readonly DetailType?: string | undefined;
  readonly Detail?: string | undefined;
  readonly EventBusName?: string | undefined;
  readonly Resources?: readonly string[] | undefined;
}

export interface EventBusOptions {
  readonly rules: readonly RulePlan[];
  readonly invoker: Pick<Invoker, 'invoke'>;
  readonly machines: Pick<StateMachines, 'start'>;
  readonly sqs: EngineClient;
  readonly region: string;
  readonly accountId: string;
  /** @default kept nowhere */
  readonly journal?: DeliveryJournal;
  readonly log: (line: string) => void;
}

export interface EventBus {
  /** Takes an event of a bus that exists. Answers its id; throws if its detail is no JSON object a rule could read. */
  put(bus: string, event: PutEvent): string;
  /** Sends what an earlier run has left in the journal. To be called once, before the first event. */
  resume(): void;
  /** Resolves when nothing is on its way to a target. */
  idle(): Promise<void>;
  /** Gives up waiting between tries. */
  stop(): void;
}

interface Rule {
  readonly pattern: EventPattern;
  readonly targets: readonly Target[];
}

interface Target {
  readonly plan: RuleTargetPlan;
  readonly render: (event: Envelope) => string;
  readonly ruleName: string;
  /** For the journal. */
  readonly name: string;
  readonly lane: Lane;
}

type Envelope = Readonly<Record<string, unknown>>;

/** AWS goes on for a day; here nobody waits that long. */
const maxTries = 8;
const firstRetryMs = 100;
const maxRetryMs = 5_000;
/** Deliveries of one target at the same time. */
const deliveriesAtOnce = 8;

/** The buses with the rules of the plan. */
export function createEventBus(options: EventBusOptions): EventBus {
  const stopping = new AbortController();
  const { rules, region, accountId, journal = deliveryJournal(undefined) } = options;
  const compiled = rules.map((plan) => ({ plan, rule: compileRule(plan) }));
  const index = indexRules(compiled);
  let underway = 0;
  const whenIdle: (() => void)[] = [];
  const put: EventBus['put'] = (bus, event) => {
    const id = randomUUID();
    const candidates = index(bus, event.DetailType ?? '');
    if (candidates.length === 0) return id;
    const envelope: Envelope = {
      version: '0',
      id,
      'detail-type': event.DetailType ?? '',
      source: event.Source ?? '',
      account: accountId,
      time: `${new Date().toISOString().slice(0, 19)}Z`,
      region,
      resources: event.Resources ?? [],
      detail: JSON.parse(event.Detail ?? '{}') as unknown,
    };
    for (const { pattern, targets } of candidates) {
      if (!pattern(envelope)) continue;
      for (const target of targets)
        send(target, envelope, journal.add({ target: target.name, event: envelope }));
    }
    return id;
  };
  const send = (target: Target, event: Envelope, number: number): void => {
    underway++;
    void target.lane
      .run(async () => {
        const isOver = await deliver(target, event, put, options, stopping.signal);
        if (isOver) journal.done(number);
      })
      .finally(() => {
        underway--;
        if (underway === 0) for (const resolve of whenIdle.splice(0)) resolve();
      });
  };
  const resume = (): void => {
    const targets = new Map(
      compiled.flatMap(({ rule }) => rule.targets).map((target) => [target.name, target]),
    );
    for (const { number, target: name, event } of journal.left()) {
      const target = targets.get(name);
      if (target) send(target, event, number);
      else journal.done(number);
    }
  };
  return {
    put,
    resume,
    idle: () => (underway === 0 ? Promise.resolve() : new Promise((resolve) => whenIdle.push(resolve))),
    stop: () => stopping.abort(),
  };
}

/** Rules by bus, then by the detail-types they can match. */
function indexRules(
  rules: readonly { readonly plan: RulePlan; readonly rule: Rule }[],
): (bus: string, detailType: string) => readonly Rule[] {
  const entries = rules.map(({ plan, rule }) => ({ plan, rule, types: detailTypes(plan) }));
  const known = new Map<string, readonly Rule[]>();
  const named = new Set(entries.flatMap(({ types }) => types ?? []));
  return (bus, detailType) => {
    // Types that no rule names share one entry, so that the table stays small whatever is put on the bus.
    const key = `${bus}\n${named.has(detailType) ? detailType : ''}`;
    const found = known.get(key);
    if (found) return found;
    const rules = entries
      .filter(({ plan, types }) => plan.bus === bus && (types === undefined || types.includes(detailType)))
      .map(({ rule }) => rule);
    known.set(key, rules);
    return rules;
  };
}

function compileRule(plan: RulePlan): Rule {
  return {
    pattern: compilePattern(plan.pattern),
    targets: plan.targets.map((target, position) => ({
      plan: target,
      render: compileInput(target.input),
      ruleName: plan.name,
      name: `${plan.name} ${position}`,
      lane: new Lane(deliveriesAtOnce),
    })),
  };
}

/** The detail-types a rule names; undefined if it may match any. */
function detailTypes({ pattern }: RulePlan): readonly string[] | undefined {
  const types = pattern['detail-type'];
  return Array.isArray(types) && types.every((type) => typeof type === 'string') ? types : undefined;
}

/**
 * Never rejects: what cannot be delivered goes to the dead-letter queue or into the log. False if the stack stops before
 * it has arrived or is given up.
 */
async function deliver(
  target: Target,
  event: Envelope,
  put: EventBus['put'],
  options: EventBusOptions,
  stopping: AbortSignal,
): Promise<boolean> {
  let reason = '';
  for (let tries = 1; tries <= maxTries && !stopping.aborted; tries++) {
    try {
      await hand(target, event, put, options);
      return true;
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
      if (tries < maxTries) await pause(backoffMs(tries, firstRetryMs, maxRetryMs), stopping);
    }
  }
  options.log(`rule ${target.ruleName}: event ${String(event.id)} was not delivered: ${reason}`);
  const { deadLetters } = target.plan;
  if (stopping.aborted) return false;
  if (!deadLetters) return true;
  await sendMessage(options.sqs, deadLetters.url, JSON.stringify(event)).catch((error: Error) =>
    options.log(`rule ${target.ruleName}: nor to its dead-letter queue: ${error.message}`),
  );
  return true;
}

async function hand(
  { plan, render }: Target,
  event: Envelope,
  put: EventBus['put'],
  { invoker, machines, sqs }: EventBusOptions,
): Promise<void> {
  switch (plan.kind) {
    case 'function':
      await invoker.invoke(plan.functionArn, JSON.parse(render(event)));
      return;
    case 'queue':
      await sendMessage(sqs, plan.queue.url, render(event), plan.groupId);
      return;
    case 'stateMachine':
      // A name of its own per event: a second try starts no second execution.
      machines.start(plan.stateMachineArn, render(event), String(event.id));
      return;
    case 'bus':
      // The event stays what it is; only its bus changes.
      put(plan.bus, {
        Source: String(event.source),
        DetailType: String(event['detail-type']),
        Detail: JSON.stringify(event.detail),
      });
  }
}

async function sendMessage(
  sqs: EngineClient,
  QueueUrl: string,
  MessageBody: string,
  groupId?: string,
): Promise<void> {
  await sqs.call('SendMessage', {
    QueueUrl,
    MessageBody,
    ...(groupId !== undefined && { MessageGroupId: groupId, MessageDeduplicationId: randomUUID() }),
  });
}

/** Runs so many pieces of work at a time, in order of arrival. */
class Lane {
  readonly #atOnce: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  async run(work: () => Promise<void>): Promise<void> {
    if (this.#running >= this.#atOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}
