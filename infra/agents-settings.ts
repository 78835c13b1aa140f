// What a person may choose about the agents' machines, read from the `borealis:` keys of the context. Each wrong value
// fails the synth with the key, what is wrong with it, and what may stand there.
import { InstanceArchitecture, InstanceType } from 'aws-cdk-lib/aws-ec2';
import { architectures, type MachineArchitecture } from './agent-package.ts';

/** The agents' machines; absent when there are none (`fleetMax` 0). */
export interface AgentsSettings {
  readonly min: number;
  readonly max: number;
  /** Absent: the group keeps what it has. */
  readonly desired?: number;
  /** By architecture, in order of preference. */
  readonly instanceTypes: ReadonlyMap<MachineArchitecture, readonly string[]>;
  /** So many on-demand instances before any spot one. */
  readonly onDemandBase: number;
  /** Share of the others that is on-demand, percent. */
  readonly onDemandPercentage: number;
  /** `new`, or the id of one that exists. */
  readonly vpc: string;
  readonly subnets: 'public' | 'private';
  readonly diskGb: number;
  readonly pool: string;
  /** Roles whose tasks get a user of their own. */
  readonly taskUsers: readonly string[];
  /** How long a termination may be held up to empty the machine, minutes. */
  readonly maxDrainMinutes: number;
  /** Range of addresses from which task logs may be read; absent: from nowhere. */
  readonly logsFrom?: string;
}

/** One row of the table in docs/deploy.md, and the check of one key. */
export interface SettingRow {
  readonly name: string;
  readonly values: string;
  readonly fallback: string;
  readonly meaning: string;
}

export const agentsSettingRows = [
  row('fleetMax', '0 to 5000', '0', 'most machines of agents; 0: no stack for agents'),
  row('fleetMin', '0 to fleetMax', '0', 'least machines'),
  row(
    'fleetDesired',
    'fleetMin to fleetMax',
    '',
    'machines to start with; empty: what the group has, at first fleetMin',
  ),
  row('architecture', 'arm64, x86_64, both', 'arm64', 'processors of the machines'),
  row(
    'instanceTypes',
    'EC2 instance types with commas',
    '',
    'which machines, the preferred first; empty: general ones with 2 vCPU',
  ),
  row('onDemandBase', '0 to 5000', '1', 'so many on-demand machines before the first spot one'),
  row('onDemandPercentage', '0 to 100', '0', 'share of the others that is on-demand; the rest is spot'),
  row('vpc', 'new, vpc-...', 'new', 'network of the machines'),
  row(
    'subnets',
    'public, private',
    'public',
    'private: without public addresses; a new VPC then gets a NAT gateway',
  ),
  row('diskGb', '8 to 16384', '50', 'encrypted gp3 disk of a machine, GiB'),
  row('pool', '1 to 64 of letters, digits, _ and -', 'default', 'pool the agents join'),
  row(
    'taskUsers',
    'role names with commas',
    '',
    'roles whose tasks run as a user of that name; others as numbered ones',
  ),
  row('maxDrainMinutes', '2 to 2880', '60', 'longest time a termination waits for its machine to be empty'),
  row(
    'logsFrom',
    'range of addresses such as 10.0.0.0/8',
    '',
    'who may read task logs from the agents; empty: nobody',
  ),
] as const satisfies readonly SettingRow[];

type Name = (typeof agentsSettingRows)[number]['name'];
/** Reads the text of a key; throws the error of a key. */
interface Source {
  readonly text: (name: string, fallback: string) => string;
  readonly invalid: (name: string, problem: string) => Error;
}

const defaultTypes: Readonly<Record<MachineArchitecture, readonly string[]>> = {
  arm64: ['m7g.large', 'm6g.large', 'c7g.large', 'c6g.large', 'r7g.large', 'r6g.large'],
  x86_64: ['m7i.large', 'm6i.large', 'm6a.large', 'c6i.large', 'r6i.large'],
};

