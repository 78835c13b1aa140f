// What a person may choose at synth time, read from CDK context (`cdk deploy -c borealis:cluster=prod`). A wrong or
// misspelt key fails the synth with a message that names it, so a typo never ships.
import type { Node } from 'constructs';
import { BorealisError } from '../shared/lib/errors.ts';

export interface Settings {
  /** Names every resource, so that two clusters fit in one account. */
  readonly cluster: string;
  /** `iam`: every route needs a signed request (design D11). `none`: anybody who reaches the URL may call it. */
  readonly auth: 'iam' | 'none';
  /** Let the store count the capacity units of every call; costs a little and is for measuring. */
  readonly meter: boolean;
  /** Tables stay when their stack is deleted, and cannot be deleted before. False is for installations to throw away. */
  readonly keepData: boolean;
}

const prefix = 'borealis:';

/** Reads and checks the `borealis:` keys of the context; INVALID_CONFIG names what is wrong. */
export function readSettings(node: Node): Settings {
  const allowed = ['cluster', 'auth', 'meter', 'keepData'].map((name) => prefix + name);
  const context: unknown = node.getAllContext();
  for (const key of Object.keys(context ?? {})) {
    if (key.startsWith(prefix) && !allowed.includes(key)) {
      throw invalid(key, `is not known; known are ${allowed.join(', ')}`);
    }
  }
  const cluster = text(node, 'cluster', 'borealis');
  if (!/^[a-z][a-z0-9-]{0,19}$/.test(cluster)) {
    throw invalid(
      `${prefix}cluster`,
      `is ${JSON.stringify(cluster)}; it must start with a letter and hold at most 20 of a-z, 0-9 and -`,
    );
  }
  // Queues of agents are known by their prefix: those of `a` would include all queues of `a-agent`.
  if (/-agent(-|$)/.test(cluster)) {
    throw invalid(
      `${prefix}cluster`,
      `is ${JSON.stringify(cluster)}; -agent in it is kept for the names of queues`,
    );
  }
  return {
    cluster,
    auth: choice(node, 'auth', ['iam', 'none'], 'iam'),
    meter: choice(node, 'meter', ['true', 'false'], 'false') === 'true',
    keepData: choice(node, 'keepData', ['true', 'false'], 'true') === 'true',
  };
}

function text(node: Node, name: string, fallback: string): string {
  const value: unknown = node.tryGetContext(prefix + name);
  if (value === undefined) return fallback;
  if (typeof value !== 'string')
    throw invalid(prefix + name, `is ${JSON.stringify(value)}; it must be a text`);
  return value;
}

function choice<const T extends string>(node: Node, name: string, values: readonly T[], fallback: T): T {
  const value = text(node, name, fallback);
  const known = values.find((candidate) => candidate === value);
  if (known === undefined)
    throw invalid(prefix + name, `is ${JSON.stringify(value)}; it must be one of ${values.join(', ')}`);
  return known;
}

function invalid(key: string, problem: string): BorealisError {
  return new BorealisError(
    'INVALID_CONFIG',
    `context ${key} ${problem}. Nothing was synthesised; correct it on the command line (-c) or in cdk.json.`,
    { details: { key } },
  );
}
