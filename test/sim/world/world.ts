// One simulated installation: the functions, what calls them, the store, the queues, the machines. Everything happens in
// one process, in simulated time, in an order that the seed decides.
import type { Offer } from '../../../shared/model/agent.ts';
import type { TaskLaunch } from '../../../shared/model/protocol.ts';
import type { Roster } from '../../../shared/model/roster.ts';
import { decodeRoster } from '../../../shared/store/codec/roster-row.ts';
import { rosterKey } from '../../../shared/store/keys.ts';
import { notesTable, stateTable } from '../../../shared/store/tables.ts';
import { type ItemChange, MemoryDynamo } from '../model/memory-dynamo.ts';
import { type AgentNetwork, type AgentTimings, realTimings, SimAgent } from './agent.ts';
import {
  busCall,
  type ClientDeps,
  type Command,
  functionCall,
  queueCall,
  storeCall,
  workflowCall,
} from './clients.ts';
import { Expiry, type HistorySettings } from './expiry.ts';
import { type Fault, type FaultPlan, Faults, netFaults, userFaults } from './faults.ts';
import { createFunctions, type FunctionName, queueNames, tableNames } from './functions.ts';
import { type Host, useSources } from './hermetic.ts';
import { type Container, Lambda } from './lambda.ts';
import { Queue } from './queue.ts';
import { QueueRegistry } from './queue-registry.ts';
import { createRandom, type Random } from './random.ts';
import { Scheduler } from './scheduler.ts';
import { type Outage, Services } from './services.ts';
import { loadUpdateWorkflow } from './state-language.ts';
import { type Strike, Strikes } from './strikes.ts';
import { Trace } from './trace.ts';
import { everyMinute, QueueWorker, StreamConsumer, type TriggerDeps } from './triggers.ts';
import { Workflows } from './workflows.ts';

/** When simulated time begins: a whole minute, 13 digits. */
export const beginning = 1_800_000_000_000;

export interface WorldOptions {
  readonly seed: string;
  readonly faults: FaultPlan;
  readonly strikes?: readonly Strike[];
  readonly onStrike?: (strike: Strike) => void;
  readonly withLines: boolean;
  /** Containers' clocks differ from the true time by up to this, ms. */
  readonly maxSkewMs: number;
  readonly timings?: AgentTimings;
  /** A call of the store or a queue takes up to this, ms. */
  readonly maxLatencyMs: number;
  /** Indexes show a change after up to this when nothing is wrong, ms. */
  readonly maxLagMs: number;
  /** The network loses no heartbeat. */
  readonly keepsHeartbeats: boolean;
  /** How long what has ended is kept; if absent it outlasts the run. */
  readonly history?: HistorySettings;
  /** Functions that may run at the same time; as many as want to if absent. */
  readonly concurrency?: number;
  /** Sees every commit to the store. */
  /** A function left a promise alone, and it failed. */
  readonly onUnhandled: (error: unknown) => void;
  readonly onCommit: (changes: readonly ItemChange[]) => void;
  readonly onStarted: (agentId: string, launch: TaskLaunch) => void;
  readonly onEnded: (agentId: string, taskId: string) => void;
  /** A live process is told to end. */
  readonly onKilled: (agentId: string, taskId: string) => void;
}

export interface ApiCall {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  /** By which a repeated request is known. */
  readonly token?: string;
}

export interface ApiAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at field by field
  readonly body: any;
}

const calls = {
  store: storeCall,
  queue: queueCall,
  bus: busCall,
  workflows: workflowCall,
  functions: functionCall,
};

const updateWorkflow = loadUpdateWorkflow();

const agentQueue = { visibilityMs: 30_000, retentionMs: 3600_000 };