/** The agents' settings, or undefined if there are to be no machines. Throws what `source.invalid` makes. */
export function readAgentsSettings(source: Source): AgentsSettings | undefined {
  const read = (name: Name) => source.text(name, rowOf(name).fallback);
  const fail = (name: Name, allowed = `it must be ${rowOf(name).values}`) =>
    source.invalid(name, `is ${JSON.stringify(read(name))}; ${allowed}`);
  const whole = (name: Name, low: number, high: number): number => {
    const value = Number(read(name));
    if (/^\d{1,9}$/.test(read(name)) && value >= low && value <= high) return value;
    throw fail(name, `it must be a whole number from ${low} to ${high}`);
  };
  const matching = (name: Name, pattern: RegExp, allowed?: string): string => {
    if (pattern.test(read(name))) return read(name);
    throw fail(name, allowed);
  };
  const max = whole('fleetMax', 0, 5000);
  const min = whole('fleetMin', 0, max);
  const desired = read('fleetDesired') === '' ? undefined : whole('fleetDesired', min, max);
  const logsFrom = matching('logsFrom', /^$|^(\d{1,3}\.){3}\d{1,3}\/\d{1,2}$/);
  const taskUsers = listOf(
    matching('taskUsers', /^$|^[a-z_][a-z0-9_-]{0,30}(,[a-z_][a-z0-9_-]{0,30}){0,999}$/),
  );
  if (taskUsers.includes('root')) throw fail('taskUsers', 'tasks never run as root');
  const settings: AgentsSettings = {
    min,
    max,
    ...(desired !== undefined && { desired }),
    instanceTypes: instanceTypes(read('architecture'), read('instanceTypes'), fail),
    onDemandBase: whole('onDemandBase', 0, 5000),
    onDemandPercentage: whole('onDemandPercentage', 0, 100),
    vpc: matching('vpc', /^(new|vpc-[0-9a-f]{8,17})$/),
    subnets: matching('subnets', /^(public|private)$/) as 'public' | 'private',
    diskGb: whole('diskGb', 8, 16_384),
    pool: matching('pool', /^[\w-]{1,64}$/),
    taskUsers,
    maxDrainMinutes: whole('maxDrainMinutes', 2, 2880),
    ...(logsFrom !== '' && { logsFrom }),
  };
  return max === 0 ? undefined : settings;
}

function instanceTypes(
  architecture: string,
  text: string,
  fail: (name: Name, allowed?: string) => Error,
): AgentsSettings['instanceTypes'] {
  const wanted = architectures.filter((one) => architecture === 'both' || architecture === one);
  if (wanted.length === 0) throw fail('architecture');
  if (text === '') return new Map(wanted.map((one) => [one, defaultTypes[one]]));
  const found = new Map<MachineArchitecture, string[]>();
  for (const type of listOf(text)) {
    if (!/^[a-z][a-z0-9-]{1,15}\.(\d{1,3})?[a-z]+(-\d+)?(-\d+tb\d*)?$/.test(type)) {
      throw fail('instanceTypes', `"${type}" is no instance type; write such as m7g.large,c7g.large`);
    }
    const arm = new InstanceType(type).architecture === InstanceArchitecture.ARM_64;
    const own: MachineArchitecture = arm ? 'arm64' : 'x86_64';
    if (!wanted.includes(own)) {
      throw fail('instanceTypes', `${type} is ${own}, but borealis:architecture is ${architecture}`);
    }
    found.set(own, [...(found.get(own) ?? []), type]);
  }
  const missing = wanted.find((one) => !found.has(one));
  if (missing)
    throw fail('instanceTypes', `none of them is ${missing}, which borealis:architecture asks for`);
  return found;
}

function listOf(text: string): string[] {
  return text === '' ? [] : text.split(',').map((part) => part.trim());
}

function rowOf(name: Name): SettingRow {
  return agentsSettingRows.find((one) => one.name === name) as SettingRow;
}

function row<const N extends string>(name: N, values: string, fallback: string, meaning: string) {
  return { name, values, fallback, meaning };
}
