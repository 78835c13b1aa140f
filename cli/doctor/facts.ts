// What `borealis doctor` finds out about an installation, before anybody judges it. Gathered by gather-*.ts, judged by
// judge.ts, so that every judgement can be tested with plain objects.

/** What was found, or why it could not be found out. */
export type Found<T> =
  | { readonly found: T }
  /** `missing`: it is not there. `denied`: this identity may not look. `failed`: anything else. */
  | { readonly failure: 'missing' | 'denied' | 'failed'; readonly why: string };

export interface ApiFacts {
  readonly version: string;
  readonly cluster: string;
  readonly storeOk: boolean;
  /** This machine's clock minus the server's, ms; the server tells whole seconds. */
  readonly skewMs: number | undefined;
}

export interface AgentFacts {
  readonly agentId: string;
  readonly version: string;
  /** Epoch ms; undefined = never. */
  readonly lastSeenAt: number | undefined;
  readonly tasks: number;
}

export interface QueueFacts {
  readonly name: string;
  readonly visible: number;
  readonly inFlight: number;
}

export interface TableFacts {
  readonly name: string;
  readonly status: string;
  readonly restorable: boolean;
  readonly deletionProtected: boolean;
}

/** What only a deployment in an AWS account has. */
export interface DeployedFacts {
  readonly cluster: string;
  readonly region: string;
  /** ARN of who asks. */
  readonly identity: Found<string>;
  readonly stacks: readonly { readonly name: string; readonly status: Found<string> }[];
  readonly schedules: Found<readonly { readonly name: string; readonly state: string }[]>;
  /** Event source mappings by the function they call. */
  readonly sources: Found<readonly { readonly name: string; readonly state: string }[]>;
  readonly tables: Found<readonly TableFacts[]>;
  readonly queues: Found<readonly QueueFacts[]>;
  /** Alarms that are raised now. */
  readonly alarms: Found<readonly { readonly name: string; readonly reason: string }[]>;
}

/** What the embedded stack says of itself. */
export interface EmbeddedFacts {
  readonly cluster: string;
  readonly queues: readonly QueueFacts[];
  readonly functions: readonly {
    readonly name: string;
    readonly invocations: number;
    readonly errors: number;
  }[];
  /** Changes that wait for their effects. */
  readonly outstanding: number;
}

export interface Facts {
  /** Epoch ms of this machine. */
  readonly now: number;
  readonly clientVersion: string;
  readonly apiUrl: string;
  readonly api: Found<ApiFacts>;
  readonly agents: Found<readonly AgentFacts[]>;
  /** Absent if it is unknown what stands behind the API. */
  readonly embedded?: EmbeddedFacts;
  readonly deployed?: DeployedFacts;
}

/** One thing that was looked at. */
export interface Finding {
  readonly check:
    | 'api'
    | 'version'
    | 'clock'
    | 'credentials'
    | 'stacks'
    | 'tables'
    | 'event sources'
    | 'schedules'
    | 'queues'
    | 'alarms'
    | 'functions'
    | 'agents';
  /** `problem`: it does not do what it promises. `unknown`: could not be looked at. */
  readonly level: 'ok' | 'warning' | 'problem' | 'unknown';
  readonly message: string;
  /** What to do; present unless all is well. */
  readonly todo?: string;
}