export class World {
  readonly scheduler = new Scheduler(beginning);
  readonly random: Random;
  readonly faults: Faults;
  readonly strikes: Strikes;
  readonly trace: Trace;
  readonly outage: Outage = {
    store: false,
    queues: false,
    functions: false,
    workflows: false,
    intake: false,
    stream: false,
  };
  readonly dynamo: MemoryDynamo;
  readonly lambda: Lambda;
  readonly services: Services;
  readonly agents = new Map<string, SimAgent>();
  /** Other machines that use the id of an agent. */
  readonly twins = new Map<string, SimAgent>();
  readonly queues = new Map<string, Queue>();
  readonly stream: StreamConsumer;
  readonly workflows: Workflows;
  readonly functions: ReturnType<typeof createFunctions>;
  readonly logged = new Map<string, number>();
  /** `FROM>TO` of every report refused by the task machine. */
  readonly refused = new Set<string>();
  readonly #options: WorldOptions;
  #twins = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    const { scheduler, outage } = this;
    this.random = createRandom(options.seed);
    useSources({ scheduler, random: this.random.fork('platform'), onUnhandled: options.onUnhandled });
    this.strikes = new Strikes(options.strikes ?? [], scheduler, (strike) => options.onStrike?.(strike));
    const { strikes } = this;
    this.faults = new Faults(options.faults, strikes, () => scheduler.now);
    this.trace = new Trace(() => scheduler.now, options.withLines);
    this.dynamo = this.#createStore();
    this.lambda = new Lambda(scheduler, this.random.fork('lambda'), options.maxSkewMs, options.concurrency);
    const { faults, lambda, trace } = this;
    const random = this.random.fork('calls');
    const { maxLatencyMs } = options;
    this.services = new Services({ scheduler, random, faults, strikes, lambda, trace, outage, maxLatencyMs });
    this.functions = this.#createFunctions();
    const triggers: TriggerDeps = {
      scheduler,
      random: this.random.fork('triggers'),
      faults,
      lambda,
      outage,
      trace,
    };
    this.stream = new StreamConsumer(triggers, this.functions.fanout);
    const { jobWorker: updater } = this.functions;
    this.workflows = new Workflows({ ...triggers, machine: updateWorkflow, updater });
    this.#createQueues(triggers);
    everyMinute(triggers, this.functions.sweeper);
    everyMinute(triggers, this.functions.rollCall);
  }

  #createStore(): MemoryDynamo {
    const random = this.random.fork('store');
    const expiry = this.#createExpiry();
    const dynamo = new MemoryDynamo({
      now: () => this.scheduler.now,
      indexLagMs: (index) => {
        const fault = this.faults.decide('index', `${index} index`);
        if (fault?.strike?.forMs !== undefined) return fault.strike.forMs;
        if (fault) return Math.floor(this.faults.detail(fault) ** 3 * 30_000);
        return this.#options.maxLagMs === 0 ? 0 : random.between(0, this.#options.maxLagMs);
      },
      onCommit: (changes, entries) => {
        this.stream.add(entries);
        expiry?.onCommit(changes);
        this.#options.onCommit(changes);
      },
    });
    dynamo.createTable(tableNames.stateTable, stateTable);
    dynamo.createTable(tableNames.notesTable, notesTable);
    return dynamo;
  }

  #createExpiry(): Expiry | undefined {
    const { history } = this.#options;
    const random = this.random.fork('expiry');
    const { scheduler } = this;
    return (
      history && new Expiry({ scheduler, random, dynamo: () => this.dynamo, maxLateMs: history.maxLateMs })
    );
  }

  #createFunctions() {
    const { services, dynamo } = this;
    const { history } = this.#options;
    const random = this.random.fork('deleted queues');
    const make = (name: string): Queue => this.#agentQueue(name);
    const queues = new QueueRegistry(this.queues, make, this.scheduler, random);
    const start = (name: string, event: unknown): void => {
      this.lambda.invoke(this.functions[name as FunctionName], event, () => {});
    };
    const deps: ClientDeps = { services, dynamo, queues, start, workflows: () => this.workflows };
    const hostOf = (container: Container): Host => ({
      skewMs: container.skewMs,
      send: (service, command) => calls[service](container, deps, command as Command),
      log: (level, message, fields) => {
        if (level !== 'info') this.#log(message, fields);
      },
    });
    return createFunctions(hostOf, {
      ...(history && {
        HISTORY_SECS: String(history.keptMs / 1000),
        HISTORY_MAX_PER_JOB: String(history.maxPerJob),
      }),
    });
  }

  #log(message: string, fields: Readonly<Record<string, unknown>>): void {
    const general = message.replaceAll(/agent \S+|work on \S+ \S+/g, '...');
    this.logged.set(general, (this.logged.get(general) ?? 0) + 1);
    if (fields.from && fields.to) this.refused.add(`${fields.from as string}>${fields.to as string}`);
    this.trace.note('log', () => `${message} ${(fields.error as Error | undefined)?.message ?? ''}`);
  }

  #createQueues(triggers: TriggerDeps): void {
    const { scheduler, functions } = this;
    // Visibility and tries as in infra/stacks/state.ts.
    const define = (name: string, fn: keyof typeof functions, visibilityMs: number, fifo: boolean) => {
      const options = { fifo, visibilityMs, maxReceives: 10 };
      const queue = new Queue(name, options, scheduler, this.random.fork(name));
      this.queues.set(name, queue);
      new QueueWorker(triggers, queue, functions[fn]);
    };
    define(queueNames.matcher, 'matcher', 150_000, true);
    define(queueNames.jobs, 'jobWorker', 150_000, true);
    define(queueNames.timers, 'timers', 60_000, false);
    define(queueNames.intake, 'agentEvents', 60_000, false);
    const heartbeats = { visibilityMs: 85_000, retentionMs: 5 * 60_000 };
    const random = this.random.fork('heartbeats');
    this.queues.set(queueNames.heartbeats, new Queue(queueNames.heartbeats, heartbeats, scheduler, random));
  }

  #agentQueue(name: string): Queue {
    const queue = new Queue(name, agentQueue, this.scheduler, this.random.fork(name));
    const agentId = name.slice(name.lastIndexOf('-agent-') + '-agent-'.length);
    const tell = () => {
      this.agents.get(agentId)?.receiveSoon();
      this.twins.get(agentId)?.receiveSoon();
    };
    queue.onArrival = () => {
      tell();
      // What is received and not acknowledged shows again.
      this.scheduler.after(agentQueue.visibilityMs + 1_000, tell);
    };
    this.queues.set(name, queue);
    return queue;
  }

  addAgent(offer: Offer, skewMs: number): SimAgent {
    const agent = new SimAgent(offer, {
      scheduler: this.scheduler,
      random: this.random.fork(offer.agentId),
      network: this.#network,
      observer: {
        started: (at, launch) => {
          this.trace.note('task started', () => `${launch.taskId} on ${at.id}`);
          this.#options.onStarted(at.id, launch);
        },
        ended: (at, taskId) => {
          this.trace.note('task process ended', () => `${taskId} on ${at.id}`);
          this.#options.onEnded(at.id, taskId);
        },
        killed: (at, taskId) => {
          this.trace.note('task told to end', () => `${taskId} on ${at.id}`);
          this.#options.onKilled(at.id, taskId);
        },
      },
      timings: this.#options.timings ?? realTimings,
      skewMs,
    });
    this.agents.set(agent.id, agent);
    return agent;
  }

  /** What the last roll call wrote. */
  roster(): Roster | undefined {
    const row = this.dynamo.table(tableNames.notesTable).get(rosterKey.pk, rosterKey.sk);
    return row && decodeRoster(row);
  }

  /** A second machine of the same id. What happens on it is not the truth about the agent. */
  addTwin(agent: SimAgent): SimAgent {
    const machine = `${agent.id}-twin${++this.#twins}`;
    const twin = new SimAgent(agent.offer, {
      scheduler: this.scheduler,
      random: this.random.fork(machine),
      network: this.#network,
      observer: { started: () => {}, ended: () => {}, killed: () => {} },
      timings: this.#options.timings ?? realTimings,
      skewMs: 0,
      machine,
    });
    this.twins.set(agent.id, twin);
    return twin;
  }

  /** A call of the HTTP API; `done` gets nothing if no answer came. */
  callApi({ method, path, body, token }: ApiCall, done: (answer: ApiAnswer | undefined) => void): void {
    if (this.outage.functions) {
      this.scheduler.after(1_000, () => done(undefined));
      return;
    }
    if (!this.lambda.hasRoom()) {
      this.scheduler.after(20, () => done({ status: 429, body: {} }));
      return;
    }
    const isUsers = token !== undefined;
    const fault = isUsers ? this.faults.decide('net', 'users call', userFaults, () => path) : undefined;
    if (fault?.kind === 'lostRequest') {
      this.scheduler.after(1_000, () => done(undefined));
      return;
    }
    const [rawPath = '', query] = path.split('?');
    const event = {
      version: '2.0',
      rawPath,
      ...(query !== undefined && { queryStringParameters: Object.fromEntries(new URLSearchParams(query)) }),
      headers: token === undefined ? {} : { 'idempotency-key': token },
      body: body === undefined ? undefined : JSON.stringify(body),
      isBase64Encoded: false,
      requestContext: { requestId: 'request', http: { method, path: rawPath } },
    };
    this.lambda.invoke(this.functions.api, event, (outcome) => {
      if (outcome.kind !== 'returned' || fault?.kind === 'lostAnswer') return done(undefined);
      const { statusCode = 0, body: text = 'null' } = outcome.value as { statusCode?: number; body?: string };
      done({ status: statusCode, body: JSON.parse(text) });
    });
  }

  readonly #network: AgentNetwork = {
    send: (agent, body, isHeartbeat, done) => {
      const queueName = isHeartbeat ? queueNames.heartbeats : queueNames.intake;
      // Where it matters that nobody is thought lost, heartbeats get through; elsewhere they are as fallible as the rest.
      const isSafe = isHeartbeat && this.#options.keepsHeartbeats;
      const site = `${agent.id} reports`;
      const fault = isSafe ? undefined : this.faults.decide('net', site, netFaults, () => body);
      const latencyMs = this.#latency();
      if (!agent.isLinked || this.outage.queues || fault?.kind === 'lostRequest') {
        this.scheduler.after(5_000, () => done(false));
        return;
      }
      const delayMs = fault?.kind === 'late' ? this.#latenessMs(fault) : 0;
      const arrive = () => {
        this.trace.note(site, () => body);
        this.queues.get(queueName)?.send(body, { delayMs });
        this.strikes.passed(site, () => body);
        if (fault?.kind === 'lostAnswer') this.scheduler.after(5_000, () => done(false));
        else done(true);
      };
      this.#afterHold(fault, latencyMs, arrive);
    },
    desired: (agent, done) => {
      const fault = this.faults.decide('net', `${agent.id} asks`, ['lostRequest', 'late']);
      if (!agent.isLinked || fault?.kind === 'lostRequest') return;
      this.#afterHold(fault, this.#latency(), () => {
        const path = `/agents/${agent.id}/tasks?session=${agent.sessionId}`;
        this.callApi({ method: 'GET', path }, (answer) => {
          const lateMs =
            fault?.kind === 'late' ? Math.floor(this.faults.detail(fault) * 14_000) : this.#latency();
          this.scheduler.after(lateMs, () => done(agent.isLinked ? answer : undefined));
        });
      });
    },
    receive: (agent) => {
      const queue = this.queues.get(`borealis-sim-agent-${agent.id}`);
      if (!queue || this.outage.queues) return [];
      return queue.receive(10).map((message) => {
        const fault = this.faults.decide('net', `${agent.id} acknowledges`, ['lostRequest']);
        return { body: message.body, ack: () => fault || queue.delete([message]) };
      });
    },
  };

  #latenessMs(fault: Fault): number {
    return fault.strike?.forMs ?? Math.floor(this.faults.detail(fault) * 60_000);
  }

  #afterHold(fault: Fault | undefined, latencyMs: number, work: () => void): void {
    const { strike } = fault ?? {};
    const isHeld = strike?.kind === 'hold';
    this.scheduler.after(latencyMs, () => (isHeld ? this.strikes.hold(strike, work) : work()));
  }

  #latency(): number {
    return this.random.between(2, 40);
  }
}
